"""Who is examined, when, and what is there to be found: the truth that pictures, masks and reports are made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .anatomy import SIDES, Anatomy

FINDINGS = ("opacity", "effusion", "pneumothorax", "nodule", "cardiomegaly")
BOXED = FINDINGS[:4]
ZONES = ("upper", "mid", "lower")
ENLARGED = 0.5  # cardiothoracic ratio from which the heart is called enlarged

_RATE = {"opacity": 0.28, "effusion": 0.24, "pneumothorax": 0.16, "nodule": 0.2}
_STAYS = {"opacity": 0.6, "effusion": 0.65, "pneumothorax": 0.5, "nodule": 0.95}
_BOTH_SIDES = {"opacity": 0.3, "effusion": 0.35, "pneumothorax": 0.03, "nodule": 0.3}
_DEVICES = {"ecg": 0.3, "line": 0.25, "tube": 0.12, "feeding": 0.1, "pacemaker": 0.1, "wires": 0.08}
_DRAIN_RATE = {True: 0.1, False: 0.01}  # with and without fluid or air to drain


@dataclass(frozen=True)
class Finding:
    """One abnormality.

    Args:
        kind: a name in `FINDINGS`.
        side: `right` or `left`; empty for the heart.
        zone: `upper`, `mid` or `lower`; empty where the kind has its own place.
        severity: 0 (barely visible) to 1.
        seed: shape and exact place, kept from study to study.
        change: against the study before: `new`, `larger`, `smaller`, `same`; empty in a first study.
        hedged: the reader is unsure that it is there (label -1).
    """

    kind: str
    side: str
    zone: str
    severity: float
    seed: int
    change: str = ""
    hedged: bool = False


@dataclass(frozen=True)
class Study:
    """One examination; `index` counts all studies of the data set, `number` those of the patient."""

    index: int
    patient: int
    number: int
    day: int
    view: str
    age: int
    anatomy: Anatomy
    heart_ratio: float
    findings: tuple[Finding, ...]
    labels: dict[str, float]
    resolved: tuple[str, ...]
    devices: tuple[str, ...]

    @property
    def name(self) -> str:
        """File stem."""
        return f"p{self.patient:05d}_s{self.number}"

    def of(self, kind: str) -> list[Finding]:
        """The findings of one kind."""
        return [finding for finding in self.findings if finding.kind == kind]


def plan_studies(studies: int, seed: int) -> list[Study]:
    """The first `studies` studies of a seed's endless list, so that a longer list begins with the shorter one."""
    plans: list[Study] = []
    patient = 0
    while len(plans) < studies:
        plans.extend(_history(seed, patient, len(plans)))
        patient += 1
    return plans[:studies]


def _history(seed: int, patient: int, first_index: int) -> Iterator[Study]:
    rng = np.random.default_rng((seed, patient, 1))
    visits = int(rng.choice([1, 2, 3, 4], p=[0.5, 0.27, 0.15, 0.08]))
    female = bool(rng.random() < 0.46)
    age = int(np.clip(rng.normal(58, 17), 19, 93))
    anatomy = Anatomy.sample(rng, female, age)
    large_heart = rng.random() < 0.3
    ratio = float(rng.uniform(0.49, 0.61) if large_heart else rng.uniform(0.39, 0.485))
    day, before, known = 0, None, ratio
    for number in range(visits):
        present = _start(rng) if before is None else _evolve(rng, before)
        ratio = float(np.clip(known + rng.normal(0, 0.006), 0.38, 0.62))
        heart = _heart(rng, ratio, before)
        findings = tuple(_hedge(rng, finding) for finding in present + heart)
        resolved = (
            ()
            if before is None
            else tuple(sorted({f.kind for f in before if f.kind in BOXED} - {f.kind for f in findings}))
        )
        sick = any(finding.kind in BOXED[:3] for finding in findings)
        view = "AP" if rng.random() < (0.42 if sick else 0.32) else "PA"
        yield Study(
            index=first_index + number,
            patient=patient,
            number=number,
            day=day,
            view=view,
            age=min(age + day // 365, 95),
            anatomy=anatomy,
            heart_ratio=ratio,
            findings=findings,
            labels=_labels(rng, findings),
            resolved=resolved,
            devices=_devices(rng, view, findings),
        )
        before = findings
        day += int(rng.integers(1, 9) if rng.random() < 0.5 else rng.integers(20, 500))


def _start(rng: np.random.Generator) -> tuple[Finding, ...]:
    found: list[Finding] = []
    for kind, rate in _RATE.items():
        if rng.random() < rate:
            found.extend(_draw(rng, kind))
    return tuple(found)


def _draw(rng: np.random.Generator, kind: str) -> list[Finding]:
    sides = list(SIDES) if rng.random() < _BOTH_SIDES[kind] else [str(rng.choice(SIDES))]
    zones = {"opacity": [0.2, 0.3, 0.5], "nodule": [0.4, 0.35, 0.25]}.get(kind)
    return [
        Finding(
            kind=kind,
            side=side,
            zone=str(rng.choice(ZONES, p=zones)) if zones else "",
            severity=float(rng.beta(1.5, 1.5)),
            seed=int(rng.integers(2**31)),
        )
        for side in sides
    ]


def _evolve(rng: np.random.Generator, before: tuple[Finding, ...]) -> tuple[Finding, ...]:
    now: list[Finding] = []
    for finding in before:
        if finding.kind not in BOXED or rng.random() > _STAYS[finding.kind]:
            continue
        spread = 0.03 if finding.kind == "nodule" else 0.25
        step = float(rng.normal(0, spread)) if rng.random() < 0.6 else 0.0
        severity = float(np.clip(finding.severity + step, 0.02, 1.0))
        moved = severity - finding.severity
        change = "same" if abs(moved) < 0.1 else "larger" if moved > 0 else "smaller"
        now.append(replace(finding, severity=severity, change=change, hedged=False))
    for kind, rate in _RATE.items():
        if not any(finding.kind == kind for finding in before) and rng.random() < 0.5 * rate:
            now.extend(replace(finding, change="new") for finding in _draw(rng, kind))
    return tuple(now)


def _heart(rng: np.random.Generator, ratio: float, before: tuple[Finding, ...] | None) -> tuple[Finding, ...]:
    if ratio < ENLARGED:
        return ()
    change = "same" if before is not None and any(f.kind == "cardiomegaly" for f in before) else ""
    return (Finding("cardiomegaly", "", "", float(np.clip((ratio - ENLARGED) / 0.11, 0, 1)), 0, change),)


def _hedge(rng: np.random.Generator, finding: Finding) -> Finding:
    """A reader doubts what is barely visible."""
    return replace(finding, hedged=bool(finding.severity < 0.2 and rng.random() < 0.3))


def _labels(rng: np.random.Generator, findings: tuple[Finding, ...]) -> dict[str, float]:
    """1 present, 0 absent, -1 doubted, NaN not spoken of."""
    labels: dict[str, float] = {}
    for kind in FINDINGS:
        found = [finding for finding in findings if finding.kind == kind]
        if found:
            labels[kind] = -1.0 if all(finding.hedged for finding in found) else 1.0
        else:
            doubt, silence = rng.random(2)
            labels[kind] = -1.0 if doubt < 0.015 else float("nan") if silence < 0.03 else 0.0
    return labels


def _devices(rng: np.random.Generator, view: str, findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """Hardware comes with beds (AP) rather than with a finding; only a drain leans on pneumothorax and effusion."""
    weight = 1.6 if view == "AP" else 0.6
    chosen = [name for name, rate in _DEVICES.items() if rng.random() < rate * weight]
    fluid_or_air = any(finding.kind in ("effusion", "pneumothorax") for finding in findings)
    if rng.random() < _DRAIN_RATE[fluid_or_air]:
        chosen.append("drain")
    return tuple(chosen)
