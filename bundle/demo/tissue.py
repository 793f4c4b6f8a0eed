"""What a chest is made of, as attenuation in nats along each ray: trunk, soft tissue, vessels, bone."""

from __future__ import annotations

import cv2
import numpy as np

from .anatomy import SIDES, Anatomy, sign
from .frame import Frame, Mask, Plane, blur, curve, pillow


def trunk(frame: Frame, anatomy: Anatomy, portable: bool) -> Plane:
    """Thickness 0..1 of trunk, neck and arms."""
    wide = 1.1 + 0.18 * anatomy.habitus
    side_line = curve(
        [
            (0.2, -0.8),
            (0.22, -0.42),
            (0.45, -0.24),
            (0.95, -0.14),
            (1.3, 0.05),
            (wide + 0.04, 0.7),
            (wide - 0.02, 1.1),
            (wide, 2.0),
            (wide, 3.0),
        ]
    )
    outline = np.vstack([side_line, side_line[::-1] * (-1, 1)])
    body = pillow(frame.fill(outline), 0.42 * frame.unit)
    arms = np.zeros(frame.shape, np.uint8)
    hang = 0.75 if portable else 0.3
    for side in SIDES:
        arm = curve([(0.95, 0.16), (1.25, 0.28 + 0.2 * hang), (1.5, 0.2 + 1.6 * hang)])
        frame.stroke(arm * (sign(side), 1), 0.42 + 0.14 * anatomy.habitus, arms)
    return np.maximum(body, 0.75 * pillow(arms, 0.22 * frame.unit))


def soft_tissue(frame: Frame, anatomy: Anatomy, rng: np.random.Generator) -> Plane:
    """Mediastinum, great vessels, windpipe, breasts, and what lies below the diaphragm."""
    unit = frame.unit
    half = anatomy.mediastinum + 0.03
    centre = frame.fill(np.array([(-half, -0.1), (half, -0.1), (half + 0.05, 2.0), (-half - 0.03, 2.0)]))
    solid = np.float32(0.35) * blur(centre.astype(np.float32) / 255, 0.07 * unit)
    canvas = np.zeros(frame.shape, np.uint8)
    turn = np.linspace(0, 2 * np.pi, 40)
    knob = np.array([half - 0.02, 0.5]) + anatomy.knob * np.stack([np.cos(turn), 1.15 * np.sin(turn)], 1)
    frame.fill(knob, canvas)
    solid += np.float32(0.75) * blur(pillow(canvas, anatomy.knob * unit), 0.006 * unit)
    canvas = np.zeros(frame.shape, np.uint8)
    frame.stroke(curve([(0.16, 0.55), (0.17, 1.0), (0.1, 1.8)]), 0.16, canvas)
    solid += np.float32(0.16) * blur(canvas.astype(np.float32) / 255, 0.012 * unit)
    canvas = np.zeros(frame.shape, np.uint8)
    frame.stroke(curve([(0.0, -0.9), (0.0, 0.1), (-0.02, 0.62)]), 0.13, canvas)
    for side, reach in (("right", 0.3), ("left", 0.34)):
        frame.stroke(curve([(-0.02, 0.58), (0.14 * sign(side), 0.72), (reach * sign(side), 0.86)]), 0.08, canvas, 170)
    solid -= np.float32(0.42) * blur(canvas.astype(np.float32) / 255, 0.012 * unit)
    y = frame.grid[1]
    below = np.clip((y - 1.45) / 0.5, 0, 1)
    solid += np.float32(0.8) * below
    if rng.random() < 0.6:  # air in the stomach
        spot = np.array([rng.uniform(0.4, 0.65), rng.uniform(1.72, 1.9)])
        bubble = frame.fill(spot + rng.uniform(0.1, 0.2) * np.stack([1.4 * np.cos(turn), 0.7 * np.sin(turn)], 1))
        solid -= np.float32(rng.uniform(0.2, 0.6)) * blur(bubble.astype(np.float32) / 255, 0.03 * unit)
    if anatomy.breast:
        size = 0.3 + 0.22 * anatomy.breast
        for side in SIDES:
            spot = np.array([0.56 * sign(side), 1.2 + 0.25 * anatomy.breast])
            disc = frame.fill(spot + size * np.stack([1.05 * np.cos(turn), np.sin(turn)], 1))
            solid += np.float32(0.2 + 0.25 * anatomy.breast) * blur(pillow(disc, size * unit), 0.02 * unit)
    if rng.random() < 0.15:  # nipple shadows, the classic false nodule
        for side in SIDES:
            spot = np.array([rng.uniform(0.55, 0.66) * sign(side), rng.uniform(1.22, 1.34)])
            disc = frame.fill(spot + 0.035 * np.stack([np.cos(turn), np.sin(turn)], 1))
            solid += np.float32(0.16) * blur(disc.astype(np.float32) / 255, 0.008 * unit)
    return solid


def vessel_tree(frame: Frame, anatomy: Anatomy, inspiration: float) -> Plane:
    """Branching vessels of both lungs, 0..1; the tree belongs to the patient."""
    rng = np.random.default_rng(anatomy.vessel_seed)
    canvas = np.zeros(frame.shape, np.uint8)
    for side in SIDES:
        direction = sign(side)
        for angle in np.linspace(-1.4, 1.5, 8) + rng.normal(0, 0.16, 8):
            start = np.array([0.22, 0.82 + 0.1 * angle]) + rng.normal(0, 0.02, 2)
            _branch(frame, canvas, rng, start, angle, 0.042 * anatomy.hilum, 0, direction, inspiration)
        hilum = np.array([0.25, 0.84]) + (0.05, 0.09) * rng.standard_normal((6, 2))
        for spot in hilum:
            centre = frame.px([spot * (direction, inspiration)])[0]
            radius = max(round(0.045 * frame.unit * anatomy.hilum), 1)
            cv2.circle(canvas, (round(centre[0]), round(centre[1])), radius, 200, -1, cv2.LINE_AA)
    return blur(canvas.astype(np.float32) / 255, 0.006 * frame.unit)


def _branch(
    frame: Frame,
    canvas: Mask,
    rng: np.random.Generator,
    start: np.ndarray,
    angle: float,
    width: float,
    depth: int,
    direction: int,
    inspiration: float,
) -> None:
    """One vessel: a slowly turning course, two smaller ones at its end."""
    steps = 5
    turns = angle + np.cumsum(rng.normal(0, 0.2, steps))
    length = rng.uniform(0.035, 0.06) * 0.9**depth
    path = start + np.vstack([[0, 0], np.cumsum(length * np.stack([np.cos(turns), np.sin(turns)], 1), 0)])
    frame.stroke(path * (direction, inspiration), width, canvas, 220 * 0.8**depth)
    if depth < 4:
        for sway in (-1, 1):
            _branch(
                frame,
                canvas,
                rng,
                path[-1],
                turns[-1] + sway * rng.uniform(0.15, 0.6),
                0.66 * width,
                depth + 1,
                direction,
                inspiration,
            )


def bones(frame: Frame, anatomy: Anatomy, inspiration: float, rng: np.random.Generator) -> Plane:
    """Ribs, collarbones, shoulder blades, humeri and spine."""
    unit, density = frame.unit, np.float32(anatomy.bone)
    hard = {
        name: np.zeros(frame.shape, np.uint8)
        for name in ("back", "front", "marrow", "collar", "blade", "spine", "disc")
    }
    for side in SIDES:
        for posterior, anterior in anatomy.ribs(side, inspiration):
            frame.stroke(posterior, anatomy.rib_width, hard["back"], 205)
            frame.stroke(posterior, 0.55 * anatomy.rib_width, hard["back"], 140)
            frame.stroke(anterior, 1.15 * anatomy.rib_width, hard["front"], 150)
            frame.stroke(anterior, 0.8 * anatomy.rib_width, hard["front"], 105)
        level = anatomy.clavicle
        collar = curve([(0.09, 0.17 + level), (0.35, 0.1 + level), (0.62, -0.02 + level), (0.98, 0.0 + level)]) * (
            sign(side),
            1,
        )
        frame.stroke(collar, 0.095, hard["collar"], 230)
        frame.stroke(collar, 0.05, hard["collar"], 165)
        spread = rng.uniform(0.0, 0.16)
        blade = [
            (1.08, 0.1),
            (0.74 + spread, 0.12),
            (0.78 + spread, 0.5),
            (0.86 + spread, 0.88),
            (0.98 + spread, 0.55),
            (1.12, 0.28),
        ]
        frame.fill(curve(blade, closed=True) * (sign(side), 1), hard["blade"], 200)
        frame.stroke(curve([(1.12, 0.16), (1.3, 0.5), (1.45, 1.0)]) * (sign(side), 1), 0.13, hard["blade"], 230)
    for vertebra in range(15):
        y = -0.55 + 0.205 * vertebra
        x = anatomy.scoliosis * np.sin(1.6 * y)
        half, tall = 0.1 + 0.0022 * vertebra, 0.078
        frame.fill(
            [(x - half, y - tall), (x + half, y - tall), (x + half, y + tall), (x - half, y + tall)], hard["spine"], 190
        )
        for pedicle in (-0.6, 0.6):
            centre = frame.px([(x + pedicle * half, y - 0.02)])[0]
            cv2.circle(
                hard["disc"], (round(centre[0]), round(centre[1])), max(round(0.022 * unit), 1), 200, -1, cv2.LINE_AA
            )
        frame.stroke([(x, y - 0.03), (x, y + 0.06)], 0.03, hard["disc"], 170)
    weight = {"back": 0.34, "front": 0.22, "collar": 0.42, "blade": 0.3, "spine": 0.26, "disc": 0.12}
    total = np.zeros(frame.shape, np.float32)
    for name, share in weight.items():
        total += np.float32(share / 255) * hard[name]
    return density * blur(total, 0.007 * unit)
