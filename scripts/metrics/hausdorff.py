"""95 % Hausdorff distance between two masks, in the unit of the pixel spacing."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

Mask = NDArray[np.bool_]
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def hausdorff95(prediction: ArrayLike, truth: ArrayLike, spacing: Sequence[float] = (1.0, 1.0)) -> float:
    """The larger of the two 95th percentiles of the distances from one mask's edge to the other's nearest edge pixel.

    As MONAI's `compute_hausdorff_distance(percentile=95)` defines it; milliseconds for a 1024 px pair with clean edges.

    Args:
        prediction, truth: `[H, W]`, true where not 0.
        spacing: height and width of a pixel.

    Returns:
        NaN when either mask is empty: there is no distance to nothing.
    """
    first, second = (_edge(np.asarray(mask) != 0) for mask in (prediction, truth))
    if not first.any() or not second.any():
        return float("nan")
    ways = _distances(first, second, spacing), _distances(second, first, spacing)
    return max(float(np.percentile(found, 95)) for found in ways)


def _distances(edge: Mask, other: Mask, spacing: Sequence[float]) -> NDArray[np.float64]:
    """Distance of each pixel of one edge to the nearest of the other."""
    points = [np.argwhere(mask) for mask in (edge, other)]
    # A tree's cost grows with the points, which a clean edge has few of and an untrained network's speckle very many.
    if sum(map(len, points)) > edge.size / 30:
        return np.asarray(distance_transform_edt(~other, sampling=spacing))[edge]
    here, nearest = (place * np.asarray(spacing, dtype=np.float64) for place in points)
    return np.asarray(cKDTree(nearest).query(here)[0])


def _edge(mask: Mask) -> Mask:
    """`[H, W]` pixels of the mask with one of four neighbours outside it, or outside the image."""
    values = mask.view(np.uint8)
    return values != cv2.erode(values, CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
