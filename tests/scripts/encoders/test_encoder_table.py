"""The table of encoders in docs/encoders.md, cell by cell, on tiny random models of each family and one published one.

The page is the expectation: a cell that works and is not ticked fails as well as one that is ticked and does not work.
encoder_table.json holds the sizes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch.testing import assert_close
from transformers.models.auto import modeling_auto

from scripts.encoders.factory import feature_encoder, load_encoder
from scripts.errors import CxrError
from tests.scripts.encoders import encoder_cells as cells

PAGE = (Path(__file__).parents[3] / "docs" / "encoders.md").read_text(encoding="utf-8")
SIZES = json.loads(Path(__file__).with_name("encoder_table.json").read_text())
DONE, FAILED, NOT_TRIED = "✓", "✗", ""


def table(heading: str) -> dict[str, dict[str, str]]:
    """A table of the page: what its first column has in backticks -> cells by the head of their column."""
    lines = [line for line in PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0].splitlines() if line[:1] == "|"]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {re.findall(r"`([\w-]+)`", row[0])[0]: dict(zip(head, row, strict=True)) for row in rows}


IMAGES = table("Image encoders")
REFUSED = table("Not taken")
COLUMNS = [*next(iter(IMAGES.values()))][1:]


def arguments(name: str) -> tuple[cells.Encoder, dict[str, Any]]:
    """Encoder and options of a row."""
    options = SIZES["taken"][name]
    return ({"model_type": name, **options}, {}) if name not in MONAI else (name, options)


MONAI = ("resnet18", "resnet50", "densenet121")


def sweep(name: str, encoder: cells.Encoder, options: dict[str, Any], wanted: dict[str, str], folder: Path) -> None:
    """Tries each cell of a row that is not blank, and compares with the page."""
    fresh = cells.copies(encoder, options)
    exported = {}

    def export() -> None:
        network = cells.Both(fresh()).eval()
        exported[name] = cells.exported(network), network

    tried: dict[str, Callable[[], str | None]] = {
        "maps": lambda: cells.maps(fresh()),
        "forward": lambda: cells.forward(fresh()),
        "frozen": lambda: cells.freeze(fresh()),
        "pre-train": lambda: cells.pretrain(fresh(), folder),
        "classify": lambda: cells.classification(fresh()),
        "segment": lambda: cells.segmentation(fresh()),
        "detect": lambda: cells.detection(fresh()),
        "torch.export": export,
        "ONNX": lambda: cells.onnx(*exported[name]),
        "TorchScript": lambda: cells.torchscript(cells.Both(fresh()).eval()),
    }
    assert list(tried) == COLUMNS
    found, errors = {}, {}
    for column, attempt in tried.items():
        if wanted[column] == NOT_TRIED:
            found[column] = NOT_TRIED
            continue
        try:
            found[column] = attempt() or DONE
        except Exception as error:
            found[column], errors[column] = FAILED, f"{type(error).__name__}: {error}"[:300]
    assert found == {column: wanted[column].partition(" [")[0] for column in COLUMNS}, errors


@pytest.mark.parametrize("name", SIZES["taken"])
def test_a_row_is_as_the_page_has_it(name: str, tmp_path: Path) -> None:
    sweep(name, *arguments(name), IMAGES[name], tmp_path)


def test_the_page_and_the_sizes_have_the_same_rows() -> None:
    assert list(IMAGES) == [*SIZES["taken"], "dinov2_vits14"]
    assert list(REFUSED) == list(SIZES["refused"])
    footnotes = set(re.findall(r"\[(\w+)\]", " ".join(cell for row in IMAGES.values() for cell in row.values())))
    assert all(f"\n[{note}] " in PAGE for note in footnotes)
    assert all(row["ONNX"] == NOT_TRIED or row["torch.export"] == DONE for row in IMAGES.values())


def test_the_published_vit(shared_data: Path, tmp_path: Path) -> None:
    """Meta's ViT-S/14: the row, and after loading through pre-training's network the values of its own class."""
    folder = shared_data.parent / "weights" / "dinov2_vits14"
    if not folder.is_dir():
        pytest.skip(f"no weights at {folder}")
    sweep("dinov2_vits14", str(folder), {}, IMAGES["dinov2_vits14"], tmp_path)
    from scripts.encoders.pooled import PooledEncoder

    encoder = load_encoder(PooledEncoder(str(folder)), folder).eval()
    stock = transformers.Dinov2Model.from_pretrained(folder, dtype=torch.float32).eval()
    images = cells.IMAGES[:1].repeat(1, 1, 2, 2)[:, :, :112, :112]  # a multiple of the patch
    with torch.no_grad():
        assert_close(encoder(images), stock(images).last_hidden_state[:, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("resnet18", "n_input_channels"),
        ("densenet121", "in_channels"),
        ("vit", "num_channels"),
        ("swin", "num_channels"),
    ],
)
def test_a_network_of_one_channel(name: str, option: str, tmp_path: Path) -> None:
    encoder, options = arguments(name)
    found = cells.make(encoder, {**options, option: 1})
    cells.forward(found)
    colours = cells.IMAGES.clone()
    colours[:, 1:] = 0
    with torch.no_grad():
        assert_close(found.pooled(colours), found.pooled(cells.IMAGES))
    cells.pretrain(found, tmp_path)
    cells.segmentation(found)


@pytest.mark.parametrize("encoder", ["convnext", "vit"])
def test_a_detector_exports(encoder: str) -> None:
    """The one network whose output is lists in a dict (classifier and segmenter: their own tests)."""
    network = cells.Detector(cells.make(*arguments(encoder)), 1, fpn_channels=8).eval()
    for parameter in network.parameters():
        if parameter.ndim > 1:  # fresh heads say the prior of 0.01 everywhere
            torch.nn.init.kaiming_normal_(parameter)
    cells.onnx(cells.exported(network), network)


@pytest.mark.parametrize("name", SIZES["refused"])
def test_what_is_not_taken_says_why(name: str) -> None:
    words = re.findall(r"`([^`]+)`", REFUSED[name]["the message says"])
    with pytest.raises(CxrError) as error:
        feature_encoder({"model_type": name, **SIZES["refused"][name]})
    assert words and all(word in str(error.value) for word in words), str(error.value)


def test_every_backbone_and_classifier_of_transformers_is_on_the_page() -> None:
    known = {
        *modeling_auto.MODEL_FOR_BACKBONE_MAPPING_NAMES,
        *modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
    }
    assert sorted(name for name in known if f"`{name}`" not in PAGE) == []
