"""Paint abnormalities into a chest, and keep what was painted as a mask."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from .anatomy import Anatomy, sign
from .frame import Frame, Mask, Plane, blur, clouds
from .plan import Finding


@dataclass
class Chest:
    """A chest while it is being painted; all planes have the frame's shape.

    Attributes:
        lungs: visible lung of each side (no heart, no diaphragm), 0..255.
        cavity: pleural space of each side above the diaphragm, heart not taken out.
        added: attenuation that findings add.
        vessels: what is left of the vessels and of the lung's texture, 0..1.
        masks: one 0/255 mask a painted finding, by kind.
    """

    frame: Frame
    anatomy: Anatomy
    inspiration: float
    lungs: dict[str, Mask]
    cavity: dict[str, Mask]
    added: Plane
    vessels: Plane
    masks: dict[str, list[Mask]] = field(default_factory=dict)

    def paint(self, finding: Finding) -> None:
        """Add one finding; its mask is never empty."""
        painter = {"opacity": _opacity, "effusion": _effusion, "pneumothorax": _pneumothorax, "nodule": _nodule}
        if finding.kind in painter:
            mask = painter[finding.kind](self, finding, np.random.default_rng(finding.seed))
            self.masks.setdefault(finding.kind, []).append(mask)

    def zone(self, side: str, zone: str) -> Mask:
        """The third of a lung that a report calls upper, mid or lower."""
        floor = self.anatomy.base(side, self.inspiration) - 0.15
        order = ("upper", "mid", "lower").index(zone)
        low = (0.0, 0.36, 0.66)[order] * floor
        high = (0.36, 0.66, 1.3)[order] * floor
        y = self.frame.grid[1]
        return np.where((y >= low) & (y < high), self.lungs[side], 0).astype(np.uint8)


def _place(chest: Chest, finding: Finding, radius: float, rng: np.random.Generator) -> tuple[int, int]:
    """Pixel (row, column) in the finding's zone, some way inside the lung."""
    zone = (chest.zone(finding.side, finding.zone) > 127).astype(np.uint8)
    depth = cv2.distanceTransform(cv2.copyMakeBorder(zone, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3)[1:-1, 1:-1]
    rows, columns = np.nonzero(depth >= min(radius, 0.7 * float(depth.max())))
    chosen = int(rng.random() * len(rows))  # the same share of the list is about the same place in the next study
    return int(rows[chosen]), int(columns[chosen])


def _offsets(chest: Chest, centre: tuple[int, int]) -> tuple[Plane, Plane]:
    rows, columns = np.ogrid[0 : chest.frame.height, 0 : chest.frame.width]
    unit = np.float32(chest.frame.unit)
    return ((columns - centre[1]) / unit).astype(np.float32), ((rows - centre[0]) / unit).astype(np.float32)


def _opacity(chest: Chest, finding: Finding, rng: np.random.Generator) -> Mask:
    """Airspace disease: a ragged cloud that follows no border but the lung's."""
    size = 0.2 + 0.26 * finding.severity * rng.uniform(0.7, 1.2) + 0.04 * rng.random()
    centre = _place(chest, finding, 0.5 * size * chest.frame.unit, rng)
    dx, dy = _offsets(chest, centre)
    stretch, tilt = rng.uniform(0.75, 1.5), rng.uniform(0, np.pi)
    u, v = np.cos(tilt) * dx + np.sin(tilt) * dy, np.cos(tilt) * dy - np.sin(tilt) * dx
    envelope = np.exp(-((u * stretch) ** 2 + (v / stretch) ** 2) / (1.1 * size**2))
    ragged = clouds(rng, chest.frame.shape, 0.35 * size * chest.frame.unit + 2)
    density = np.clip(envelope * (1 + 0.27 * ragged) - 0.22, 0, 0.62).astype(np.float32) / 0.62
    density = blur(density, 0.012 * chest.frame.unit) * (chest.lungs[finding.side] > 127)
    strength = 0.5 + 0.9 * finding.severity * rng.uniform(0.7, 1.1)
    chest.added += np.float32(strength) * blur(density, 0.01 * chest.frame.unit)
    return _solid(density > 0.3, chest.lungs[finding.side], centre)


def _nodule(chest: Chest, finding: Finding, rng: np.random.Generator) -> Mask:
    """A round shadow of 17 to 34 mm."""
    radius = nodule_radius(finding)
    centre = _place(chest, finding, 1.3 * radius * chest.frame.unit, rng)
    dx, dy = _offsets(chest, centre)
    angle = np.arctan2(dy, dx)
    lobes = 1 + 0.1 * np.sin(3 * angle + rng.uniform(0, 6)) + 0.06 * np.sin(5 * angle + rng.uniform(0, 6))
    inside = np.clip(1 - (np.hypot(dx, dy * rng.uniform(0.88, 1.14)) / (radius * lobes)) ** 2, 0, 1)
    thick = np.sqrt(inside).astype(np.float32)
    strength = 0.6 + 0.4 * finding.severity + 0.1 * rng.random()
    chest.added += np.float32(strength) * blur(thick, 0.006 * chest.frame.unit)
    return _solid(thick > 0, chest.lungs[finding.side], centre)


def nodule_radius(finding: Finding) -> float:
    """Radius in anatomical units; a unit is about 140 mm."""
    return 0.06 + 0.06 * finding.severity


def _effusion(chest: Chest, finding: Finding, rng: np.random.Generator) -> Mask:
    """Fluid from the costophrenic angle upwards, its surface rising to the wall."""
    anatomy, side = chest.anatomy, finding.side
    bottom = anatomy.base(side, chest.inspiration)
    depth = 0.2 + 0.8 * finding.severity**1.3
    medial = float(np.clip((depth - 0.3) / 0.6, 0, 0.8))
    x = np.linspace(0.0, 1.15, 40)
    level = bottom - depth * (medial + (1 - medial) * np.clip((x - 0.25) / 0.72, 0, 1) ** 3.2)
    region = chest.frame.fill(np.vstack([np.stack([x, level], 1), [(1.15, 4), (0, 4)]]) * (sign(side), 1))
    fluid = cv2.min(region, chest.cavity[side])
    lung = chest.lungs[side]
    shade = blur(fluid.astype(np.float32) / 255, (0.018 + 0.02 * rng.random()) * chest.frame.unit)
    strength = 1.0 + 0.8 * finding.severity
    chest.added += np.float32(strength) * shade
    chest.vessels *= 1 - np.float32(0.8) * shade
    mask = cv2.min(fluid, lung)
    rows, columns = np.nonzero(lung > 127)
    lowest = int(np.argmax(rows + 1e-3 * columns * sign(side)))
    return _solid(mask > 127, lung, (int(rows[lowest]), int(columns[lowest])))


def _pneumothorax(chest: Chest, finding: Finding, rng: np.random.Generator) -> Mask:
    """Air around a lung that has shrunk towards its lower medial corner: no vessels, a thin pleural line."""
    lung, side = chest.lungs[finding.side], finding.side
    shrink = 0.1 + 0.4 * finding.severity**1.4
    shrink_x, shrink_y = shrink * rng.uniform(0.7, 1.2), shrink * rng.uniform(0.85, 1.15)
    corner = (sign(side) * chest.anatomy.mediastinum, chest.anatomy.base(side, chest.inspiration))
    px, py = chest.frame.px([corner])[0]
    move = np.array([[1 - shrink_x, 0, px * shrink_x], [0, 1 - shrink_y, py * shrink_y]])
    whole = chest.cavity[side]
    collapsed = cv2.warpAffine(whole, move, chest.frame.shape[::-1], flags=cv2.INTER_LINEAR)
    air = (lung > 127) & (collapsed <= 127)
    soft = blur(air.astype(np.float32), 0.008 * chest.frame.unit)
    edge = cv2.morphologyEx(collapsed, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    line = blur(cv2.min(edge, lung).astype(np.float32) / 255, 0.005 * chest.frame.unit)
    chest.vessels *= 1 - np.float32(0.95) * soft
    chest.added += np.float32(0.1 + 0.06 * rng.random()) * line - np.float32(0.24 + 0.16 * finding.severity) * soft
    chest.added += np.float32(0.22 * shrink) * (cv2.min(collapsed, lung) > 127)
    rows, columns = np.nonzero(lung > 127)
    apex = int(np.argmin(rows))
    return _solid(air, lung, (int(rows[apex]), int(columns[apex])))


def _solid(inside: np.ndarray, lung: Mask, anchor: tuple[int, int]) -> Mask:
    """0/255 mask within the lung; one too small for the pixel grid becomes its anchor pixel, never empty."""
    mask = np.where(inside & (lung > 127), 255, 0).astype(np.uint8)
    if not mask.any():
        mask[anchor] = 255
    return mask


def box(mask: Mask) -> list[int]:
    """Bounding box `[x0, y0, x1, y1]` in pixels, the far sides exclusive."""
    x, y, width, height = cv2.boundingRect(mask)
    return [x, y, x + width, y + height]
