"""A frozen encoder looks at each image once: its features are kept, and a probe costs seconds."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.data import DataLoader
from monai.inferers import Inferer, SimpleInferer
from tqdm import tqdm

from scripts.atomic import writing
from scripts.data import StudyDataset
from scripts.engine.state import unwrap
from scripts.errors import CxrError
from scripts.tasks.classification import Standardize

logger = logging.getLogger(__name__)


class CacheFeatures:
    """Handler that gives the data sets the pooled features of a frozen encoder in place of their images.

    The features are those of the images as they are, without augmentation. On disk they are known by the encoder's
    weights, the images (name, size and time of their files) and `identity`; another run with the same ones reads them.

    Args:
        network: has an `encoder` (`scripts.image.FeatureEncoder`).
        datasets: get `features`.
        transform: the preprocessing without augmentation.
        enabled: usually the switch `frozen`.
        folder: of the files, one a data set; None keeps them in memory alone.
        identity: what else the features depend on (image size, precision).
        inferer: how the encoder is run.
        batch_size, num_workers: of the one pass over the images.
        standardize: fitted to the features of the first data set (the training images'); None = left as it is.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        datasets: Sequence[StudyDataset],
        transform: Any,
        enabled: bool = True,
        folder: str | Path | None = None,
        identity: Mapping[str, Any] | None = None,
        inferer: Inferer | None = None,
        batch_size: int = 32,
        num_workers: int = 0,
        standardize: Standardize | None = None,
    ) -> None:
        self.network, self.datasets, self.transform = network, datasets, transform
        self.enabled = enabled
        self.folder = None if folder is None else Path(folder)
        self.identity = dict(identity or {})
        self.inferer = inferer or SimpleInferer()
        self.batch_size, self.num_workers = batch_size, num_workers
        self.standardize = standardize

    def attach(self, engine: Engine) -> None:
        """Registers on a trainer or an evaluator; list it after what loads weights."""
        if self.enabled:
            engine.add_event_handler(Events.STARTED, self.fill)

    def fill(self, engine: Engine) -> None:
        """Computes or reads the features of each data set; rank 0 first, the others then read its files."""
        encoder = unwrap(self.network).get_submodule("encoder")
        weights = _digest_weights(encoder)
        for dataset in self.datasets:
            path = self.folder and self.folder / f"{self._key(weights, dataset)}.npy"
            if idist.get_rank() == 0 or path is None:
                features = self._features(encoder, dataset, path)
            idist.barrier()
            if idist.get_rank() != 0 and path is not None:
                features = self._features(encoder, dataset, path)
            _use(dataset, features, path)
        if self.standardize is not None:
            self.standardize.fit(torch.as_tensor(self.datasets[0].features).to(self.standardize.mean))

    def _features(self, encoder: torch.nn.Module, dataset: StudyDataset, path: Path | None) -> torch.Tensor:
        if path is not None and path.is_file():
            return torch.from_numpy(np.load(path))
        features = self._compute(encoder, dataset)
        if path is not None:
            with writing(path) as part, part.open("wb") as file:
                np.save(file, features.numpy())
        return features

    @torch.no_grad()
    def _compute(self, encoder: torch.nn.Module, dataset: StudyDataset) -> torch.Tensor:
        """`[n, dim]`; NaN rows for images that cannot be read."""
        device = next(encoder.parameters()).device
        images = StudyDataset(dataset.data, self.transform, unreadable="report")
        loader = DataLoader(_Images(images), batch_size=self.batch_size, num_workers=self.num_workers, collate_fn=_keep)
        encoder.eval()
        rows: list[tuple[torch.Tensor | None, str]] = []
        for batch in tqdm(loader, desc="features", unit="batch", mininterval=2, disable=idist.get_rank() != 0):
            readable = [image for image, error in batch if not error]
            found: Iterator[torch.Tensor] = iter(())
            if readable:
                stacked = torch.stack(readable).to(device).contiguous(memory_format=torch.channels_last)
                found = iter(self.inferer(stacked, encoder.pooled).float().cpu())
            rows += [(None if error else next(found), error) for _, error in batch]
        dim = next((row.numel() for row, _ in rows if row is not None), 0)
        broken = [(index, error) for index, (_, error) in enumerate(rows) if error]
        if len(broken) == len(rows) or (broken and dataset.unreadable == "raise"):
            raise CxrError(f"Row {broken[0][0]} of the data list cannot be read: {broken[0][1]}")
        for index, error in broken:
            logger.warning("Row %d is unreadable and left out: %s", index, error)
        return torch.stack([torch.full((dim,), float("nan")) if row is None else row for row, _ in rows])

    def _key(self, weights: str, dataset: StudyDataset) -> str:
        digest = hashlib.blake2b(weights.encode(), digest_size=16)
        digest.update(repr(sorted(self.identity.items())).encode())
        stamps: dict[str, str] = {}
        for item in dataset.data:
            file = str(item["image"]).split("::", maxsplit=1)[0]
            if file not in stamps:
                stat = Path(file).stat() if Path(file).is_file() else None
                stamps[file] = f"{stat.st_size} {stat.st_mtime_ns}" if stat else ""
            digest.update(f"{item['image']} {stamps[file]}\n".encode())
        return digest.hexdigest()


class _Images(torch.utils.data.Dataset):
    """Image and error of each item, and nothing that would not stack."""

    def __init__(self, dataset: StudyDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, str]:
        item = self.dataset[index]
        return item["image"], item["error"]


def _keep(batch: list[Any]) -> list[Any]:
    return batch


def _digest_weights(module: torch.nn.Module) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _use(dataset: StudyDataset, features: torch.Tensor, path: Path | None) -> None:
    """Hands the features over; in training a readable item takes the place, label and all, of an unreadable one.

    Raises:
        CxrError: a row has no features, and nothing may take its place: a training that passed over an unreadable image
            may have left them in the file, or the encoder gives NaN.
    """
    broken = features.isnan().any(dim=1)
    readable, missing = (torch.nonzero(rows).flatten() for rows in (~broken, broken))
    if len(missing) and (not len(readable) or dataset.unreadable == "raise"):
        raise CxrError(
            f"{len(missing)} of {len(features)} images have no features, for example row {int(missing[0])} of the data "
            f"list: the image cannot be read, or the encoder's output is NaN{_stored_in(path)}."
        )
    if len(missing):
        generator = torch.Generator().manual_seed(dataset.seed)
        data, features = list(dataset.data), features.clone()
        for index in missing.tolist():
            other = int(readable[torch.randint(len(readable), (1,), generator=generator)])
            data[index], features[index] = data[other], features[other]
        dataset.data = data
    dataset.features = features


def _stored_in(path: Path | None) -> str:
    return "" if path is None else f". If that is mended, delete {path}"
