"""Prompts: the file of the project serves what labels are called, and a person's own file is checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.errors import CxrError
from scripts.evaluation.prompts import Prompts, sentences

NIH = [
    *("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis", "Hernia"),
    *("Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumonia", "Pneumothorax"),
]
DEMO = ["opacity", "effusion", "pneumothorax", "nodule", "cardiomegaly"]
TEMPLATES = {"positive": ["There is {}.", "{} is seen."], "negative": ["No {}."]}


@pytest.mark.parametrize("finding", [*NIH, *DEMO, "covid19", "Pleural Effusion", "COVID-19", "No Finding"])
def test_the_usual_findings_have_sentences_of_their_own(finding: str) -> None:
    prompts = Prompts()
    pair = prompts.of(finding)
    filled = {text.replace("{}", finding.lower()) for side in prompts.templates for text in side}
    assert len(pair.positive) == len(pair.negative) >= 3
    assert len({*pair.positive, *pair.negative}) == 2 * len(pair.positive)  # no sentence speaks for both
    assert not {*pair.positive, *pair.negative} <= filled


def test_each_sentence_of_the_file_is_one() -> None:
    prompts = Prompts()
    texts = sentences([prompts.templates, *prompts.findings.values()])
    assert all(text[0] in "{" or text[0].isupper() for text in texts)
    assert all(text.endswith(".") for text in texts)


def test_any_other_finding_gets_the_templates() -> None:
    assert Prompts().of("Lung_Fracture").positive[:2] == ("There is lung fracture.", "Lung fracture is present.")


def write(folder: Path, content: Any) -> Path:
    path = folder / "own.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_file_of_ones_own_replaces_all(tmp_path: Path) -> None:
    own = {"positive": ["Big heart."], "negative": ["Small heart."]}
    content = {"templates": TEMPLATES, "findings": {"Large_Heart": own}, "same": {"cardiomegaly": "large heart"}}
    prompts = Prompts(write(tmp_path, content))
    assert prompts.of("Cardiomegaly").positive == ("Big heart.",)
    assert prompts.of("effusion").negative == ("No effusion.",)
    assert sentences([prompts.of("cardiomegaly"), prompts.of("large-heart")]) == ["Big heart.", "Small heart."]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ({"findings": {}}, "needs 'templates'"),
        ({"templates": {"positive": ["There is {}."]}}, "templates needs two lists"),
        ({"templates": {"positive": ["There is."], "negative": ["No {}."]}}, "needs {} where"),
        ({"templates": TEMPLATES, "findings": {"mass": {"positive": [], "negative": ["No mass."]}}}, "mass needs two"),
        ({"templates": TEMPLATES, "same": {"lump": "mass"}}, "'same' sends lump"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(CxrError, match=message):
        Prompts(write(tmp_path, content))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CxrError, match=r"prompts: .*nowhere\.json"):
        Prompts(tmp_path / "nowhere.json")
