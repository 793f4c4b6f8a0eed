"""Views as DICOM and the public archives write them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scripts.data.views import normalize_views, select_views
from scripts.errors import CxrError
from scripts.radiograph.views import VIEWS, normalize_view

# DICOM: defined terms of PS3.3 C.8.1.1. Archives: all values of the columns View Position (OpenI, NIH, RSNA),
# ViewPosition_DICOM and Projection (PadChest), Frontal/Lateral and AP/PA (CheXpert) of the tables in torchxrayvision
# 1.5.7; MIMIC-CXR-JPG's metadata and covid-chestxray's metadata as their pages list them.
SPELLINGS = {
    "PA": ["PA", "pa", " PA ", "P.A.", "p/a", "POSTEROANTERIOR", "postero-anterior", "posterior to anterior"],
    "AP": ["AP", "ANTEROPOSTERIOR", "antero-posterior", "Antero posterior", "AP erect", "AP semi erect", "portable AP"],
    "AP supine": ["AP Supine", "AP_horizontal", "supine", "AP SUPINE PORTABLE", "antero-posterior (supine)"],
    "frontal": ["Frontal", "FRONTAL", "frontal view"],
    "lateral": ["LL", "RL", "L", "LATERAL", "Lateral", "LARGE LATERAL", "left lateral", "XTABLE LATERAL", "Supine LAT"],
    "other": [
        "RLD", "LLD", "RLO", "LLO", "LAO", "RAO", "LPO", "AP LLD", "PA RLD", "AP AXIAL", "AP LORDOTIC", "OBLICUA",
        "COSTAL", "EXCLUDE", "SWIMMERS", "Axial", "Coronal", "PA and lateral", "Frontal/Lateral", "SMITH^JOHN", "other",
    ],
    "unknown": ["", " ", "UNK", "unknown", "nan", "GENERICA", "n/a", "-", None, np.nan, pd.NA],
}  # fmt: skip


@pytest.mark.parametrize(("view", "value"), [(view, value) for view, values in SPELLINGS.items() for value in values])
def test_spellings(view, value):
    assert normalize_view(value) == view


@pytest.mark.parametrize("view", VIEWS)
def test_a_known_word_stays(view):
    assert normalize_view(view) == view


def test_a_column_keeps_its_rows():
    column = pd.Series(["PA", None, "LATERAL"], index=[5, 6, 9])
    pd.testing.assert_series_equal(normalize_views(column), pd.Series(["PA", "unknown", "lateral"], index=[5, 6, 9]))
    assert normalize_views(pd.Series([np.nan, np.nan])).tolist() == ["unknown", "unknown"]


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (["frontal"], ["PA", "AP", "AP supine", "frontal"]),
        (["AP"], ["AP", "AP supine"]),
        (["AP Supine"], ["AP supine"]),
        (["POSTEROANTERIOR", "L"], ["PA", "lateral"]),
        (["unknown"], ["unknown"]),
    ],
)
def test_what_a_filter_keeps(wanted, kept):
    views = pd.Series(VIEWS)
    assert views[select_views(views, wanted)].tolist() == kept


def test_a_filter_that_names_no_view_is_refused():
    with pytest.raises(CxrError, match="view=frotnal: no such view; the views are PA, AP, AP supine, frontal"):
        select_views(pd.Series(VIEWS), ["frotnal"])
