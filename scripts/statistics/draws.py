"""The draws of a bootstrap over patients, kept small: how often each patient is drawn, and whose each image is.

Images of one patient are not independent, so a draw takes *patients* with replacement. That is one small whole number a
patient and draw; weights of images are made from it some draws at a time, and sums over images need none at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

CHUNK = 2_000_000  # numbers of one temporary array
Floats = NDArray[np.float64]
Groups = Sequence[Any] | NDArray[Any]


class Draws:
    """`1 + B` draws of n images; the first is the images as they are, so that a score and its interval are of one pass.

    Args:
        counts: `[1 + B, p]` how often each patient is in each draw, whole numbers.
        member: `[n]` the patient of each image, in `range(p)`.
    """

    def __init__(self, counts: ArrayLike, member: ArrayLike) -> None:
        self.counts: NDArray[Any] = np.asarray(counts)
        self.member: NDArray[np.intp] = np.asarray(member, dtype=np.intp)

    @classmethod
    def of(cls, patients: Groups, resamples: int = 1000, seed: int = 0) -> Draws:
        """Draw patients with replacement; with a single patient there is nothing to draw, and the first draw alone.

        Args:
            patients: `[n]` patient of each image.
            resamples: number of draws B.
            seed: the same seed and patients give the same draws, so two score sets can be compared draw by draw.
        """
        names, member = np.unique(np.asarray(patients).astype(str), return_inverse=True)
        number = len(names)
        if number < 2:
            return cls(np.ones((1, number), dtype=np.uint8), member)
        # A byte holds them: of p patients in p trials, one comes up 256 times with a chance below 1 / 256!.
        counts = np.ones((1 + resamples, number), dtype=np.uint8)
        generator, share = np.random.default_rng(seed), np.full(number, 1 / number)
        rows = max(1, CHUNK // number)
        for start in range(1, len(counts), rows):
            part = counts[start : start + rows]
            part[:] = generator.multinomial(number, share, len(part))
        return cls(counts, member)

    @classmethod
    def once(cls, images: int) -> Draws:
        """The images as they are, alone: for a score without an interval."""
        return cls(np.ones((1, 1), dtype=np.uint8), np.zeros(images, dtype=np.intp))

    @classmethod
    def of_weights(cls, weights: ArrayLike) -> Draws:
        """Draws that are given: `[1 + B, n]` how often each image is in each."""
        table = np.asarray(weights)
        return cls(table, np.arange(table.shape[1]))

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def images(self) -> int:
        """n."""
        return len(self.member)

    def __getitem__(self, images: Any) -> Draws:
        """The same draws of some of the images, by mask or by place."""
        return Draws(self.counts, self.member[images])

    def as_they_are(self) -> Draws:
        """The first draw alone."""
        return Draws(self.counts[:1], self.member)

    def total(self, values: ArrayLike) -> Floats:
        """Sum over the images in each draw: `[1 + B]` of values `[n]`, `[1 + B, k]` of `[n, k]`."""
        table = np.asarray(values, dtype=np.float64)
        columns = table.reshape(len(table), -1)
        patients = self.counts.shape[1]
        # By patient first: their images are always drawn together.
        sums = np.stack([np.bincount(self.member, one, patients) for one in columns.T], axis=1)
        found = np.concatenate([part.astype(np.float64) @ sums for part in self._parts(patients)])
        return found.reshape(len(self), *table.shape[1:])

    def size(self) -> Floats:
        """`[1 + B]` images in each draw."""
        return self.total(np.ones(self.images))

    def mean(self, values: ArrayLike) -> Floats:
        """`[1 + B]` mean of `values` `[n]` in each draw, NaN where a draw has none of these images."""
        return ratio(self.total(values), self.size())

    def map(self, statistic: Callable[[Floats], Floats], width: int = 0) -> Floats:
        """`[1 + B, …]` of what is no sum over images.

        Args:
            statistic: gives `[b, …]` for weights `[b, n]`, how often each image is in each of b draws.
            width: columns of its temporary arrays, where these are more than n.
        """
        parts = self._parts(max(self.images, width))
        return np.concatenate([statistic(part[:, self.member].astype(np.float64)) for part in parts])

    def _parts(self, width: int) -> Iterator[NDArray[Any]]:
        """Some draws at a time: all of a large test set would fill the memory."""
        rows = max(1, CHUNK // max(1, width))
        return (self.counts[start : start + rows] for start in range(0, len(self), rows))


def ratio(part: ArrayLike, whole: ArrayLike) -> Floats:
    """`part / whole`, NaN where the whole is 0."""
    numerator = np.asarray(part, dtype=np.float64)
    return np.divide(numerator, whole, out=np.full(numerator.shape, np.nan), where=np.asarray(whole) > 0)
