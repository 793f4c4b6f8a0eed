"""From a planned study to a radiograph with its masks and boxes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .anatomy import SIDES, Anatomy
from .detector import collimate, expose
from .devices import device_shadow, marker
from .findings import Chest, box
from .frame import Frame, Mask, Plane, blur, clouds, pillow
from .plan import BOXED, FINDINGS, Study
from .tissue import bones, soft_tissue, trunk, vessel_tree


@dataclass(frozen=True)
class Phantom:
    """A finished exposure.

    Attributes:
        image: `[h, w]` float32 in 0..1, bright = dense; outside the collimator 0.
        exposed: `[h, w]` bool, False where the collimator shut the beam out.
        masks: 0/255 masks of `lungs`, `heart` and every finding (all zero where it is absent).
        boxes: `[x0, y0, x1, y1]` in pixels, far sides exclusive, with `box_labels` beside them.
    """

    image: Plane
    exposed: NDArray[np.bool_]
    masks: dict[str, Mask]
    boxes: list[list[int]]
    box_labels: list[str]


def render(study: Study, shape: tuple[int, int], rng: np.random.Generator) -> Phantom:
    """Expose one study on a detector of `shape` (rows, columns)."""
    portable = study.view == "AP"
    frame = _position(shape, portable, rng)
    inspiration = float(np.clip(rng.normal(0.92 if portable else 1.0, 0.05), 0.8, 1.08))
    ratio = study.heart_ratio * (1.06 if portable else 1.0)  # the heart lies farther from the detector
    chest, heart = _chest(frame, study.anatomy, inspiration, ratio)
    for finding in study.findings:
        chest.paint(finding)

    mu = _attenuation(chest, heart, portable, rng)
    mu += device_shadow(frame, study.anatomy, study.devices, rng)
    both = np.maximum(chest.cavity["right"], chest.cavity["left"])
    image, exposed = expose(mu, frame, both, portable, rng), collimate(frame, rng)
    lead = marker(frame, study.view, rng)
    image = np.where(exposed, np.maximum(image, lead.astype(np.float32) / 255), 0).astype(np.float32)

    empty = np.zeros(shape, np.uint8)
    outlines = {"lungs": np.maximum(chest.lungs["right"], chest.lungs["left"]), "heart": heart}
    masks: dict[str, Mask] = {name: np.where(mask > 127, 255, 0).astype(np.uint8) for name, mask in outlines.items()}
    for kind in FINDINGS:
        masks[kind] = np.max(chest.masks.get(kind, [empty]), axis=0)
    if study.of("cardiomegaly"):
        masks["cardiomegaly"] = masks["heart"]
    found = [(kind, mask) for kind in BOXED for mask in chest.masks.get(kind, [])]
    return Phantom(image, exposed, masks, [box(mask) for _, mask in found], [kind for kind, _ in found])


def _position(shape: tuple[int, int], portable: bool, rng: np.random.Generator) -> Frame:
    height, width = shape
    sloppy = 1.6 if portable else 1.0
    return Frame(
        height,
        width,
        unit=min(width / 2.55, height / 2.55) * float(rng.uniform(0.93, 1.09)),
        centre=(float(rng.normal(0, 0.03 * sloppy)), float(rng.normal(0.93, 0.04 * sloppy))),
        angle=float(rng.normal(0, 0.025 * sloppy)),
        bend=(float(rng.normal(0, 0.02)), float(rng.normal(0, 0.02))),
        turn=float(rng.normal(0, 0.04 * sloppy)),
    )


def _chest(frame: Frame, anatomy: Anatomy, inspiration: float, ratio: float) -> tuple[Chest, Mask]:
    heart = frame.fill(anatomy.heart(ratio, inspiration))
    cavity: dict[str, Mask] = {}
    lungs: dict[str, Mask] = {}
    for side in SIDES:
        space = frame.fill(anatomy.cavity(side, inspiration))
        below = frame.fill(anatomy.diaphragm(side, inspiration))
        cavity[side] = np.asarray(cv2.subtract(space, below), np.uint8)
        lungs[side] = np.asarray(cv2.subtract(cavity[side], heart), np.uint8)
    zero = np.zeros(frame.shape, np.float32)
    return Chest(frame, anatomy, inspiration, lungs, cavity, zero, np.ones(frame.shape, np.float32)), heart


def _attenuation(chest: Chest, heart: Mask, portable: bool, rng: np.random.Generator) -> Plane:
    """Line integral of attenuation, in nats."""
    frame, anatomy = chest.frame, chest.anatomy
    unit = frame.unit
    heavy = np.float32(0.8 + 0.5 * anatomy.habitus)
    body = trunk(frame, anatomy, portable)
    mu = 2.9 * heavy * body
    mu += soft_tissue(frame, anatomy, rng) * heavy * np.minimum(2 * body, 1)

    space = cv2.max(chest.cavity["right"], chest.cavity["left"])
    air = pillow(space, 0.24 * unit)
    y = frame.grid[1]
    breath = np.float32(rng.uniform(1.65, 2.1)) * (0.85 if portable else 1.0)
    mass = blur(pillow(heart, 0.34 * unit), 0.012 * unit)
    gain = breath * air * (1 - np.float32(0.45) * mass) * (1 + 0.06 * np.clip(y - 0.8, -1, 1))
    mu -= gain - np.minimum(chest.added, 0.92 * gain)  # what fills the lung replaces its air, no more
    mu += np.float32(0.12) * clouds(rng, frame.shape, 0.5 * unit, 2) * air
    hidden = cv2.max(
        frame.fill(anatomy.diaphragm("right", chest.inspiration)),
        frame.fill(anatomy.diaphragm("left", chest.inspiration)),
    )
    mu += np.float32(rng.uniform(0.95, 1.2)) * mass * (1 - blur(hidden.astype(np.float32) / 300, 0.03 * unit))

    texture = np.float32(0.035 * anatomy.marking) * clouds(rng, frame.shape, 0.06 * unit + 1, 3)
    vessels = vessel_tree(frame, anatomy, chest.inspiration)
    mu += chest.vessels * (air * (0.34 * np.float32(anatomy.marking) * vessels + texture))
    mu += bones(frame, anatomy, chest.inspiration, rng)
    return np.maximum(mu, 0) * (body > 0)
