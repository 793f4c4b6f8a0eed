"""Vision models of transformers as the tasks see them: one map of patch tokens, or the maps of a hierarchy."""

from __future__ import annotations

import inspect
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel

from ..errors import CxrError
from .base import FeatureEncoder
from .normalization import GREY_MEAN, GREY_STD, Normalization, normalize_images, scale_and_shift

# Hierarchies whose own pooled vector is the norm of the mean, not the mean of the norm.
_NORM_OF_MEAN = ("convnext", "convnextv2", "dinov3_convnext")


def vision_encoder(body: Any) -> VisionModelEncoder:
    """The wrapper of a vision model of transformers."""
    if hasattr(body.config, "depths") and hasattr(body, "out_features"):
        return HierarchyEncoder(body)
    return TokenEncoder(body) if gives_tokens(body.config) else StatesEncoder(body)


def gives_tokens(config: Any) -> bool:
    """Whether a model gives patch tokens of one size, and not maps of several strides."""
    return hasattr(config, "patch_size") and not hasattr(config, "depths")


class VisionModelEncoder(FeatureEncoder):
    """What token models and hierarchies share.

    Where the model's configuration carries `image_mean` and `image_std` (its folder's preprocessor_config.json does),
    images are normalised by these instead of the workflow's grey mean and deviation.
    """

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, body: nn.Module) -> None:
        super().__init__(body)
        config = self.body.config
        # BERT's pooler, a dense layer and tanh, is left over from classifying; nothing here would train or use it.
        if isinstance(getattr(getattr(body, "pooler", None), "dense", None), nn.Linear):
            self.body.pooler = None
        # In the state dict: weights without the normalisation that they were trained with are another function.
        scale, shift = scale_and_shift(self._configured(), getattr(config, "num_channels", 3))
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)
        # Models whose position embeddings have one size unless they are told to resize them.
        resizes = "interpolate_pos_encoding" in inspect.signature(self.body.forward).parameters
        self._arguments = {"interpolate_pos_encoding": True} if resizes else {}
        try:
            self._measure()
        except CxrError:
            raise
        except Exception as error:
            reason = str(error).strip().split("\n")[0][:200]
            raise CxrError(f"{type(body).__name__} cannot be an image encoder here ({reason}).") from error

    def _configured(self) -> Normalization:
        config = self.body.config
        mean, std = (getattr(config, name, None) for name in ("image_mean", "image_std"))
        return Normalization(tuple(mean or [GREY_MEAN]), tuple(std or [GREY_STD]))

    def normalize(self, wanted: Normalization) -> None:
        """See `FeatureEncoder`."""
        normalize_images(self.body, wanted)
        scale, shift = scale_and_shift(self._configured(), self.scale.shape[1])
        self.scale.copy_(scale)
        self.shift.copy_(shift)

    def run(self, image: torch.Tensor, **arguments: Any) -> Any:
        """The body's own output for `(B, 3, H, W)`, normalised as the workflows do it."""
        return self._run(self.body, image, **arguments)

    def _run(self, body: Any, image: torch.Tensor, **arguments: Any) -> Any:
        image = image[:, : self.scale.shape[1]]  # all three are equal; a model of grey images takes one
        return body(pixel_values=image * self.scale + self.shift, **self._arguments, **arguments)

    def reinitialize(self) -> None:
        """See `FeatureEncoder`: the weights of a body newly made from the same configuration."""
        fresh = type(self.body)(self.body.config).state_dict()
        self.body.load_state_dict({key: fresh[key] for key in self.body.state_dict()})

    def stages(self) -> list[nn.Module]:
        """See `FeatureEncoder`: what comes before the body's list of blocks (stages of a hierarchy), each block, and
        the last one together with what comes after the list.
        """
        before, blocks, after = _around_blocks(self.body)
        return [nn.ModuleList(before), *blocks[:-1], nn.ModuleList([blocks[-1], *after])]


class TokenEncoder(VisionModelEncoder):
    """A vision transformer: one map, of the patch tokens after the last block (and norm, where the model has it there);
    the pooled vector is what the model itself pools, else its class token, else the mean of its tokens.

    An image whose sides are no multiples of the patch is resized to the nearest ones, so that the map covers it all.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__(body)

    def run(self, image: torch.Tensor, **arguments: Any) -> Any:
        """See `VisionModelEncoder`."""
        rows, columns = self._grid(image)
        size = (rows * self._patch[0], columns * self._patch[1])
        if tuple(image.shape[-2:]) != size:
            image = F.interpolate(image, size, mode="bilinear", align_corners=False)
        return super().run(image, **arguments)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """See `FeatureEncoder`; one map."""
        return [self._map(self.run(image), image)]

    def pooled(self, image: torch.Tensor) -> torch.Tensor:
        """See `FeatureEncoder`."""
        return self._pooled(self.run(image), image)

    def pooled_and_maps(self, image: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """See `FeatureEncoder`."""
        found = self.run(image)
        return self._pooled(found, image), [self._map(found, image)]

    def _map(self, found: Any, image: torch.Tensor) -> torch.Tensor:
        rows, columns = self._grid(image)
        return found.last_hidden_state[:, -rows * columns :].transpose(1, 2).unflatten(2, (rows, columns))

    def _pooled(self, found: Any, image: torch.Tensor) -> torch.Tensor:
        pooled = getattr(found, "pooler_output", None)
        if pooled is not None:
            return pooled
        tokens = found.last_hidden_state
        rows, columns = self._grid(image)
        return tokens[:, 0] if tokens.shape[1] > rows * columns else tokens.mean(1)

    @property
    def _patch(self) -> tuple[int, int]:
        size = self.body.config.patch_size
        return (size, size) if isinstance(size, int) else tuple(size)

    def _grid(self, image: torch.Tensor) -> tuple[int, int]:
        """Rows and columns of patches."""
        rows, columns = (round(int(side) / patch) for side, patch in zip(image.shape[-2:], self._patch, strict=True))
        return max(1, rows), max(1, columns)


class HierarchyEncoder(VisionModelEncoder):
    """A backbone of transformers with maps of several strides (ConvNeXt, Swin, ResNet, …), of each stride its last one;
    the pooled vector is the `pooler_output` of its model, else the global average of the last map.
    """

    _kept: tuple[int, ...] | None = None  # which of the body's maps are given; all, until they have been measured

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """See `FeatureEncoder`; one map a stride."""
        return self._some(self._maps(self._found(image)))

    def pooled(self, image: torch.Tensor) -> torch.Tensor:
        """See `FeatureEncoder`."""
        model = self._model()
        return self._pooled(self._found(image)) if model is None else _vector(self._run(model, image).pooler_output)

    def pooled_and_maps(self, image: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """See `FeatureEncoder`; in two passes where the backbone keeps back what its model pools."""
        found = self._found(image)
        pooled = self._pooled(found) if self._model() is None else self.pooled(image)
        return pooled, self._some(self._maps(found))

    def _model(self) -> Any:
        """The whole model, where the backbone has it inside and leaves out its pooled vector."""
        models = (child for child in self.body.children() if isinstance(child, PreTrainedModel))
        return next((model for model in models if getattr(model, "pooler", None) is not None), None)

    def _found(self, image: torch.Tensor) -> Any:
        return (
            self.run(image, output_hidden_states=True)
            if self.body.config.model_type in _NORM_OF_MEAN
            else self.run(image)
        )

    def _pooled(self, found: Any) -> torch.Tensor:
        """What the whole model makes of its last map."""
        last, kind = found.feature_maps[-1], self.body.config.model_type
        if kind in _NORM_OF_MEAN:  # the last map of a ConvNeXt backbone is normed already
            norm = self.body.layer_norm if kind == "dinov3_convnext" else [*self.body.hidden_states_norms.values()][-1]
            mean, eps = found.hidden_states[-1].mean((2, 3)), self.body.config.layer_norm_eps
            return F.layer_norm(mean, mean.shape[1:], norm.weight, norm.bias, eps)
        if kind == "swinv2":
            return self.body.layernorm(last.flatten(2).transpose(1, 2)).mean(1)
        return last.mean((2, 3))

    def _some(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        return maps if self._kept is None else [maps[i] for i in self._kept]

    def _maps(self, found: Any) -> list[torch.Tensor]:
        return list(found.feature_maps)

    def _measure(self) -> None:
        super()._measure()
        self._kept = tuple(i for i, stride in enumerate(self.strides) if stride not in self.strides[i + 1 :])
        self.channels, self.strides = (tuple(of[i] for i in self._kept) for of in (self.channels, self.strides))


class StatesEncoder(HierarchyEncoder):
    """A model of transformers that has maps of several strides and no backbone that gives them (EfficientNet, RegNet,
    SegFormer's encoder, …): its hidden states, and its output.
    """

    def _model(self) -> None:
        """The body is the model."""

    def _found(self, image: torch.Tensor) -> Any:
        return self.run(image, output_hidden_states=True)

    def _pooled(self, found: Any) -> torch.Tensor:
        pooled = getattr(found, "pooler_output", None)
        return _vector(found.last_hidden_state if pooled is None else pooled)

    def _maps(self, found: Any) -> list[torch.Tensor]:
        return [*found.hidden_states, found.last_hidden_state]


def _vector(pooled: torch.Tensor) -> torch.Tensor:
    """`(B, C)`, or `(B, C, h, w)` of few cells (TextNet pools to 2 x 2), to `(B, C)`."""
    return pooled if pooled.ndim == 2 else pooled.mean((2, 3))


def _around_blocks(body: nn.Module) -> tuple[list[nn.Module], list[nn.Module], list[nn.Module]]:
    """A body's modules before its outermost list of two blocks or more, the blocks, and the modules after it."""
    level: list[tuple[list[nn.Module], nn.Module, list[nn.Module]]] = [([], body, [])]
    while level:
        inner = []
        for before, parent, after in level:
            children = list(parent.children())
            for i, child in enumerate(children):
                around = before + children[:i], child, children[i + 1 :] + after
                if isinstance(child, nn.ModuleList) and len(child) > 1:
                    return around[0], list(child), around[2]
                inner.append(around)
        level = inner
    return [], [body], []
