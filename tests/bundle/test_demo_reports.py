"""Reports are true to the plan: what is there is named and never denied, what is silent stays silent."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from bundle.demo.phrases import BLANK_REPORTS, SYNONYMS
from bundle.demo.plan import BOXED, ENLARGED, FINDINGS, Finding, Study, plan_studies
from bundle.demo.reports import write_report

DENIAL = re.compile(r"\b(no|without|negative for|resolved|resolution|clearing|no longer|not seen|not enlarged)\b")
HEALTHY = re.compile(r"normal|not enlarged|within normal limits")
ABBREVIATED = {"rul": "right upper lobe", "lul": "left upper lobe", "rll": "right lower lobe", "lll": "left lower lobe"}


@pytest.fixture(scope="module")
def plans() -> list[Study]:
    return plan_studies(1500, seed=11)


@pytest.fixture(scope="module")
def reports(plans) -> list[str]:
    return [write_report(plan, np.random.default_rng((11, plan.index))) for plan in plans]


def sentences(report: str) -> list[str]:
    """Lower case, without headers and typists' abbreviations."""
    text = report.lower()
    for short, words in ABBREVIATED.items():
        text = re.sub(rf"\b{short}\b", words, text)
    text = re.sub(r"(findings|impression|comparison|technique|indication):", ". ", text)
    return [part.strip() for part in re.split(r"[.\n]\s*", text) if part.strip()]


def speaks_of(kind: str, sentence: str) -> bool:
    return any(stem in sentence for stem in SYNONYMS[kind])


def told(plans: list[Study], reports: list[str], label: float) -> list[tuple[str, Study, list[str]]]:
    """(kind, plan, sentences that speak of it) for each label of this value with a usable report."""
    return [
        (kind, plan, [part for part in sentences(report) if speaks_of(kind, part)])
        for plan, report in zip(plans, reports)
        if report not in BLANK_REPORTS
        for kind in FINDINGS
        if plan.labels[kind] == label
    ]


def test_each_positive_is_named_and_never_denied(plans, reports):
    cases = told(plans, reports, 1.0)
    assert len(cases) > 1000
    for kind, plan, parts in cases:
        pattern = HEALTHY if kind == "cardiomegaly" else DENIAL
        affirmed = [part for part in parts if not pattern.search(_before(kind, part))]
        assert affirmed, (kind, plan.name, parts)
        assert len(affirmed) == len(parts), (kind, plan.name, parts)


def _before(kind: str, sentence: str) -> str:
    """The sentence up to the last mention: a denial after it belongs to something else."""
    if kind == "cardiomegaly":
        return sentence
    end = max(sentence.rfind(stem) for stem in SYNONYMS[kind])
    return sentence[:end]


def test_an_absent_finding_is_only_ever_denied(plans, reports):
    for kind, plan, parts in told(plans, reports, 0.0):
        for part in parts:
            pattern = HEALTHY if kind == "cardiomegaly" else DENIAL
            assert pattern.search(part), (kind, plan.name, part)


def test_silence_is_kept(plans, reports):
    cases = [
        (kind, report)
        for plan, report in zip(plans, reports)
        for kind in FINDINGS
        if np.isnan(plan.labels[kind]) and report not in BLANK_REPORTS
    ]
    assert len(cases) > 30
    for kind, report in cases:
        assert not any(speaks_of(kind, part) for part in sentences(report)), (kind, report)
        assert not re.search(r"no acute (cardio|intra|disease)|unremarkable chest|normal chest", report.lower())


def test_side_and_zone_are_told(plans, reports):
    """Where one sure finding of a kind is on one side, the other side is not blamed."""
    checked = 0
    for kind, plan, parts in told(plans, reports, 1.0):
        found = plan.of(kind)
        if kind not in BOXED or len(found) != 1:
            continue
        other = {"left": "right", "right": "left"}[found[0].side]
        assert any(found[0].side in part for part in parts), (plan.name, parts)
        assert not any(re.search(rf"\b{other}\b", part) for part in parts), (plan.name, parts)
        checked += 1
    assert checked > 400


def test_language_is_varied_and_some_texts_are_blank(reports):
    usable = [report for report in reports if report not in BLANK_REPORTS]
    blank = 1 - len(usable) / len(reports)
    assert 0.008 < blank < 0.04
    assert len(set(usable)) / len(usable) > 0.85 and Counter(usable).most_common(1)[0][1] > 3
    text = "\n".join(usable)
    for phrase in (
        "FINDINGS:",
        "IMPRESSION:",
        "COMPARISON:",
        "INDICATION:",
        "___",
        "may represent",
        "nchanged",
        "RUL",
        "w/",
    ):
        assert phrase in text, phrase
    assert sum("IMPRESSION" not in report for report in usable) > 50
    assert "{" not in text and "  " not in text and "evidence of evidence" not in text


def test_plans_are_consistent(plans):
    by_patient: dict[int, list[Study]] = {}
    for index, plan in enumerate(plans):
        assert plan.index == index
        by_patient.setdefault(plan.patient, []).append(plan)
        assert bool(plan.of("cardiomegaly")) == (plan.heart_ratio >= ENLARGED)
        assert all(plan.labels[kind] in (1, -1) for kind in {finding.kind for finding in plan.findings})
    for visits in by_patient.values():
        assert [visit.number for visit in visits] == list(range(len(visits)))
        assert len({visit.anatomy for visit in visits}) == 1
        for before, now in pairwise(visits):
            _follows(before, now)


def _follows(before: Study, now: Study) -> None:
    seeds = {finding.seed: finding for finding in before.findings if finding.kind in BOXED}
    for finding in now.findings:
        if finding.kind in BOXED:
            earlier: Finding | None = seeds.get(finding.seed)
            assert (finding.change == "new") == (earlier is None)
            if finding.change == "larger":
                assert earlier is not None and finding.severity > earlier.severity
    for kind in now.resolved:
        assert before.of(kind) and not now.of(kind)
