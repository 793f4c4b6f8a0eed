"""What the tests of pictures share."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Figures as they were saved, so that a test can read their texts."""
    kept: list[Figure] = []
    original = Figure.savefig

    def keep(self: Figure, *args: Any, **kwargs: Any) -> None:
        kept.append(self)
        original(self, *args, **kwargs)
        # A logarithmic axis writes formulas, which our style shows as they are.
        axes_ = [axis for axes in self.axes for axis in (axes.xaxis, axes.yaxis)]
        shown = [label.get_text() for axis in axes_ for label in axis.get_ticklabels(which="both")]
        assert not [text for text in shown if "mathdefault" in text]

    monkeypatch.setattr(Figure, "savefig", keep)
    return kept
