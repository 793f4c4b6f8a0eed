"""The public data sets of a prepared folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.data.origin import data_sets


@pytest.mark.parametrize(
    ("record", "names"),
    [
        ({"facts": {"name": "rsna", "contains": ["nih"]}}, ["rsna", "nih"]),
        ({"facts": {"name": "mimic-cxr", "contains": []}}, ["mimic-cxr"]),
        ({"facts": None}, []),
        ({}, []),
    ],
)
def test_its_own_and_those_that_it_holds(tmp_path: Path, record: dict[str, Any], names: list[str]) -> None:
    (tmp_path / "studies.parquet").touch()
    (tmp_path / "prepare.json").write_text(json.dumps(record))
    assert data_sets(tmp_path) == data_sets(str(tmp_path)) == names


@pytest.mark.parametrize("source", ["gone", [{"image": "a.png"}], None])
def test_nobody_can_tell(source: Any) -> None:
    assert data_sets(source) == []
