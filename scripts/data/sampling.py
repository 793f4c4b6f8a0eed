"""Order and randomness of training as pure functions of (seed, epoch, index), so that a resumed run is the same run."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol

import ignite.distributed as idist
import numpy as np
import torch
from monai.data import Dataset
from monai.transforms import Compose, Randomizable
from torch.utils.data import Sampler

from ..errors import CxrError, SettingError, first_line, innermost

logger = logging.getLogger(__name__)

# So many images in a row are not all broken by chance: then their folder is missing, or their format unknown.
TRIES = 32


class Features(Protocol):
    """Rows by index: a tensor `[n, …]`, or files mapped into memory."""

    def __getitem__(self, index: int, /) -> torch.Tensor: ...


class StudyDataset(Dataset):
    """MONAI Dataset whose random transforms are seeded by (seed, epoch, index), and that outlives an unreadable file.

    A sample then depends neither on the number of workers or ranks nor on what was drawn before it. The index may carry
    the epoch: `EpochSampler` gives `epoch * len(dataset) + index`, and a plain index means epoch 0.

    Args:
        data: MONAI items; see `scripts.data.study_items`.
        transform: the preprocessing, usually a Compose.
        seed: of the random transforms.
        unreadable: what becomes of an item that cannot be read. `raise` is an error; `replace` takes a random readable
            item and reports the other once (training); `leave_out` gives another item in its place with the reason
            under `error`, for `scripts.engine.LeaveOut` to take out of the batch and count (validation, evaluation);
            `report` gives a black image of `shape` and the reason under `error` (inference); the size and spacing of
            the original, which loading adds to a raw item, are then 0 and NaN. `error` is empty for a readable item.
        shape: of the black image, `(C, H, W)`.

    Attributes:
        features: what a frozen encoder made of each image, `(dim,)` or `(tokens, dim)`: when set, an item carries its
            row as `image`, and no pixel is read. `read` goes on reading pixels.
        left_out: with `leave_out`, index and reason of each item known to be unreadable; it is not tried again, so that
            every epoch has the same rows.
    """

    features: Features | None
    left_out: dict[int, str]

    def __init__(
        self,
        data: Sequence[dict[str, Any]],
        transform: Any = None,
        seed: int = 0,
        unreadable: Literal["raise", "replace", "leave_out", "report"] = "raise",
        shape: tuple[int, int, int] = (1, 1, 1),
    ) -> None:
        if len(data) == 0:
            raise CxrError(
                "The data list is empty: no image is left for this split. Look at audit.json, or choose another split."
            )
        super().__init__(data=data, transform=transform)
        self.seed = seed
        self.unreadable = unreadable
        self.shape = tuple(shape)
        self.features = None
        self.left_out = {}
        self._bad: dict[int, str] = {}

    def __getitem__(self, key: int) -> Any:  # type: ignore[override]
        epoch, index = divmod(int(key), len(self))
        if self.unreadable == "leave_out":
            return self._give_or_mark(index)
        if self.features is not None:
            return self._cached(index)
        if self.unreadable == "raise":
            return self._read_or_raise(epoch, index)
        return self._read_or_replace(epoch, index) if self.unreadable == "replace" else self._read_or_report(index)

    def __iter__(self) -> Iterator[Any]:
        """The items of epoch 0; indices alone have no end."""
        return (self[index] for index in range(len(self)))

    def read(self, index: int) -> Any:
        """Item `index` of epoch 0 with its pixels, whatever is cached; what cannot be read is a CxrError."""
        return self._read_or_raise(0, index)

    def row(self, index: int) -> int:
        """Row of item `index` in its table, as `scripts.data.make_items` tells it; else its place in the data."""
        return int(self.data[index].get("row", index))

    def _cached(self, index: int) -> Any:
        assert self.features is not None
        return {**self.data[index], "image": self.features[index]}

    def _read_or_raise(self, epoch: int, index: int) -> Any:
        try:
            return self._read(epoch, index)
        except SettingError:
            raise
        except Exception as error:
            raise CxrError(f"Row {self.row(index)} cannot be read: {self._reason(index, error)}") from error

    def _read_or_replace(self, epoch: int, index: int) -> Any:
        return self._first_readable(index, np.random.default_rng([self.seed, epoch, index]), epoch, self._bad)

    def _give_or_mark(self, index: int) -> Any:
        """Item `index`, or another one with its `error`; `place` is the index in both."""
        # Anything but the item itself: a batch can only be put together when its items are of one form.
        item = self._first_readable(index, np.random.default_rng([self.seed, index]), 0, self.left_out)
        return {**item, "error": self.left_out.get(index, ""), "place": index}

    def _first_readable(self, index: int, others: np.random.Generator, epoch: int, bad: dict[int, str]) -> Any:
        """Item `index`, else a random one; those that cannot be read are added to `bad`."""
        candidate = index
        for _ in range(TRIES):
            if candidate not in bad:
                try:
                    return self._read(epoch, candidate) if self.features is None else self._cached(candidate)
                except SettingError:
                    raise
                except Exception as error:
                    bad[candidate] = self._reason(candidate, error)
                    if self.unreadable == "replace":  # the others are told by who leaves them out
                        logger.warning(
                            "Row %d is unreadable and left out of training: %s", self.row(candidate), bad[candidate]
                        )
            # Not the next one: rows of one missing folder stand together, and one image would stand for them all.
            candidate = int(others.integers(len(self)))
        raise CxrError(
            f"{len(bad)} of the {len(self)} images of the data list were tried and none can be read; "
            f"the last: {bad[max(bad)]}"
        )

    def _read_or_report(self, index: int) -> Any:
        try:
            return {**_unknown_size(), **self._read(0, index), "error": ""}
        except SettingError:
            raise
        except Exception as error:
            blank = {"image": torch.zeros(self.shape), "error": self._reason(index, error)}
            return {**_unknown_size(), **self.data[index], **blank}

    def _reason(self, index: int, error: BaseException) -> str:
        """Why an item cannot be read, without the name of its file, which can be a patient's."""
        return first_line(innermost(error)).replace(str(self.data[index].get("image")), "the file")

    def _read(self, epoch: int, index: int) -> Any:
        self._seed_transforms(epoch, index)
        try:
            return self._transform(index)
        except Exception as error:
            cause = innermost(error)
            if isinstance(cause, SettingError):
                raise cause from None
            raise

    def _seed_transforms(self, epoch: int, index: int) -> None:
        if isinstance(self.transform, (Compose, Randomizable)):
            seed = np.random.SeedSequence([self.seed, epoch, index]).generate_state(1)[0]
            self.transform.set_random_state(seed=int(seed))


def _unknown_size() -> dict[str, Any]:
    # In every item, for a batch can only be put together when its items have the same keys.
    unknown = {"spacing": np.full(2, np.nan, np.float32), "itk_affine": np.full((4, 4), np.nan, np.float32)}
    return {"height": 0, "width": 0} | unknown


class EpochSampler(Sampler[int]):
    """Shuffled indices that carry the epoch, split over ranks, and that can start in the middle of an epoch.

    The trainer's `ResumeAndSave` handler sets `epoch` (counted from 0) and `start` before each epoch. All ranks get the
    same number of full batches; the rest of the shuffled order (less than one batch a rank) is left out of that epoch.

    Args:
        dataset: only its length is used.
        batch_size: of one rank.
        seed: of the shuffle.
        shuffle: False keeps the order.
        rank, world_size: None asks `ignite.distributed`.

    Raises:
        CxrError: on every rank, when one would get nothing.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        self.size = len(dataset)
        self.seed = seed
        self.shuffle = shuffle
        self.rank = idist.get_rank() if rank is None else rank
        self.world_size = idist.get_world_size() if world_size is None else world_size
        if self.size < self.world_size:
            raise CxrError(
                f"There are fewer training images ({self.size}) than ranks ({self.world_size}), and a rank without any "
                f"would leave the others waiting: use at most {self.size} ranks."
            )
        # A set smaller than one batch of all ranks is one smaller batch, not an empty epoch.
        self.batch_size = max(1, min(batch_size, self.size // self.world_size))
        self.epoch = 0
        self.start = 0

    @property
    def batches(self) -> int:
        """Batches of a full epoch on each rank."""
        return max(1, self.size // (self.batch_size * self.world_size))

    def __len__(self) -> int:
        return (self.batches - self.start) * self.batch_size

    def __iter__(self) -> Iterator[int]:
        order = torch.arange(self.size)
        if self.shuffle:
            # Not their sum: epoch 1 of seed 0 would be epoch 0 of seed 1.
            seed = np.random.SeedSequence([self.seed, self.epoch]).generate_state(1)[0]
            generator = torch.Generator().manual_seed(int(seed))
            order = torch.randperm(self.size, generator=generator)
        # A global batch is a run of the order, and each rank takes its slice of it: more ranks see the same global
        # batches.
        global_batch = self.batch_size * self.world_size
        for batch in range(self.start, self.batches):
            first = batch * global_batch + self.rank * self.batch_size
            for index in order[first : first + self.batch_size].tolist():
                yield self.epoch * self.size + index


def part_of_rank(dataset: Dataset) -> range:
    """Indices of this rank's part of an evaluation set, a loader's sampler: every item once, none to fill up a batch.

    Raises:
        CxrError: on every rank, when one would get nothing and leave the others waiting for its results.
    """
    count, rank, ranks = len(dataset), idist.get_rank(), idist.get_world_size()
    if count < ranks:
        raise CxrError(f"There are fewer validation images ({count}) than ranks ({ranks}): use at most {count} ranks.")
    return range(rank * count // ranks, (rank + 1) * count // ranks)
