"""A frozen encoder looks at each image once: its features are kept, and a probe costs seconds."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
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

from ..data.sampling import StudyDataset
from ..encoders.feature_scale import Standardize
from ..errors import CxrError
from ..precision import Precision, autocast_enabled
from .feature_files import (
    FeatureFiles,
    Storage,
    StoredFeatures,
    encoder_key,
    image_ids,
    preprocessing_key,
)
from .state import unwrap
from .stop import stop_asked, stop_before_training

logger = logging.getLogger(__name__)
NO_FEATURES = "unreadable, or the encoder's output is not a finite number in the stored precision"


class CacheFeatures:
    """Handler that gives the data sets the features of a frozen encoder in place of their images.

    The features are those of the images as they are, without augmentation. On disk they are known by the encoder's
    weights, what the preprocessing makes of a test picture, the precision, the images (name, size and time of their
    files) and `identity`; another run with the same ones reads them, and one that was killed goes on where it was. They
    stay on disk, mapped into memory. Several ranks share the work.

    Args:
        network: has an `encoder` (`scripts.encoders.FeatureEncoder` or `PooledEncoder`), whose `frozen_features` are
            kept.
        datasets: get `features`.
        transform: the preprocessing without augmentation.
        enabled: usually the switch `frozen`.
        folder: of the files; None keeps them in memory alone.
        identity: what else the features depend on (an encoder's options that leave its weights unchanged).
        inferer: how the encoder is run.
        batch_size, num_workers: of the one pass over the images.
        standardize: fitted to the features of the first data set (the training images'); None = left as it is.
        storage: precision of the kept numbers; `float16` halves the disk that a transformer's tokens take.
        part_mib: size of a part, which is what a kill costs.
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
        storage: Storage = "float32",
        part_mib: float = 256,
    ) -> None:
        self.network, self.datasets, self.transform = network, datasets, transform
        self.enabled = enabled
        self.folder = None if folder is None else Path(folder)
        self.identity = dict(identity or {})
        self.inferer = inferer or SimpleInferer()
        self.batch_size, self.num_workers = batch_size, num_workers
        self.standardize = standardize
        self.storage = storage
        self.part_mib = part_mib

    def attach(self, engine: Engine) -> None:
        """Registers on a trainer or an evaluator; list it after what loads weights."""
        if self.enabled:
            engine.add_event_handler(Events.STARTED, self.fill)

    def fill(self, engine: Engine) -> None:
        """Computes or reads the features of each data set."""
        encoder: Any = unwrap(self.network).get_submodule("encoder")
        precision: Precision = getattr(self.inferer, "precision", "float32")
        depends_on = self.identity | {
            "preprocessing": preprocessing_key(self.transform),
            "half": autocast_enabled(precision, next(encoder.parameters()).device),
        }
        files = FeatureFiles(self.folder, encoder_key(encoder.frozen_part(), depends_on), self.storage)
        if stop_before_training(engine):  # while the reports were read
            return
        for dataset in self.datasets:
            features = self._features(encoder, dataset, files, engine)
            if stop_before_training(engine):
                return
            _use(dataset, features)
        if self.standardize is not None:
            self.standardize.fit(dataset_features(self.datasets[0]).to(self.standardize.mean))

    def _features(
        self, encoder: Any, dataset: StudyDataset, files: FeatureFiles, engine: Engine | None = None
    ) -> StoredFeatures:
        """Features of the data set's images, without those that cannot be read, or for which no time is left."""
        ids = image_ids(dataset.data)
        shared = self.folder is not None
        rank, ranks = (idist.get_rank(), idist.get_world_size()) if shared else (0, 1)
        with files.lock() if rank == 0 else nullcontext():
            idist.barrier()  # rank 0 has the lock: what is there now is there for every rank
            missing = files.find(ids).missing
            idist.barrier()
            for part, features in self._compute(encoder, dataset, missing[rank::ranks], engine):
                files.add([ids[index] for index in part], features)
            idist.barrier()
        return files.find(ids)

    def _compute(
        self, encoder: Any, dataset: StudyDataset, indices: Sequence[int], engine: Engine | None
    ) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Parts of the features of those images that can be read: their indices, and `[m, …]`; up to the batch in which
        the run is told to stop, by a signal or by hand.
        """
        kept: list[int] = []
        rows: list[NDArray[np.float32]] = []
        by_hand: KeyboardInterrupt | None = None
        try:
            for readable, found in self._batches(encoder, dataset, indices):
                kept += readable
                rows.append(found)
                if stop_asked(engine):
                    break
                if sum(row.nbytes for row in rows) >= self.part_mib * 2**20:
                    yield kept, np.concatenate(rows)
                    kept, rows = [], []
        except KeyboardInterrupt as error:
            by_hand = error
        if rows:
            yield kept[: sum(map(len, rows))], np.concatenate(rows)
        if by_hand is not None:
            raise by_hand

    @torch.no_grad()
    def _batches(
        self, encoder: Any, dataset: StudyDataset, indices: Sequence[int]
    ) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Indices and features of the readable images, batch by batch.

        Raises:
            CxrError: one cannot be read, and the data set must not lose any.
        """
        if not indices:
            return
        device = next(encoder.parameters()).device
        images = StudyDataset([dataset.data[index] for index in indices], self.transform, unreadable="report")
        loader = DataLoader(_Images(images), batch_size=self.batch_size, num_workers=self.num_workers, collate_fn=_keep)
        encoder.eval()
        left = iter(indices)
        for batch in tqdm(loader, desc="features", unit="batch", mininterval=2, disable=idist.get_rank() != 0):
            readable = []
            for (image, error), index in zip(batch, left):
                if error and dataset.unreadable == "raise":
                    raise CxrError(f"Row {dataset.row(index)} cannot be read: {error}")
                if error:
                    dataset.left_out[index] = error
                    logger.warning("Row %d is unreadable and left out: %s", dataset.row(index), error)
                else:
                    readable.append((index, image))
            if readable:
                stacked = torch.stack([image for _, image in readable]).to(device)
                found = self.inferer(stacked.contiguous(memory_format=torch.channels_last), encoder.frozen_features)
                yield [index for index, _ in readable], found.float().cpu().numpy()


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


def dataset_features(dataset: StudyDataset) -> torch.Tensor:
    """All features that a data set was given, `[n, …]`."""
    if dataset.features is None:
        raise CxrError("This data set was given no features.")
    return torch.stack([dataset.features[index] for index in range(len(dataset))])


def _use(dataset: StudyDataset, features: StoredFeatures) -> None:
    """Hands the features over; in training a readable item takes the place, label and all, of an unreadable one, which
    a validation leaves out.

    Raises:
        CxrError: a row has no features, and nothing may take its place.
    """
    missing = features.missing
    readable = sorted(set(range(len(features))) - set(missing))
    if missing and (not readable or dataset.unreadable == "raise"):
        raise CxrError(
            f"{len(missing)} of {len(features)} images have no features, for example row {dataset.row(missing[0])}: "
            "the image cannot be read, or the encoder's output is not a finite number."
        )
    if missing and dataset.unreadable == "leave_out":
        for index in missing:
            dataset.left_out.setdefault(index, NO_FEATURES)
    elif missing:
        if idist.get_rank() == 0:
            logger.warning(
                "%d of %d images have no features (%s); others take their places.",
                len(missing),
                len(features),
                NO_FEATURES,
            )
        generator = torch.Generator().manual_seed(dataset.seed)
        order = list(range(len(features)))
        for index in missing:
            order[index] = readable[int(torch.randint(len(readable), (1,), generator=generator))]
        data = dataset.data
        dataset.data = [data[index] for index in order]
        features = features.take(order)
    dataset.features = features
