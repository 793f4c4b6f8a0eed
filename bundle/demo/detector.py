"""The detector: beam, scatter, noise, logarithm, and each maker's idea of a good picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .frame import Frame, Mask, Plane, blur


def expose(mu: Plane, frame: Frame, lungs: Mask, portable: bool, rng: np.random.Generator) -> Plane:
    """Picture `[h, w]` in 0..1, bright = dense, of an attenuation `mu` in nats.

    Args:
        mu: line integral of attenuation.
        frame: the drawing frame.
        lungs: 0..255 mask that the exposure is set by.
        portable: more scatter.
        rng: exposure, processing and noise.
    """
    unit = frame.unit
    beam = np.exp(-mu)
    scatter = np.float32(rng.uniform(0.1, 0.22) if portable else rng.uniform(0.04, 0.12))
    beam = (beam + scatter * blur(beam, 0.5 * unit)) / (1 + scatter)
    dose = np.float32(10 ** rng.uniform(3.6, 4.7))
    beam += np.sqrt(beam / dose) * rng.standard_normal(frame.shape, dtype=np.float32)
    signal = -np.log(np.maximum(blur(beam, 0.45), 1e-4))
    signal -= np.float32(rng.uniform(0.05, 0.3)) * (blur(signal, 0.35 * unit) - signal.mean())
    x, y = frame.grid
    signal += np.float32(rng.normal(0, 0.12)) * x + np.float32(rng.normal(0, 0.08)) * y

    lung = lungs[::4, ::4] > 127
    dark = float(np.percentile(signal[::4, ::4][lung], 8)) - rng.uniform(0.1, 0.6)
    light = float(np.percentile(signal[::4, ::4], 93)) + rng.uniform(-0.15, 0.5)
    tone = (signal - np.float32(dark)) / np.float32(max(light - dark, 0.5))
    steep, middle = rng.uniform(3.0, 5.0), rng.uniform(0.4, 0.6)
    image = 1 / (1 + np.exp(-np.float32(steep) * (tone - np.float32(middle))))
    low, high = 1 / (1 + np.exp(steep * (middle + 0.25))), 1 / (1 + np.exp(-steep * (1.15 - middle)))
    image = np.clip((image - np.float32(low)) / np.float32(high - low), 0, 1)
    return image.astype(np.float32)


def collimate(frame: Frame, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Where the beam fell: everywhere, or inside a slightly tilted rectangle."""
    height, width = frame.shape
    if rng.random() < 0.65:
        return np.ones(frame.shape, bool)
    left, top, right, bottom = rng.uniform(0, 0.07, 4) * (rng.random(4) < 0.6)
    size = (width * (1 - left - right), height * (1 - top - bottom))
    centre = (width * (1 + left - right) / 2, height * (1 + top - bottom) / 2)
    corners = cv2.boxPoints((centre, size, float(rng.normal(0, 0.8))))
    inside = cv2.fillConvexPoly(np.zeros(frame.shape, np.uint8), np.round(corners).astype(np.int32), 1)
    return inside.astype(bool)
