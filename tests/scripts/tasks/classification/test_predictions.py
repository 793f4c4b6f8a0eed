"""What ScoreWriter takes from an evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.errors import CxrError
from scripts.tasks.classification.calibration import Calibration
from scripts.tasks.classification.predictions import ScoreWriter


def test_an_evaluations_calibration_says_both(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    Calibration("multilabel", 1.5, {"b": 0.2, "a": 0.7}).write(path)
    writer = ScoreWriter(str(tmp_path), ["a", "b"], calibration=path)
    assert (writer.temperature, writer.thresholds) == (1.5, [0.7, 0.2])
    with pytest.raises(CxrError, match="of mode multilabel"):
        ScoreWriter(str(tmp_path), ["a", "b"], mode="multiclass", calibration=path)
