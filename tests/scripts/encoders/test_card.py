"""Settings beside weights: found again, and guarded."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from scripts.encoders.card import check_card, fold_note, overlap_note, read_card, trained_data, trained_settings
from scripts.errors import CxrError

TRAINED = {"names": ["a", "b"], "mode": "multilabel", "image_size": 128, "frozen": False}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    (tmp_path / "model.json").write_text(json.dumps({"settings": TRAINED, "best": {}}))
    return tmp_path / "model.pt"


@pytest.mark.parametrize("wrong", [{"names": ["b", "a"]}, {"names": ["c", "d"]}, {"mode": "multiclass"}])
def test_weights_of_other_findings_are_refused(weights: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(CxrError, match=next(iter(wrong))):
        check_card(weights, TRAINED | wrong)


def test_another_size_is_told(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check_card(weights, TRAINED | {"image_size": 224})
    assert "image_size 128, not 224" in caplog.text


def test_the_same_settings_and_those_of_unknown_weights_pass(weights: Path, tmp_path: Path) -> None:
    check_card(weights, {**TRAINED, "names": ("a", "b"), "seed": 3})
    check_card(tmp_path / "other.pt", TRAINED)
    assert read_card(tmp_path / "other.pt") == {}


def test_the_card_knows_better_how_the_weights_came_to_be(weights: Path) -> None:
    assert trained_settings(weights, {"frozen": True, "protocol": "mended"}) == TRAINED | {"protocol": "mended"}


def test_another_fold_than_the_trained_one_is_told(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    weights.with_suffix(".json").write_text(json.dumps({"settings": {"fold": 0}}))
    check_card(weights, {"fold": 0})
    assert not caplog.records and not fold_note(trained_settings(weights, {"fold": 0}))
    check_card(weights, {"fold": None})
    told = fold_note(trained_settings(weights, {"fold": None}))
    assert "trained with fold 0 and are evaluated with no fold" in told and told in caplog.text
    assert not fold_note(trained_settings(weights, {}))


@pytest.mark.parametrize(
    ("card", "evaluated", "told"),
    [
        ({"data": ["nih"]}, ["rsna", "nih"], "These weights were trained on nih, and the images of rsna .*(nih)"),
        ({"data": ["rsna", "nih"]}, ["nih"], "trained on rsna, and the images of nih"),
        ({"data": ["rsna", "nih"]}, ["siim", "nih"], "trained on rsna, and the images of siim"),
        ({"data": ["rsna", "nih"], "encoder_data": ["nih"]}, ["rsna", "nih"], "The encoder was trained on nih"),
        ({"data": ["nih"], "encoder_data": ["nih"]}, ["nih"], ""),
        ({"data": ["mimic-cxr"], "encoder_data": []}, ["rsna", "nih"], ""),
        ({"data": []}, [], ""),
        ({}, ["rsna", "nih"], ""),
    ],
)
def test_images_that_the_weights_may_have_seen_in_another_set_are_told(
    weights: Path, card: dict[str, Any], evaluated: list[str], told: str
) -> None:
    weights.with_suffix(".json").write_text(json.dumps({"settings": card}))
    note = overlap_note(trained_settings(weights, {"data": evaluated}))
    assert re.search(told, note) if told else not note


def test_what_weights_have_seen(weights: Path) -> None:
    weights.touch()
    assert trained_data(weights) == trained_data("random") == trained_data(None) == []
    weights.with_suffix(".json").write_text(
        json.dumps({"settings": {"data": ["rsna", "nih"], "encoder_data": ["nih"]}})
    )
    assert trained_data(weights) == ["rsna", "nih"]


def test_a_damaged_card_is_named(weights: Path) -> None:
    weights.with_suffix(".json").write_text("{")
    with pytest.raises(CxrError, match=r"model\.json"):
        read_card(weights)
