"""The picture of several methods' geometry: what it draws for seeds, collapses, and methods that lack a score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.errors import CxrError
from scripts.figures.geometry_comparison import by_epoch, plot_geometry_comparison


def history(rank: float, collapsed_from: int = 99, alignment: bool = True) -> list[dict[str, float]]:
    rows = []
    for epoch in range(1, 5):
        row = {"epoch": float(epoch), "val_effective_rank": rank + epoch, "val_feature_std": 1.0}
        row["val_collapsed"] = float(epoch >= collapsed_from)
        rows.append(row | ({"val_alignment": 1.0} if alignment else {}))
    return rows


def test_seeds_are_a_mean_and_a_range() -> None:
    epochs, values = by_epoch([*history(10), *history(20)[:3], {"epoch": 7.0}], "val_effective_rank")
    np.testing.assert_array_equal(epochs, [1, 2, 3, 4])
    np.testing.assert_array_equal(values, [[16, 11, 21], [17, 12, 22], [18, 13, 23], [14, 14, 14]])
    assert by_epoch([], "val_effective_rank")[1].shape == (0, 3)


def test_methods_share_a_legend_that_tells_who_collapsed(tmp_path: Path, drawn: list[Any]) -> None:
    histories = {
        "mflag": [*history(10), *history(20)],
        "supervised": history(30, alignment=False),
        "authors": history(2, collapsed_from=3),
    }
    spectra = {"mflag": [3.0, 2.0, 1.0], "authors": [3.0, 0.0, 0.0], "random": [1.0, 1.0, 1.0]}
    path = plot_geometry_comparison(histories, tmp_path / "new" / "geometry.png", spectra)
    assert path.is_file()
    (figure,) = drawn
    names = ["mflag", "supervised", "authors (collapsed, epoch 3)", "random"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == names
    rank, spread, aligned, spectrum = figure.axes
    assert len(rank.collections) == 1  # the band of the two seeds
    crosses = [line for axes in (rank, spread, aligned) for line in axes.lines if line.get_marker() == "X"]
    assert [float(line.get_xdata()[0]) for line in crosses] == [3, 3, 3]
    assert float(crosses[0].get_ydata()[0]) == 5
    # Two methods have an alignment, one a cross there; a curve has its method's colour in each panel.
    curves = [line for line in aligned.lines if line.get_marker() != "X"]
    assert [line.get_color() for line in curves] == [rank.lines[0].get_color(), crosses_of(rank)]
    assert len(spectrum.lines) == 3
    assert spectrum.get_yscale() == "log"


def crosses_of(axes: Any) -> str:
    """Colour of the curve that is drawn right before the cross."""
    marked = [i for i, line in enumerate(axes.lines) if line.get_marker() == "X"]
    return axes.lines[marked[0] - 1].get_color()


def test_many_methods_stay_apart(tmp_path: Path, drawn: list[Any]) -> None:
    plot_geometry_comparison({f"method {i}": history(i) for i in range(10)}, tmp_path / "g.png")
    looks = [(line.get_color(), line.get_linestyle()) for line in drawn[0].axes[0].lines if len(line.get_xdata())]
    assert len(set(looks)) == 10


def test_nothing_to_compare_is_named(tmp_path: Path) -> None:
    with pytest.raises(CxrError, match="val_effective_rank"):
        plot_geometry_comparison({"mflag": [{"epoch": 1.0, "loss": 2.0}]}, tmp_path / "g.png")
