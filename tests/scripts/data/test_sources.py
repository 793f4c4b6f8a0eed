"""One switch for where the data lies, and the language model that goes with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.data.sources import is_prepared, language_model_of, load_items, text_folder
from scripts.errors import CxrError


@pytest.fixture
def prepared_with_cls(prepared: Path, tmp_path: Path) -> Path:
    """The prepared folder's record, as if it had been made with another language model."""
    (tmp_path / "studies.parquet").write_bytes((prepared / "studies.parquet").read_bytes())
    record = json.loads((prepared / "prepare.json").read_text())
    record["language_model"] |= {"given": "some/encoder", "pooling": "cls"}
    (tmp_path / "prepare.json").write_text(json.dumps(record))
    return tmp_path


def test_training_reads_with_the_language_model_that_prepare_used(prepared: Path, prepared_with_cls: Path) -> None:
    assert repr(language_model_of(prepared)) == "FrozenLanguageModel('minilm', pooling='mean', max_length=256)"
    assert repr(language_model_of(prepared_with_cls)) == (
        "FrozenLanguageModel('some/encoder', pooling='cls', max_length=256)"
    )
    assert "minilm" in repr(language_model_of(prepared_with_cls, model="minilm"))
    assert language_model_of(prepared_with_cls, pooling="mean").pooling == "mean"


def test_raw_files_are_read_with_the_packaged_one(tmp_path: Path) -> None:
    assert repr(language_model_of(tmp_path / "table.csv")) == repr(language_model_of(tmp_path, "minilm", None, "mean"))
    assert text_folder(tmp_path / "table.csv") is None


def test_what_is_neither_prepared_nor_raw_says_how_to_prepare(tmp_path: Path) -> None:
    assert not is_prepared(tmp_path)
    with pytest.raises(CxrError, match="bundle prepare"):
        load_items(tmp_path)


def test_a_broken_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "studies.parquet").touch()
    for content in ("{", "[]"):
        (tmp_path / "prepare.json").write_text(content)
        with pytest.raises(CxrError, match=r"prepare\.json is missing or damaged .* Run prepare again"):
            language_model_of(tmp_path)
