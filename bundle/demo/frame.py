"""The drawing frame of one exposure: anatomical units to pixels, and the few shapes that a phantom is drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

Points = NDArray[np.float64]
Plane = NDArray[np.float32]
Mask = NDArray[np.uint8]

MM_PER_UNIT = 140.0
"""Size of the anatomical unit of `Frame`."""

_SHIFT = 4  # cv2 draws with 1/16 pixel precision


def curve(points: ArrayLike, closed: bool = False, samples: int = 96) -> Points:
    """Smooth curve through points.

    Args:
        points: `[n, 2]` control points (x, y).
        closed: join the last point to the first.
        samples: points returned.

    Returns:
        `[samples, 2]` points on a cubic spline.
    """
    knots = np.asarray(points, float)
    if closed:
        knots = np.vstack([knots, knots[:1]])
    chord = np.r_[0, np.cumsum(np.hypot(*np.diff(knots, axis=0).T))]
    spline = CubicSpline(chord, knots, bc_type="periodic" if closed else "natural")
    return np.asarray(spline(np.linspace(0, chord[-1], samples)))


def pillow(mask: NDArray[Any], radius: float) -> Plane:
    """Relative thickness 0..1 of a rounded body with this outline: a quarter circle of `radius` pixels at its edge."""
    depth = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 3)
    rest = 1 - np.minimum(depth / np.float32(max(radius, 1e-3)), 1)
    return np.asarray(np.sqrt(1 - rest * rest), np.float32)


def blur(plane: NDArray[Any], sigma: float) -> Plane:
    """Gaussian blur; a wide one is made at reduced size, which the eye cannot tell and the clock can."""
    plane = np.asarray(plane, np.float32)
    if sigma < 0.3:
        return plane
    step = int(sigma // 4)
    if step < 2:
        return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32)
    height, width = plane.shape
    small = cv2.resize(plane, (max(width // step, 2), max(height // step, 2)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / step)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def clouds(rng: np.random.Generator, shape: tuple[int, int], cell: float, octaves: int = 3) -> Plane:
    """Smooth noise of zero mean and about unit deviation whose coarsest grain is `cell` pixels."""
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        grain = max(cell / 2**octave, 1.0)
        grid = rng.standard_normal((int(height / grain) + 3, int(width / grain) + 3), dtype=np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * np.float32(0.6**octave)
    return total / np.float32(total.std() + 1e-6)


@dataclass(frozen=True)
class Frame:
    """Where the patient lies in the picture.

    One anatomical unit is half the inner width of the chest (about 140 mm). The origin is the midline at the height of
    the lung apices; x grows to the right of the picture (the patient's left), y downwards.

    Args:
        height: rows of the picture.
        width: columns of the picture.
        unit: pixels in one anatomical unit.
        centre: anatomical point in the middle of the picture.
        angle: tilt of the patient in radians.
        bend: two small amplitudes of a smooth deformation that makes no two chests alike.
        turn: rotation of the patient about the long axis; moves the midline against the chest wall.
    """

    height: int
    width: int
    unit: float
    centre: tuple[float, float] = (0.0, 0.95)
    angle: float = 0.0
    bend: tuple[float, float] = (0.0, 0.0)
    turn: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    def px(self, points: ArrayLike) -> Points:
        """Pixel positions `[n, 2]` (x, y) of anatomical points `[n, 2]`."""
        x, y = np.atleast_2d(np.asarray(points, float)).T
        bent_x = x + self.bend[0] * np.sin(2.1 * y + 0.4) + self.turn * np.exp(-((x / 0.6) ** 2))
        bent_y = y + self.bend[1] * np.sin(1.7 * x)
        dx, dy = bent_x - self.centre[0], bent_y - self.centre[1]
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        column = (cos * dx - sin * dy) * self.unit + self.width / 2
        row = (sin * dx + cos * dy) * self.unit + self.height / 2
        return np.stack([column, row], 1)

    def fill(self, points: ArrayLike, canvas: Mask | None = None, value: int = 255) -> Mask:
        """Filled polygon of anatomical points, on a new or a given `[h, w]` uint8 canvas."""
        canvas = np.zeros(self.shape, np.uint8) if canvas is None else canvas
        fixed = np.round(self.px(points) * 2**_SHIFT).astype(np.int32)
        return np.asarray(cv2.fillPoly(canvas, [fixed], value, cv2.LINE_AA, _SHIFT), np.uint8)

    def stroke(self, points: ArrayLike, width: float, canvas: Mask, value: float = 255) -> Mask:
        """Line of `width` anatomical units; one thinner than a pixel is drawn fainter instead."""
        pixels = width * self.unit
        fixed = np.round(self.px(points) * 2**_SHIFT).astype(np.int32)
        tone = int(np.clip(value * min(pixels, 1.0), 0, 255))
        line = max(round(pixels), 1)
        return np.asarray(cv2.polylines(canvas, [fixed], False, tone, line, cv2.LINE_AA, _SHIFT), np.uint8)

    @cached_property
    def grid(self) -> tuple[Plane, Plane]:
        """Anatomical x and y of every pixel (tilt and centre undone, the small deformations left in)."""
        row, column = np.mgrid[0 : self.height, 0 : self.width].astype(np.float32)
        dx, dy = (column - self.width / 2) / self.unit, (row - self.height / 2) / self.unit
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        return cos * dx + sin * dy + np.float32(self.centre[0]), cos * dy - sin * dx + np.float32(self.centre[1])
