"""Maps of cells: where they point, in which pixels, and what is written about them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from ignite.engine import Engine
from torch import nn

from scripts.errors import CxrError
from scripts.evaluation.grounding import CellMaps, GroundingReport, grounding_items, heat_maps

SIZE = 16


class Space:
    """The prompt of finding i is axis i."""

    reason = ""
    member = "pre-trained"
    prompts = SimpleNamespace(of=lambda name: SimpleNamespace(positive=(f"There is {name}.",)))

    def project_prompts(self, names: list[str]) -> torch.Tensor:
        return torch.eye(2)[: len(names), None].repeat(1, 2, 1)


def cells(row: int, column: int, axis: int) -> torch.Tensor:
    """`(4, 4, 2)`: one cell lies on the axis, the others on the opposite side of it."""
    grid = -torch.eye(2)[axis].repeat(4, 4, 1)
    grid[row, column] *= -1
    return grid


def item(number: int, box: list[float], label: int, **facts: int) -> dict[str, Any]:
    return {
        "image": torch.randn(3, SIZE, SIZE, generator=torch.Generator().manual_seed(number)),
        "box": torch.tensor([box]),
        "label": torch.tensor([label]),
        "image_id": f"i{number}",
        "patient_id": f"secret{number}",
        "height": SIZE,
        "width": SIZE,
        **facts,
    }


def run(folder: Path, pairs: list[tuple[dict[str, Any], torch.Tensor]]) -> tuple[dict[str, Any], Engine]:
    def step(engine: Engine, batch: list[Any]) -> dict[str, Any]:
        engine.state.batch = [one for one, _ in batch]
        return {"pred": torch.stack([found for _, found in batch])}

    engine = Engine(step)
    GroundingReport(folder, ["mass", "nodule"], Space(), resamples=30, examples=3).attach(engine)  # type: ignore[arg-type]
    engine.run([part for part in (pairs[:2], pairs[2:]) if part])
    return json.loads((folder / "grounding.json").read_text()), engine


def test_a_map_points_at_the_cell_that_fits_its_prompt() -> None:
    heat = heat_maps(cells(0, 3, 1), torch.eye(2), SIZE)
    assert heat.shape == (2, SIZE, SIZE)
    assert heat[1, 0, 15] == heat[1].max() == 1
    assert heat[1, 10, 2] == -1
    assert (heat[0] == 0).all()


def test_hits_and_misses_are_counted_by_finding(tmp_path: Path) -> None:
    pairs = [
        (item(0, [12, 0, 16, 4], 0), cells(0, 3, 0)),  # hit
        (item(1, [0, 12, 4, 16], 0), cells(0, 3, 0)),  # miss
        (item(2, [8, 8, 12, 12], 1), cells(2, 2, 1)),  # hit
        (item(3, [0, 0, 16, 16], 1), cells(2, 2, 1)),  # the box is everywhere
    ]
    result, engine = run(tmp_path, pairs)
    found = result["grounding"]["pre-trained"]
    assert (found["mass"]["hit"]["value"], found["nodule"]["hit"]["value"]) == (0.5, 1)
    assert found["macro"]["hit"]["value"] == 0.75
    assert found["mass"]["hit"]["trivial"] == pytest.approx(1 / 16)
    assert found["mass"]["contrast"]["trivial"] == 0
    assert engine.state.metrics["pointing"] == 0.75
    table = pd.read_parquet(tmp_path / "grounding.parquet").set_index("image_id")
    assert table.loc["i0", "contrast"] > 1 and table.loc["i1", "contrast"] < 0
    assert table["hit"].to_dict() == {"i0": 1, "i1": 0, "i2": 1, "i3": 1}
    assert "secret" not in (tmp_path / "grounding.parquet").read_bytes().decode(errors="ignore")
    assert (tmp_path / "pictures" / "grounding.png").stat().st_size > 10_000
    assert "pointing game mass (2)" in (tmp_path / "grounding.md").read_text()


def test_the_frame_around_a_radiograph_is_not_pointed_at(tmp_path: Path) -> None:
    # A radiograph 16 wide and 8 high lies in rows 4 … 11; the cell that fits best lies above it.
    grid = cells(0, 3, 0)
    grid[1, 0] = torch.tensor([0.5, 0.0])
    tall = item(0, [0, 4, 4, 8], 0, height=8, width=16)
    run(tmp_path, [(tall, grid), (item(1, [0, 0, 4, 4], 0), cells(0, 0, 0))])
    table = pd.read_parquet(tmp_path / "grounding.parquet").set_index("image_id")
    assert table.loc["i0", "area"] == pytest.approx(16 / 128)


def test_items_are_of_the_test_patients_or_of_all(prepared: Path) -> None:
    names = ["opacity", "effusion", "nodule", "pneumothorax"]
    test, everyone = (grounding_items(prepared, names, protocol) for protocol in ("split", "5-fold"))
    assert {one["split"] for one in test} == {"test"}
    assert {one["split"] for one in everyone} == {"train", "val", "test"}
    assert all(len(one["box"]) for one in everyone)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (SimpleNamespace(reason="Supervised has no space"), "No grounding: Supervised has no space"),
        (SimpleNamespace(reason="", method=nn.Linear(2, 2)), "No grounding: Linear projects images as a whole"),
    ],
)
def test_a_method_without_maps_says_so(space: Any, message: str) -> None:
    with pytest.raises(CxrError, match=message):
        CellMaps(space)


def test_a_data_set_without_boxes_says_so(prepared: Path) -> None:
    with pytest.raises(CxrError, match="needs boxes"):
        grounding_items(prepared, [])
