"""A patient's chest: the parameters that stay with a patient, and the shapes that they give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .frame import Points, curve

SIDES = ("right", "left")


def sign(side: str) -> int:
    """Direction of a side in the picture: the patient's right is on the left."""
    return -1 if side == "right" else 1


@dataclass(frozen=True)
class Anatomy:
    """What persists from study to study of one patient; lengths in anatomical units (`frame.Frame`)."""

    female: bool
    habitus: float  # 0 slim .. 1 heavy
    narrow: float  # width of the upper chest against the lower
    length: float  # apex to diaphragm, against the mean
    dome: float  # height of the diaphragm's domes
    dome_difference: float  # right above left
    mediastinum: float  # half width
    knob: float  # radius of the aortic knob
    heart_right: float  # share of the heart to the right of the midline
    heart_round: float  # 0 upright .. 1 globular
    rib_slope: float
    rib_width: float
    rib_pitch: float
    bone: float  # mineral density
    clavicle: float  # height of the clavicles
    hilum: float  # prominence of the hilar vessels
    marking: float  # prominence of the lung markings
    breast: float  # size, 0 for none
    scoliosis: float
    vessel_seed: int

    @classmethod
    def sample(cls, rng: np.random.Generator, female: bool, age: int) -> Anatomy:
        """Draw a chest; age thins bone and widens the aorta, as a nuisance rather than a label."""

        def near(mean: float, spread: float) -> float:
            return float(mean + spread * np.clip(rng.standard_normal(), -2, 2))

        return cls(
            female=female,
            habitus=float(rng.beta(2, 2.2)),
            narrow=near(1.0, 0.06),
            length=near(1.0 if female else 1.06, 0.07),
            dome=near(0.27, 0.06),
            dome_difference=near(0.07, 0.035),
            mediastinum=near(0.17, 0.025),
            knob=near(0.11 + 0.0006 * (age - 50), 0.02),
            heart_right=near(0.31, 0.035),
            heart_round=float(rng.uniform()),
            rib_slope=near(0.34, 0.06),
            rib_width=near(0.07, 0.009),
            rib_pitch=near(0.19, 0.011),
            bone=near(1.05 - 0.003 * (age - 50), 0.12),
            clavicle=near(0.06, 0.06),
            hilum=near(1.0, 0.22),
            marking=float(rng.lognormal(0.0, 0.28)),
            breast=float(rng.uniform(0.35, 1.0)) if female else 0.0,
            scoliosis=near(0.0, 0.035),
            vessel_seed=int(rng.integers(2**31)),
        )

    def wall(self, y: float | Points, inspiration: float) -> Points:
        """Inner half width of the chest at heights `y`."""
        height = np.array([-0.05, 0.0, 0.08, 0.2, 0.4, 0.75, 1.2, 1.8, 2.4])
        width = np.array([0.4, 0.46, 0.57, 0.68, 0.8, 0.93, 1.0, 1.0, 0.95])
        width = width * np.interp(height, [0, 1.2], [self.narrow, 1.0])
        return np.interp(y, height * self.length * (0.4 + 0.6 * inspiration), width)

    def base(self, side: str, inspiration: float) -> float:
        """Height of the costophrenic angle."""
        return 1.78 * self.length * inspiration + (0.0 if side == "right" else 0.3 * self.dome_difference)

    def cavity(self, side: str, inspiration: float) -> Points:
        """Outline of one pleural cavity, open at the bottom (the diaphragm cuts it)."""
        top = 0.2 * self.length
        y = np.linspace(top, 2.3, 60)
        outer = np.stack([self.wall(y, inspiration), y], 1)
        centre = self.mediastinum
        inner = curve([(centre + 0.06, 0.22), (centre, 0.55), (centre + 0.04, 0.9), (centre + 0.02, 2.3)])
        apex = curve([inner[0], (0.27, 0.06), (0.4, -0.03), (0.53, 0.04), outer[0]], samples=24)
        outline = np.vstack([apex, outer, inner[::-1]])
        return outline * (sign(side), 1)

    def diaphragm(self, side: str, inspiration: float) -> Points:
        """Region below one dome, down to the end of the picture and beyond."""
        x = np.linspace(-0.02, 1.12, 50)
        peak = self.dome * (0.85 + 0.3 * (1.1 - inspiration))
        lift = self.dome_difference if side == "right" else 0.0
        y = self.base(side, inspiration) - lift - peak * (1 - np.abs((x - 0.47) / 0.56) ** 2.2)
        outline = np.vstack([np.stack([x, y], 1), [(1.12, 4.0), (-0.02, 4.0)]])
        return outline * (sign(side), 1)

    def heart(self, ratio: float, inspiration: float) -> Points:
        """Outline of the heart's silhouette.

        Args:
            ratio: width over the inner width of the chest (cardiothoracic ratio).
            inspiration: 1 for a full breath.
        """
        right, left = -2 * ratio * self.heart_right, 2 * ratio * (1 - self.heart_right)
        floor = self.base("left", inspiration) - 0.55 * self.dome
        top = floor - (0.66 + 0.3 * ratio)
        apex = floor - 0.1 - 0.14 * self.heart_round
        knots = [
            (0.03, top - 0.1),
            (right * 0.7, top + 0.12),
            (right, floor - 0.34),
            (right * 0.86, floor - 0.06),
            (0.12, floor + 0.06),
            (left * 0.72, floor + 0.06),
            (left * 0.99, apex),
            (left * (0.76 + 0.1 * self.heart_round), floor - 0.42),
            (0.32 + 0.2 * (left - 0.6), top + 0.16),
            (0.2, top - 0.06),
        ]
        return curve(knots, closed=True)

    def ribs(self, side: str, inspiration: float) -> list[tuple[Points, Points]]:
        """Posterior and anterior arc of each rib, as centre lines."""
        arcs = []
        t = np.linspace(0, 1, 24)
        for rib in range(11):
            root = -0.08 + rib * self.rib_pitch * self.length * (0.35 + 0.65 * inspiration)
            slope = self.rib_slope * np.interp(rib, [0, 2, 10], [0.35, 0.8, 1.25])
            reach = float(self.wall(root + slope, inspiration)) + 0.015
            x = 0.11 + (reach - 0.11) * np.sin(t * np.pi / 2)
            posterior = np.stack([x, root - 0.05 * np.sin(np.pi * t) + slope * t**2.2], 1)
            medial = 0.22 + 0.035 * rib
            front = root + slope + (0.2 + 0.028 * rib)
            bow = np.stack(
                [reach - (reach - medial) * (1 - np.cos(t * np.pi / 2)), root + slope + (front - root - slope) * t], 1
            )
            arcs.append((posterior * (sign(side), 1), bow * (sign(side), 1)))
        return arcs
