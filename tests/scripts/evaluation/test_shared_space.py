"""Zero-shot classification and retrieval through a method's own projections."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from scripts.errors import CxrError
from scripts.evaluation.shared_space import SharedSpace

WORDS = {"There is a mass.": 0, "Mass is seen.": 1, "No mass.": 2, "No mass is seen.": 3}


class Store:
    """Gives each text a corner of its own; the real one is tested with the language model."""

    def __init__(self) -> None:
        self.ensured: list[str] = []

    def ensure(self, texts: Iterable[str]) -> int:
        self.ensured += texts
        return 0

    def lookup(self, texts: Sequence[str]) -> np.ndarray:
        return np.eye(4, dtype=np.float32)[[WORDS[text] if text in WORDS else int(text[-1]) for text in texts]]


class Method(nn.Module):
    """The text's corners are turned by `turn` places on the image's side."""

    def __init__(self, turn: int = 0, scale: float | None = None) -> None:
        super().__init__()
        self.image_projector = nn.Linear(4, 4, bias=False)
        self.text_projector = nn.Linear(4, 4, bias=False)
        self.image_projector.weight.data = torch.eye(4).roll(turn, 0)
        self.text_projector.weight.data = torch.eye(4)
        if scale is not None:
            self.log_scale = nn.Parameter(torch.tensor(scale).log())

    def project_image(self, features: torch.Tensor) -> torch.Tensor:
        return self.image_projector(features)

    def project_text(self, text: torch.Tensor) -> torch.Tensor:
        return self.text_projector(text)


def space(folder: Path, method: Method, own: Method | None = None, store: Store | None = None) -> SharedSpace:
    """The space of `method`'s weights, read into `own`."""
    torch.save(method.state_dict(), folder / "pretraining.pt")
    prompts = {"templates": {"positive": ["There is a {}.", "{} is seen."], "negative": ["No {}.", "No {} is seen."]}}
    (folder / "prompts.json").write_text(json.dumps(prompts))
    return SharedSpace(
        own or method, folder / "pretraining.pt", store or Store(), "pre-trained", folder / "prompts.json"  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(("turn", "hits"), [(0, 1.0), (1, 0.0)])
def test_the_weights_of_the_file_decide_what_is_found(tmp_path: Path, turn: int, hits: float) -> None:
    store = Store()
    reports = [f"report {i}" for i in range(4)]
    found = space(tmp_path, Method(turn), Method(2), store).retrieve(
        torch.eye(4), reports, np.array(["a", "b", "c", "d"]), resamples=20
    )
    for way in ("image_to_report", "report_to_image"):
        assert found[way]["p_at_1"].value == hits
        assert found[way]["p_at_1"].trivial == 0.25
    assert store.ensured == reports


def test_with_labels_retrieval_is_scored_by_finding_too(tmp_path: Path) -> None:
    image = torch.tensor([[1.0, 0.9, 0, 0], [0.9, 1, 0, 0], [0, 0, 1, 0.9], [0, 0, 0.9, 1]])
    reports, labels = [f"report {i}" for i in range(4)], [[1], [1], [0], [0]]
    found = space(tmp_path, Method()).retrieve(
        image, reports, np.array(["a", "b", "c", "d"]), np.array(labels), ["mass"], resamples=20
    )
    for way in ("image_to_report", "report_to_image"):
        assert found[way]["finding_p_at_1"].value == 1
        assert found[way]["finding_p_at_1"].trivial == pytest.approx(1 / 3)
        assert "finding_queries" not in found[way]


@pytest.mark.parametrize(("scale", "used"), [(None, 1.0), (10.0, 10.0)])
def test_zero_shot_is_the_softmax_over_the_pair(tmp_path: Path, scale: float | None, used: float) -> None:
    # The ensemble of two corners lies between them: (1, 1, 0, 0) / √2 says yes, (0, 0, 1, 1) / √2 says no.
    images = torch.tensor([[3.0, 3, 0, 0], [0, 0, 2, 2], [1, 0, 0, 0], [1, 1, 1, 1]])
    found = space(tmp_path, Method(scale=scale)).zero_shot(images, ["Mass"])
    yes = np.array([1, 0, math.sqrt(0.5), math.sqrt(0.5)])
    no = np.array([0, 1, 0, math.sqrt(0.5)])
    softmax = np.exp(used * yes) / (np.exp(used * yes) + np.exp(used * no))
    np.testing.assert_allclose(1 / (1 + np.exp(-found[:, 0])), softmax, atol=1e-6)


def test_prompts_are_means_of_unit_vectors(tmp_path: Path) -> None:
    method = Method()
    method.text_projector.weight.data = torch.diag(torch.tensor([1.0, 100, 1, 1]))  # a long one counts like another
    found = space(tmp_path, method).project_prompts(["mass"])
    half = math.sqrt(0.5)
    torch.testing.assert_close(found, torch.tensor([[[half, half, 0, 0], [0, 0, half, half]]]))


def test_a_sure_image_and_a_surer_one_stay_apart(tmp_path: Path) -> None:
    images = torch.tensor([[1.0, 1, 0, 0], [1, 1, 0.05, 0.05]])
    found = space(tmp_path, Method(scale=100.0)).zero_shot(images, ["mass"])
    assert found[0, 0] != found[1, 0]  # their probabilities are both 1


class Labels(nn.Module):
    """A method that never saw a report."""


def test_a_method_without_a_shared_space_says_so(tmp_path: Path) -> None:
    found = SharedSpace(Labels(), tmp_path / "nothing.pt", None, "pre-trained")  # type: ignore[arg-type]
    assert found.reason == "Labels has no space that images and reports share"
    assert space(tmp_path, Method()).reason == ""


LEARNED = {"model": "bert", "pooling": "mean", "max_length": 256, "dtype": "auto", "revision": "a1"}


class Read(Store):
    """Knows which model read its texts."""

    def __init__(self, **other: str) -> None:
        super().__init__()
        self.other = other

    def identity(self) -> dict[str, object]:
        return {**LEARNED, **self.other}


@pytest.mark.parametrize("same", [{}, {"model": "folder-of-another-name", "dtype": "bfloat16"}])
def test_the_language_model_of_the_pre_training_is_taken(tmp_path: Path, same: dict[str, str]) -> None:
    (tmp_path / "pretraining.json").write_text(json.dumps({"settings": {"language_model_identity": LEARNED}}))
    assert space(tmp_path, Method(), store=Read(**same)).reason == ""


@pytest.mark.parametrize("other", [{"revision": "b2"}, {"pooling": "cls"}])
def test_another_language_model_of_the_same_width_is_refused(tmp_path: Path, other: dict[str, str]) -> None:
    (tmp_path / "pretraining.json").write_text(json.dumps({"settings": {"language_model_identity": LEARNED}}))
    [(key, value)] = other.items()
    with pytest.raises(CxrError, match=f"{key} {LEARNED[key]} there, {value} here.*--language_model"):
        space(tmp_path, Method(), store=Read(**other))


def test_weights_of_another_method_are_refused(tmp_path: Path) -> None:
    torch.save({"image_projector.weight": torch.zeros(4, 4)}, tmp_path / "pretraining.pt")
    with pytest.raises(CxrError, match=r"1 missing \(text_projector\.weight\)"):
        SharedSpace(Method(), tmp_path / "pretraining.pt", Store(), "pre-trained")  # type: ignore[arg-type]


class Written:
    """A language model that is at hand."""

    def embed_batches(self, texts: Sequence[str], progress: bool = True):  # type: ignore[no-untyped-def]
        yield list(range(len(texts))), np.eye(4, dtype=np.float32)[[WORDS[text] for text in texts]]


class Sealed(Store):
    """Of a data set that cannot be written."""

    model = Written()

    def ensure(self, texts: Iterable[str]) -> int:
        raise CxrError("Text store /sealed cannot be written: read-only")


def test_a_data_set_that_cannot_be_written_still_gets_its_prompts(tmp_path: Path) -> None:
    found = space(tmp_path, Method(), store=Sealed()).zero_shot(torch.eye(4), ["mass"])
    assert (found[:2] > 0).all() and (found[2:] < 0).all()
