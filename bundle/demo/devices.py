"""What lies on or in the patient besides the patient: tubes, lines, leads, wires. None of it tells a label."""

from __future__ import annotations

import cv2
import numpy as np

from .anatomy import Anatomy, sign
from .frame import Frame, Mask, Plane, Points, blur, curve


def device_shadow(frame: Frame, anatomy: Anatomy, devices: tuple[str, ...], rng: np.random.Generator) -> Plane:
    """Attenuation `[h, w]` of the named devices."""
    canvas = np.zeros(frame.shape, np.uint8)
    draw = {
        "ecg": _leads,
        "line": _line,
        "tube": _tube,
        "feeding": _feeding,
        "pacemaker": _pacemaker,
        "wires": _wires,
        "drain": _drain,
    }
    for name in devices:
        draw[name](frame, anatomy, canvas, rng)
    return blur(canvas.astype(np.float32) / 255, 0.003 * frame.unit)


def _wander(rng: np.random.Generator, start: Points, end: Points, sway: float) -> Points:
    t = np.linspace(0, 1, 6)[:, None]
    knots = start + (end - start) * t
    knots[1:-1] += rng.normal(0, sway, (4, 2))
    return curve(knots)


def _leads(frame: Frame, _: Anatomy, canvas: Mask, rng: np.random.Generator) -> None:
    outlet = np.array([rng.uniform(-1.3, 1.3), rng.choice([-0.5, 2.3])])
    for x, y in ((-0.72, 0.18), (0.72, 0.2), (0.85, 1.5)):
        spot = np.array([x, y]) + rng.normal(0, 0.1, 2)
        frame.stroke(_wander(rng, spot, outlet, 0.09), 0.012, canvas, 70)
        centre = frame.px([spot])[0]
        radius = 0.04 * frame.unit
        cv2.circle(canvas, (round(centre[0]), round(centre[1])), round(radius), 90, -1, cv2.LINE_AA)
        cv2.circle(canvas, (round(centre[0]), round(centre[1])), max(round(radius * 0.45), 1), 190, -1, cv2.LINE_AA)


def _line(frame: Frame, _: Anatomy, canvas: Mask, rng: np.random.Generator) -> None:
    """Central venous catheter, from the arm, the collarbone or the neck to the superior vena cava."""
    side = rng.choice([-1, 1])
    tip = [(-0.15, 0.45), (-0.17, 0.7 + 0.15 * rng.random())]
    start: list[tuple[float, float]] = [
        [(side * 1.4, 0.6), (side * 0.95, 0.1), (side * 0.4, 0.12)],
        [(side * 0.75, 0.3), (side * 0.45, 0.02), (side * 0.25, 0.18)],
        [(side * 0.22, -0.5), (side * 0.2, -0.2), (side * 0.17, 0.1)],
    ][int(rng.integers(3))]
    frame.stroke(curve(start + tip), 0.016, canvas, 95)


def _tube(frame: Frame, _: Anatomy, canvas: Mask, rng: np.random.Generator) -> None:
    """Endotracheal tube with its opaque stripe."""
    end = (0.01, 0.18 + 0.2 * rng.random())
    path = curve([(0.03, -0.7), (-0.01, -0.3), end])
    frame.stroke(path, 0.075, canvas, 38)
    frame.stroke(path + (0.015, 0), 0.012, canvas, 120)


def _feeding(frame: Frame, _: Anatomy, canvas: Mask, rng: np.random.Generator) -> None:
    """Nasogastric tube down to the stomach."""
    frame.stroke(
        curve([(-0.03, -0.7), (0.02, 0.2), (0.06, 1.1), (0.12, 1.65), (0.4 + 0.2 * rng.random(), 1.95)]),
        0.02,
        canvas,
        95,
    )


def _pacemaker(frame: Frame, _: Anatomy, canvas: Mask, rng: np.random.Generator) -> None:
    side = 1 if rng.random() < 0.8 else -1
    body = np.array([side * 0.68, 0.26]) + rng.normal(0, 0.05, 2)
    t = np.linspace(0, 2 * np.pi, 40)
    frame.fill(body + np.stack([0.15 * np.cos(t), 0.12 * np.sin(t) + 0.02 * np.cos(2 * t)], 1), canvas, 215)
    for end in ((-0.2, 1.2), (0.25 + 0.1 * rng.random(), 1.5))[: int(rng.integers(1, 3))]:
        frame.stroke(curve(np.vstack([body, (side * 0.4, 0.08), (-0.12, 0.35), (-0.2, 0.9), end])), 0.016, canvas, 150)


def _wires(frame: Frame, _: Anatomy, canvas: Mask, rng: np.random.Generator) -> None:
    """Sternal wires."""
    t = np.linspace(0.3, 2 * np.pi, 20)
    for y in np.arange(0.4, 1.3, 0.17):
        centre = np.array([0.0, y]) + rng.normal(0, 0.015, 2)
        frame.stroke(centre + np.stack([0.07 * np.cos(t), 0.03 * np.sin(t)], 1), 0.011, canvas, 190)


def _drain(frame: Frame, anatomy: Anatomy, canvas: Mask, rng: np.random.Generator) -> None:
    """Chest drain, from the side wall towards the apex."""
    side = sign("left" if rng.random() < 0.5 else "right")
    wall = float(anatomy.wall(1.2, 1.0))
    path = curve(np.array([(wall + 0.25, 1.45), (wall - 0.05, 1.25), (0.7, 0.8), (0.55, 0.35)]) * (side, 1))
    frame.stroke(path, 0.04, canvas, 45)
    frame.stroke(path + (0.012, 0), 0.01, canvas, 120)


def marker(frame: Frame, view: str, rng: np.random.Generator) -> Mask:
    """Lead letter on the side that it names, and sometimes the word that a portable unit prints."""
    canvas = np.zeros(frame.shape, np.uint8)
    height, width = frame.shape
    side = "L" if rng.random() < 0.7 else "R"
    across = rng.uniform(0.86, 0.94) if side == "L" else rng.uniform(0.03, 0.1)
    scale = width / 420 * rng.uniform(0.7, 1.1)
    spot = (int(across * width), int(rng.uniform(0.07, 0.35) * height))
    thickness = max(round(1.8 * scale), 1)
    cv2.putText(canvas, side, spot, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thickness, cv2.LINE_AA)
    if view == "AP" and rng.random() < 0.4:
        below = (max(spot[0] - int(20 * scale), 2), spot[1] + int(16 * scale))
        cv2.putText(canvas, "PORT", below, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * scale, 230, 1, cv2.LINE_AA)
    return canvas
