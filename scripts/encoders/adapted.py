"""A frozen encoder under a light trained module: Adaptor (Qin et al., ICASSP 2024, arXiv 2401.01179).

The published module lets image and text look at each other through attention over one pooled token each. A softmax over
one key is 1, so that no query counts, and what is left is a tower a modality (`AdaptorTower`). The published code also
hands `(B, width)` to its attention, which takes that for one sequence of B tokens: there a prediction depends on the
other images of the batch. Here a sequence is that of one image.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import SettingError
from .base import FeatureEncoder
from .normalization import Normalization

Tokens = Literal["pooled", "patch"]


class AdaptorLayer(nn.TransformerEncoderLayer):
    """torch's post-norm layer (its names, its numbers), written so that it exports, and so that what nobody reads is
    not computed.
    """

    def forward(self, tokens: Tensor, outputs: int | None = None) -> Tensor:  # type: ignore[override]
        """`(B, T, width)` to `(B, T, width)`, or to its first `outputs` tokens, which look at all T."""
        x = tokens if outputs is None else tokens[:, :outputs]
        x = self.norm1(x + self.dropout1(self._attend(x, tokens)))
        return self.norm2(x + self._ff_block(x))

    def _attend(self, queries: Tensor, tokens: Tensor) -> Tensor:
        attention = self.self_attn
        heads, width = attention.num_heads, attention.embed_dim
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        dropout = attention.dropout if self.training else 0.0
        if tokens.shape[1] == 1:
            # Its softmax is 1: the value remains, and the dropout of the attention's weights is one of whole heads.
            value = F.linear(tokens, weight[2 * width :], bias[2 * width :])
            if dropout:
                value = (F.dropout1d(value.unflatten(2, (heads, -1)).flatten(0, 1), dropout)).view_as(value)
            return attention.out_proj(value)
        query = F.linear(queries, weight[:width], bias[:width])
        key, value = F.linear(tokens, weight[width:], bias[width:]).chunk(2, dim=2)
        query, key, value = (part.unflatten(2, (heads, -1)).transpose(1, 2) for part in (query, key, value))
        found = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        return attention.out_proj(found.transpose(1, 2).flatten(2))


class AdaptorTower(nn.Module):
    """Bias-free projection, L2, transformer layers. An output depends on the tokens of its own sequence alone.

    Args:
        image_dim: width of the frozen encoder's features.
        width, layers, heads, hidden, dropout: of the layers; the defaults are the published ones, 5,513,984 parameters
            a layer.
    """

    def __init__(
        self,
        image_dim: int,
        width: int = 768,
        layers: int = 2,
        heads: int = 12,
        hidden: int = 2048,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if width % heads:
            raise SettingError(f"The Adaptor's width must be a multiple of its heads, not {width} for {heads}.")
        self.arguments = (image_dim, width, layers, heads, hidden, dropout)
        self.width = width
        self.projection = nn.Linear(image_dim, width, bias=False)
        self.layers = nn.ModuleList(
            AdaptorLayer(width, heads, hidden, dropout, batch_first=True) for _ in range(layers)
        )

    def forward(self, tokens: Tensor, outputs: int | None = None) -> Tensor:
        """Sequences `(B, T, image_dim)` to `(B, T, width)`, or to their first `outputs` tokens.

        Raises:
            ValueError: they are not 3-D; a batch of vectors would be taken for one sequence.
        """
        return self.look(_sequences(tokens, self.projection), outputs)

    def look(self, tokens: Tensor, outputs: int | None = None) -> Tensor:
        """`forward` without the projection, for tokens `(B, T, width)` that have one of their own (the text's)."""
        for layer in self.layers[:-1]:
            tokens = layer(tokens)
        return self.layers[-1](tokens, outputs) if len(self.layers) else tokens[:, :outputs]


def _sequences(tokens: Tensor, projection: nn.Module) -> Tensor:
    if tokens.dim() != 3:
        raise ValueError(f"The Adaptor takes sequences (B, T, d), not {tuple(tokens.shape)}.")
    return F.normalize(projection(tokens), dim=-1)


class AdaptedBody(nn.Module):
    """The parts of an `AdaptedEncoder`: `inner`, frozen for good, and `adaptor`."""

    def __init__(self, inner: FeatureEncoder, adaptor: AdaptorTower) -> None:
        super().__init__()
        self.inner = inner.freeze()
        self.adaptor = adaptor


class AdaptedEncoder(FeatureEncoder):
    """A frozen encoder with the Adaptor on it, as pre-training and the tasks see it.

    Frozen, it is a fixed function of the image; not frozen, the Adaptor learns, and the encoder under it never does.

    Args:
        inner: any encoder; it is frozen.
        adaptor: takes its features.
        tokens: `pooled`, as published: each token is a sequence of its own, the pooled one as well as each cell of the
            map. `patch`: the pooled token and the cells of the last map are one sequence.
    """

    def __init__(self, inner: FeatureEncoder, adaptor: AdaptorTower, tokens: Tokens = "pooled") -> None:
        if tokens not in ("pooled", "patch"):
            raise SettingError(f"tokens must be pooled or patch, not {tokens!r}.")
        super().__init__(AdaptedBody(inner, adaptor))
        self.tokens = tokens
        self.dim = adaptor.width
        self.channels = (*inner.channels[:-1], adaptor.width)
        self.strides = inner.strides

    @property
    def inner(self) -> FeatureEncoder:
        """The frozen encoder."""
        return self.body.inner

    @property
    def adaptor(self) -> AdaptorTower:
        """The trained module."""
        return self.body.adaptor

    def forward(self, image: Tensor) -> list[Tensor]:
        """See `FeatureEncoder`: the frozen encoder's maps, the last one replaced by what the Adaptor makes of its
        cells.
        """
        with torch.no_grad():
            sequence, maps = self._seen(image)
        rows, columns = maps[-1].shape[-2:]
        if self.tokens == "patch":
            cells = self.adaptor(sequence)[:, 1:]
        else:
            cells = self.adaptor(_cells(maps[-1]).flatten(0, 1)[:, None]).unflatten(0, (-1, rows * columns))[:, :, 0]
        return [*maps[:-1], cells.transpose(1, 2).unflatten(2, (rows, columns))]

    def pooled(self, image: Tensor) -> Tensor:
        """What the Adaptor makes of the pooled token, `(B, width)`.

        Args:
            image: `(B, 3, H, W)`; or what `frozen_features` gave of it before the encoder was frozen: `(B, d)`, or
                `(B, T, d)` with the pooled token first.
        """
        if image.dim() == 4:
            with torch.no_grad():
                image = self.stored(image)
        return self.adaptor(image[:, None] if image.dim() == 2 else image, 1)[:, 0]

    def stored(self, image: Tensor) -> Tensor:
        """What the Adaptor needs to see of images `(B, 3, H, W)`, and nothing trains: the frozen encoder's pooled
        features `(B, d)`, or with `patch` its tokens `(B, 1 + h * w, d)`.
        """
        return self._seen(image)[0] if self.tokens == "patch" else self.inner.pooled(image)

    def frozen_features(self, image: Tensor) -> Tensor:
        """See `FeatureEncoder`: `pooled` once it is frozen, before that `stored`."""
        return self.pooled(image) if self.frozen else self.stored(image)

    def frozen_part(self) -> nn.Module:
        """See `FeatureEncoder`: itself once it is frozen, before that the encoder inside."""
        return self if self.frozen else self.inner

    @torch.jit.ignore
    def normalize(self, wanted: Normalization) -> None:
        """See `FeatureEncoder`; the frozen encoder's images."""
        self.inner.normalize(wanted)

    def stages(self) -> list[nn.Module]:
        """See `FeatureEncoder`: the Adaptor's projection and its layers; the rest never learns."""
        return [self.adaptor.projection, *self.adaptor.layers]

    def reinitialize(self) -> None:
        """See `FeatureEncoder`: a new Adaptor on the same frozen encoder."""
        self.adaptor.load_state_dict(AdaptorTower(*self.adaptor.arguments).state_dict())

    def _seen(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The sequence `(B, 1 + h * w, d)` of the pooled token and the last map's cells, and the maps."""
        pooled, maps = self.inner.pooled_and_maps(image)
        return torch.cat([pooled[:, None], _cells(maps[-1])], dim=1), maps


def _cells(found: Tensor) -> Tensor:
    """A map `(B, C, h, w)` as tokens `(B, h * w, C)`."""
    return found.flatten(2).transpose(1, 2)


def build_adapted(
    inner: FeatureEncoder,
    tokens: Tokens = "pooled",
    width: int = 768,
    layers: int = 2,
    heads: int = 12,
    hidden: int = 2048,
    dropout: float = 0.1,
) -> AdaptedEncoder:
    """The encoder "adaptor" of the configs.

    Args:
        inner: the frozen encoder.
        tokens: see `AdaptedEncoder`.
        width, layers, heads, hidden, dropout: see `AdaptorTower`.
    """
    return AdaptedEncoder(inner, AdaptorTower(inner.dim, width, layers, heads, hidden, dropout), tokens)
