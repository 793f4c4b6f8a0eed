"""A frozen encoder looks at each image once: its features are kept, and a probe costs seconds."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.data import DataLoader
from monai.inferers import Inferer, SimpleInferer
from numpy.typing import NDArray
from tqdm import tqdm

from scripts.data import StudyDataset
from scripts.engine.feature_files import FeatureFiles, encoder_key, image_ids, preprocessing_key
from scripts.engine.state import unwrap
from scripts.errors import CxrError
from scripts.precision import Precision, autocast_enabled
from scripts.tasks.classification import Standardize

logger = logging.getLogger(__name__)


class CacheFeatures:
    """Handler that gives the data sets the pooled features of a frozen encoder in place of their images.

    The features are those of the images as they are, without augmentation. On disk they are known by the encoder's
    weights, what the preprocessing makes of a test picture, the precision, the images (name, size and time of their
    files) and `identity`; another run with the same ones reads them.

    Args:
        network: has an `encoder` (`scripts.image.FeatureEncoder`).
        datasets: get `features`.
        transform: the preprocessing without augmentation.
        enabled: usually the switch `frozen`.
        folder: of the files; None keeps them in memory alone.
        identity: what else the features depend on (an encoder's options that leave its weights unchanged).
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
        precision: Precision = getattr(self.inferer, "precision", "float32")
        depends_on = self.identity | {
            "preprocessing": preprocessing_key(self.transform),
            "half": autocast_enabled(precision, next(encoder.parameters()).device),
        }
        files = FeatureFiles(self.folder, encoder_key(encoder, depends_on))
        for dataset in self.datasets:
            if idist.get_rank() == 0 or self.folder is None:
                features = self._features(encoder, dataset, files)
            idist.barrier()
            if idist.get_rank() != 0 and self.folder is not None:
                features = self._features(encoder, dataset, files)
            _use(dataset, features)
        if self.standardize is not None:
            self.standardize.fit(torch.as_tensor(self.datasets[0].features).to(self.standardize.mean))

    def _features(self, encoder: torch.nn.Module, dataset: StudyDataset, files: FeatureFiles) -> torch.Tensor:
        """`[n, dim]`; NaN rows for images that cannot be read."""
        ids = image_ids(dataset.data)
        known = files.read(ids)
        missing = [index for index, image_id in enumerate(ids) if image_id not in known]
        if missing:
            new = {ids[index]: row for index, row in self._compute(encoder, dataset, missing).items()}
            files.add(new)
            known |= new
        dim = next((len(known[image_id]) for image_id in ids if image_id in known), 1)
        unknown = np.full(dim, np.nan, np.float32)
        return torch.from_numpy(np.stack([known.get(image_id, unknown) for image_id in ids]))

    @torch.no_grad()
    def _compute(self, encoder: torch.nn.Module, dataset: StudyDataset, indices: Sequence[int]) -> dict[int, NDArray]:
        """Features `[dim]` of those images that can be read, by index.

        Raises:
            CxrError: one cannot, and the data set must not lose any.
        """
        device = next(encoder.parameters()).device
        images = StudyDataset([dataset.data[index] for index in indices], self.transform, unreadable="report")
        loader = DataLoader(_Images(images), batch_size=self.batch_size, num_workers=self.num_workers, collate_fn=_keep)
        encoder.eval()
        rows: dict[int, NDArray] = {}
        left = iter(indices)
        for batch in tqdm(loader, desc="features", unit="batch", mininterval=2, disable=idist.get_rank() != 0):
            readable = []
            for (image, error), index in zip(batch, left):
                if error and dataset.unreadable == "raise":
                    raise CxrError(f"Row {index} of the data list cannot be read: {error}")
                if error:
                    logger.warning("Row %d is unreadable and left out: %s", index, error)
                else:
                    readable.append((index, image))
            if readable:
                stacked = torch.stack([image for _, image in readable]).to(device)
                found = self.inferer(stacked.contiguous(memory_format=torch.channels_last), encoder.pooled)
                rows |= dict(zip([index for index, _ in readable], found.float().cpu().numpy(), strict=True))
        return rows


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


def _use(dataset: StudyDataset, features: torch.Tensor) -> None:
    """Hands the features over; in training a readable item takes the place, label and all, of an unreadable one.

    Raises:
        CxrError: a row has no features, and nothing may take its place.
    """
    broken = features.isnan().any(dim=1)
    readable, missing = (torch.nonzero(rows).flatten() for rows in (~broken, broken))
    if len(missing) and (not len(readable) or dataset.unreadable == "raise"):
        raise CxrError(
            f"{len(missing)} of {len(features)} images have no features, for example row {int(missing[0])} of the data "
            "list: the image cannot be read, or the encoder's output is NaN."
        )
    if len(missing):
        generator = torch.Generator().manual_seed(dataset.seed)
        data, features = list(dataset.data), features.clone()
        for index in missing.tolist():
            other = int(readable[torch.randint(len(readable), (1,), generator=generator)])
            data[index], features[index] = data[other], features[other]
        dataset.data = data
    dataset.features = features
