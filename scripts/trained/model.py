"""`load`, and what a trained network does with images and texts."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import torch
from monai.data import MetaTensor, list_data_collate
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged
from numpy.typing import NDArray
from pydicom import Dataset
from torch import Tensor

from ..data.masks import decode_rle
from ..errors import CxrError, UnreadableError, reading
from ..evaluation.grounding import CellMaps, heat_maps
from ..evaluation.shared_space import SharedSpace
from ..radiograph.dicom_image import dicom_image
from ..radiograph.letterbox import Letterbox
from ..radiograph.silence import silence
from .pack import Pack

Image = str | Path | NDArray[Any] | Tensor | Dataset
BATCH = 32


def load(
    place: str | Path,
    device: str | torch.device = "cpu",
    output: Literal["numpy", "torch"] = "numpy",
    language_model: str | None = None,
    **settings: Any,
) -> Model:
    """A trained network, ready to use; needs no data and no network connection.

    Args:
        place: the folder of a pack (`python -m bundle pack`) or of a clone with `models/model.pt`; or a file of weights
            with its `model.json` beside it, or its folder.
        device: "cpu", "cuda:0", ….
        output: what `embed`, `similarity` and `heat_map` give.
        language_model: folder or hub id of the language model, where the one that the weights learned from has another
            place on this machine.
        **settings: ids of the configs, over those of the training.

    Raises:
        CxrError: there are no weights, or they do not fit.
    """
    return Model(Pack.find(place, settings), torch.device(device), output, language_model)


class Model:
    """A trained network with the preprocessing that it was trained with.

    An image is a path (DICOM, PNG, JPEG, TIFF, a row of a store), a `pydicom.Dataset` with pixels, or an array as a
    viewer shows it, air dark: `(H, W)`, `(1 | 3, H, W)` or `(H, W, 3)`, of any range. One image, or a list of them.

    Attributes:
        task: "classification", "segmentation" or "detection"; "" for a pre-trained encoder.
        names: of a task's outputs, in order.
        image_size: side of the square that the network sees.
    """

    def __init__(
        self, pack: Pack, device: torch.device, output: Literal["numpy", "torch"], language_model: str | None
    ) -> None:
        self.pack, self.device, self.output, self.language_model = pack, device, output, language_model
        self.config = pack.read("inference")
        self.config["device"] = str(device)
        self.config["weights"] = str(pack.weights)
        self.task = str(self.config.get("task") or "")
        self.names = list(self.config.get("names") or [])
        self.image_size = int(self.config["image_size"])
        self.network = self._part(self.config, "network_def")
        self._module("encoders.weights").load_weights(self.network, pack.weights)
        self.network.to(device).eval()
        self.preprocessing: Compose = self._part(self.config, "preprocessing")

    def embed(self, images: Image | Sequence[Image]) -> Any:
        """Pooled features, `(n, dim)` of a list, `(dim,)` of one image.

        Raises:
            CxrError: an image is no readable radiograph.
        """
        return self._given(self._embed(_listed(images)), images)

    def similarity(self, images: Image | Sequence[Image], texts: str | Sequence[str]) -> Any:
        """Cosine of each image with each text in the space that pre-training made for both: `(n, m)`; an axis of one
        image or one text that is not in a list is left out.

        Raises:
            CxrError: this network has no such space, or its language model is not at hand.
        """
        space = self.space
        cosine = space.project_images(self._embed(_listed(images))) @ space.project_texts(_texts(texts)).T
        return self._given(cosine[:, 0] if isinstance(texts, str) else cosine, images)

    def heat_map(self, image: Image, text: str) -> Any:
        """Where in the image a text fits: cosine of each cell of the encoder's map with the text, interpolated to the
        original image, `(H, W)`.

        Raises:
            CxrError: see `similarity`; or the method projects images as a whole.
        """
        item = self._item(image)
        with torch.inference_mode():
            cells = CellMaps(self.space)(_batch([item]).to(self._space_device))[0].cpu()
        heat = heat_maps(cells, self.space.project_texts([text]), self.image_size)[0]
        found = torch.from_numpy(
            Letterbox(int(item["height"]), int(item["width"]), self.image_size).mask_to_image(heat)
        )
        return found if self.output == "torch" else found.numpy()

    def predict(self, images: Image | Sequence[Image]) -> Any:
        """What the task's inference writes of an image: probabilities (and decisions, where thresholds are known);
        boxes `xyxy` in pixels of the original, the most certain first; or masks, bool `(H, W)` of the original, with
        their areas.

        Raises:
            CxrError: this is a pre-trained encoder, which has no task.
        """
        if not self.task:
            raise CxrError("A pre-trained encoder has no task to predict: use embed or similarity, or train a task.")
        found = [self._predict(self._item(image)) for image in _listed(images)]
        return found if isinstance(images, (list, tuple)) else found[0]

    @cached_property
    def space(self) -> SharedSpace:
        """The space that images and texts share."""
        shared = self.pack.weights.with_name("pretraining.pt")
        if self.task or not shared.is_file():
            raise CxrError(f"No space for images and texts: there are no projections at {shared}.")
        learned = dict(self.pack.settings.get("language_model_identity") or {})
        config = self.pack.read("train", "evaluate")
        own = {"model": self.language_model or learned.get("model", "minilm"), "device": str(self.device)}
        own |= {name: learned[name] for name in ("pooling", "max_length") if name in learned}
        if "/" in str(own["model"]) and not Path(own["model"]).is_dir():  # of a hub, which has revisions
            own["revision"] = learned.get("revision")
        target = f"{self.pack.package}.text.language_model.FrozenLanguageModel"
        for name, value in {
            "text_encoder": {"_target_": target, **own},
            "text_folder": None,
            "encoder_weights": None,
            "dataset_dir": str(self.pack.root),
            "device": str(self.device),
            "shared_weights": str(shared),
        }.items():
            config[name] = value
        space: SharedSpace = self._part(config, "shared_space")
        if space.reason:
            raise CxrError(f"No space for images and texts: {space.reason}.")
        return space

    @property
    def _space_device(self) -> torch.device:
        return next(self.space.method.parameters()).device

    def _embed(self, images: list[Image]) -> Tensor:
        """`(n, dim)`, float32, on the CPU."""
        network: Any = self.network.encoder.pooled if self.task else self.network
        parts = []
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                batch = _batch([self._item(image) for image in images[start : start + BATCH]])
                parts.append(network(batch.to(self.device)).float().cpu())
        return torch.cat(parts).clone()

    @cached_property
    def _predictor(self) -> tuple[Any, Any]:
        """The task's inferer, and its writer, which describes an image and leaves no file."""
        writer = self._part(self.config, "writer")
        for name, value in {"overlays": False, "format": "rle", "label_map": False}.items():
            if hasattr(writer, name):
                setattr(writer, name, value)
        return self._part(self.config, "inferer"), writer

    def _predict(self, item: Mapping[str, Any]) -> dict[str, Any]:
        inferer, writer = self._predictor
        batch = list_data_collate([{key: item[key] for key in ("image", "height", "width", "spacing", "itk_affine")}])
        with torch.inference_mode():
            output = inferer(batch["image"].to(self.device), self.network)
        state = SimpleNamespace(batch=batch, output={"pred": output})
        (found,) = writer.outputs(SimpleNamespace(state=state))
        entry: dict[str, Any] = writer.describe("", found, self._module("predictions.writer").originals(batch, 1)[0])
        for mask in entry.get("masks", ()):
            mask["mask"] = decode_rle(mask.pop("rle"), (entry["height"], entry["width"]))
        return entry

    def _item(self, image: Image) -> dict[str, Any]:
        """`image` `(3, S, S)`, normalised, with `height`, `width`, `spacing` and `itk_affine` of the original."""
        if isinstance(image, str | Path):
            return dict(self.preprocessing({"image": str(image)}))
        meta: dict[str, Any] = {}
        if isinstance(image, Dataset):
            try:
                with silence(), reading("it"):
                    pixels, meta = dicom_image(image, self.image_size)
            except UnreadableError as error:
                raise CxrError(f"The data set is not a readable radiograph: {error}") from error
        else:
            pixels = _channel_first(np.asarray(image))
        loaded = MetaTensor(torch.as_tensor(np.ascontiguousarray(pixels)), meta=meta)
        loaded = loaded[None] if loaded.ndim == 2 else loaded
        after = [
            step for step in self.preprocessing.transforms if not isinstance(step, LoadImaged | EnsureChannelFirstd)
        ]
        return dict(Compose(after)({"image": loaded}))

    def _given(self, values: Tensor, images: Any) -> Any:
        values = values if isinstance(images, (list, tuple)) else values[0]
        return values if self.output == "torch" else values.numpy()

    def _module(self, name: str) -> Any:
        """A module of the network's own scripts."""
        return importlib.import_module(f"{self.pack.package}.{name}")

    @staticmethod
    def _part(config: Any, name: str) -> Any:
        return config.get_parsed_content(name)


def _listed(images: Image | Sequence[Image]) -> list[Image]:
    return list(images) if isinstance(images, (list, tuple)) else [images]  # type: ignore[list-item]


def _texts(texts: str | Sequence[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)


def _batch(items: Sequence[Mapping[str, Any]]) -> Tensor:
    return torch.stack([item["image"].as_subclass(Tensor) for item in items])


def _channel_first(image: NDArray[Any]) -> NDArray[np.float32]:
    """`(H, W)` or `(C, H, W)`; colours that come last are brought to the front."""
    if image.ndim == 3 and image.shape[-1] in (3, 4) and image.shape[0] not in (1, 3):
        image = np.moveaxis(image, -1, 0)
    if image.ndim not in (2, 3):
        raise CxrError(f"An image is (H, W), (1 | 3, H, W) or (H, W, 3); this array is {image.shape}.")
    return image.astype(np.float32)
