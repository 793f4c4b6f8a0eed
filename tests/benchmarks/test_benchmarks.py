"""`python -m benchmarks`: every part gives rows that its table, its JSON and its exit status can be made of."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.__main__ import main
from benchmarks.measure import Row
from scripts.precision import computes_bfloat16

TINY_VIT = {"model_type": "vit", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 56}
# A pair and a run, in float32 and where the machine has it in bfloat16.
ADAPTOR_ROWS = 4 if computes_bfloat16(torch.device("cpu")) else 2


@pytest.mark.parametrize(("ratio", "status"), [(12.0, 0), (7.9, 1)])
def test_a_bar_that_is_missed_is_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], ratio: float, status: int
) -> None:
    module = importlib.import_module("benchmarks.step")
    monkeypatch.setattr(module, "run", lambda: [Row("step", "theirs", ratio, 8.0, 1.0, ratio, 3)])
    assert main(["step", "--json", str(tmp_path / "bench.json")]) == status
    rows = json.loads((tmp_path / "bench.json").read_text())["rows"]
    assert [(row["what"], row["ratio"], row["held"]) for row in rows] == [("step", ratio, status == 0)]
    assert ("MISSED" in capsys.readouterr().out) is (status == 1)


def test_an_unknown_part_is_named() -> None:
    assert main(["stpe"]) == 2


@pytest.mark.parametrize(
    ("part", "arguments", "count"),
    [
        ("ingest", {"seconds_budget": 0.0, "shape": (768, 640)}, 5),
        ("store", {"rounds": 1, "samples": 2}, 5),
        ("step", {"rounds": 1, "batch": 2}, 2),
        ("adaptor", {"rounds": 1, "batch": 4, "looked": 1, "image": TINY_VIT, "layers": 1}, ADAPTOR_ROWS),
        ("tasks", {"rounds": 1, "batch": 2, "size": 64, "encoders": ("resnet18",)}, 12),
    ],
)
def test_each_part_runs_at_small_size(part: str, arguments: dict[str, Any], count: int) -> None:
    rows = importlib.import_module(f"benchmarks.{part}").run(**arguments)
    assert len(rows) == count
    assert all(isinstance(row, Row) and row.ratio > 0 for row in rows)


def test_the_row_is_the_ratio_of_the_medians() -> None:
    row = Row.of("a", "b", 2.0, [1.0, 2.0, 100.0], [5.0, 6.0, 0.0])
    assert (row.ratio, row.ours, row.theirs, row.held) == (2.5, 2.0, 5.0, True)
