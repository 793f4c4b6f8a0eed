"""A language model small enough to be made in every test: random weights, thirty words."""

from __future__ import annotations

import tarfile
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

WORDS = (
    "no acute cardiopulmonary process the heart is normal in size lungs are clear small left right pleural effusion "
    "with mild edema pneumothorax opacity lower lobe . ,"
)


@pytest.fixture
def make_bert(tmp_path: Path) -> Callable[..., Path]:
    """Function that writes a random BERT with its tokenizer into a folder, and gives the folder."""

    def make(name: str = "tiny", seed: int = 0, **changes: int) -> Path:
        from transformers import BertConfig, BertModel

        folder = tmp_path / "models" / name
        folder.mkdir(parents=True, exist_ok=True)
        vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(WORDS.split())]
        (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
        settings = {
            "vocab_size": len(vocabulary),
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 48,
            "max_position_embeddings": 64,
            "initializer_range": 0.3,
        }
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            BertModel(BertConfig(**(settings | changes))).save_pretrained(folder)
        return folder

    return make


@pytest.fixture
def tiny_bert(make_bert: Callable[..., Path]) -> Path:
    """Folder of a random BERT."""
    return make_bert()


@pytest.fixture(scope="session")
def iu_raw(shared_data: Path) -> dict[str, dict[str, str | None]]:
    """Sections of the 3,955 reports of the Indiana University collection, by report and by heading."""
    reports = {}
    with tarfile.open(shared_data / "iu_reports" / "NLMCXR_reports.tgz") as archive:
        for member in archive:
            if member.name.endswith(".xml") and (file := archive.extractfile(member)):
                root = ET.parse(file).getroot()
                reports[Path(member.name).stem] = {str(p.get("Label")): p.text for p in root.iter("AbstractText")}
    return reports


@pytest.fixture(scope="session")
def iu_reports(iu_raw: dict[str, dict[str, str | None]]) -> list[dict[str, str | None]]:
    """The same as a list."""
    return list(iu_raw.values())
