"""Rows of the evaluation's table."""

from __future__ import annotations

import numpy as np

from scripts.evaluation.linear_probe import ProbeResult, ProbeRow
from scripts.evaluation.score_rows import (
    geometry_rows,
    image_retrieval_rows,
    probe_rows,
    retrieval_rows,
    shared_space_rows,
)
from scripts.statistics.estimate import Estimate

WAY = {"r_at_1": Estimate(0.25, 0.2, 0.3, 0.02), "median_rank": Estimate(12.0, trivial=40.0)}
PAIRS = {"ours": {"n": 80, "texts": 60, "image_to_report": WAY, "report_to_image": WAY}}


def probe(auroc):
    found = Estimate(auroc, auroc - 0.05, auroc + 0.05)
    rows = ProbeRow("Edema", found, 8, 40), ProbeRow("Hernia", Estimate(None, reason="no positives"), 0, 40)
    macro = ProbeRow("macro", found.noted("over 1 of 2 classes"), 8, 40)
    return ProbeResult(rows, macro, *np.empty((3, 0)))


def test_probes_have_a_row_a_class_with_its_positives_and_their_mean():
    rows = probe_rows({"random": probe(0.6), "ours": probe(0.8)}, "zero-shot ")
    assert [(row.name, row.cell("random"), row.cell("ours"), row.trivial) for row in rows] == [
        ("zero-shot AUROC Edema (8 of 40)", "0.600 [0.550, 0.650]", "0.800 [0.750, 0.850]", 0.5),
        ("zero-shot AUROC Hernia (0 of 40)", "not scored: no positives", "not scored: no positives", 0.5),
        (
            "zero-shot AUROC macro", "0.600 [0.550, 0.650] over 1 of 2 classes",
            "0.800 [0.750, 0.850] over 1 of 2 classes", 0.5,
        ),
    ]  # fmt: skip


def test_retrieval_rows_carry_chance_in_both_directions():
    rows = {row.name: row for row in retrieval_rows(PAIRS)}
    assert list(rows) == [
        "R@1 image→report",
        "median rank image→report",
        "R@1 report→image",
        "median rank report→image",
    ]
    assert rows["R@1 image→report"].trivial == 0.02
    assert rows["R@1 image→report"].cell("ours") == "0.250 [0.200, 0.300]"
    assert rows["median rank report→image"].cell("ours") == "12.0"


def test_retrieval_by_finding_is_told_apart_from_that_by_pair():
    way = WAY | {"finding_p_at_5": Estimate(0.5, trivial=0.3)}
    rows = [row.name for row in retrieval_rows({"ours": {"image_to_report": way, "report_to_image": WAY}})]
    assert rows[2] == "P@5 same finding image→report"


def test_images_among_images_have_rows_or_a_reason():
    scored = {"random": {"p_at_5": Estimate(0.2, trivial=0.2)}, "ours": {"p_at_5": Estimate(0.4, trivial=0.2)}}
    (row,) = image_retrieval_rows(scored)
    assert (row.name, row.trivial) == ("P@5 same finding image→image", 0.2)
    assert [score.value for score in row.scores.values()] == [0.2, 0.4]
    (row,) = image_retrieval_rows({name: {"reason": "no finding"} for name in scored})
    assert {row.cell(name) for name in scored} == {"not scored: no finding"}


def test_no_shared_space_is_a_reason_and_no_number():
    rows = shared_space_rows("ours", "it has none")
    assert [row.name for row in rows] == [
        "zero-shot AUROC macro", "retrieval image→report", "retrieval report→image"
    ]  # fmt: skip
    assert all(row.cell("ours") == "not scored: it has none" for row in rows)


def test_geometry_rows_keep_what_each_method_has():
    rows = geometry_rows({"random": {"effective_rank": 215.0}, "ours": {"effective_rank": 248.4, "alignment": 0.5}})
    assert [(row.name, {m: row.cell(m) for m in row.scores}) for row in rows] == [
        ("effective rank", {"random": "215.0", "ours": "248.4"}),
        ("alignment", {"ours": "0.500"}),
    ]
