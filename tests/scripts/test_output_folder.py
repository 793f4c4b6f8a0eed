"""A folder that cannot take a run's files is known before the run."""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import pytest
from ignite.engine import Engine

from scripts.atomic import write_text_atomically
from scripts.errors import CxrError, explain_os_error
from scripts.evaluation.report import EvaluationReport
from scripts.output_folder import check_folder, check_path
from scripts.predictions.embeddings import EmbeddingWriter
from scripts.tasks.classification.predictions import ScoreWriter


def test_a_folder_that_can_be_written_is_made_and_left_empty(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b", "output_dir")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    check_path(tmp_path / "a" / "b" / "c")
    assert not (tmp_path / "a" / "b" / "c").exists()


@pytest.mark.parametrize("below", ["", "sub/folder"])
def test_a_file_in_its_place_is_named(tmp_path: Path, below: str) -> None:
    file = tmp_path / "out"
    file.write_text("notes")
    folder = file / below if below else file
    for check in (lambda: check_folder(folder, "output_dir"), lambda: check_path(folder)):
        with pytest.raises(CxrError) as caught:
            check()
        assert str(folder) in str(caught.value)
        assert "a file" in str(caught.value)
        assert "hoose another" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert file.read_text() == "notes"


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EACCES])
def test_what_the_file_system_says_is_told_with_its_cure(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise OSError(code, "as the system says it", str(tmp_path / "x"))

    monkeypatch.setattr("scripts.output_folder.tempfile.NamedTemporaryFile", refuse)
    with pytest.raises(CxrError, match=rf"^Nothing can be written to ckpt_dir {tmp_path}: .*choose another folder"):
        check_folder(tmp_path, "ckpt_dir")


def test_every_rank_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(idist, "get_world_size", lambda: 2)

    def broadcast(text: str, src: int) -> str:
        sent.append(text)
        return text

    monkeypatch.setattr(idist, "broadcast", broadcast)
    (tmp_path / "file").touch()
    with pytest.raises(CxrError):
        check_folder(tmp_path / "file", "output_dir")
    check_folder(tmp_path, "output_dir")
    monkeypatch.setattr(idist, "get_rank", lambda: 1)
    monkeypatch.setattr(idist, "broadcast", lambda text, src: sent[0])
    with pytest.raises(CxrError):
        check_folder(tmp_path / "on another machine", "output_dir")
    assert sent[1] == "."  # nothing to say, which still has to be said
    assert not (tmp_path / "on another machine").exists()


WRITERS: dict[str, Callable[[Path], Any]] = {
    "predictions": lambda folder: ScoreWriter(str(folder), ["a"]),
    "embeddings": lambda folder: EmbeddingWriter(folder / "embeddings.parquet"),
    "evaluation": lambda folder: EvaluationReport(folder, ["a"]),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_inference_and_evaluation_look_before_the_first_image(tmp_path: Path, kind: str) -> None:
    (tmp_path / "out").touch()
    seen: list[Any] = []
    engine = Engine(lambda engine, batch: seen.append(batch))
    WRITERS[kind](tmp_path / "out").attach(engine)
    with pytest.raises(CxrError, match="Nothing can be written to output_dir"):
        engine.run([0])
    assert seen == []


def test_a_file_larger_than_allowed_is_told_with_its_path(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    (tmp_path / "history.json").write_text("before")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with pytest.raises(CxrError, match=r"Could not write .*history.json: .*File too large"):
            write_text_atomically("x" * (1 << 20), tmp_path / "history.json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["history.json"]
    assert (tmp_path / "history.json").read_text() == "before"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.EROFS, "Read-only file system", "/out/x"),
            "/out/x: it can be read only: choose another",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "No space is left on the disk: free some, or",
        ),
        (FileExistsError(errno.EEXIST, "File exists", "out"), "out: there is a file of that name"),
        (OSError(errno.EIO, "Input/output error", "/out/x"), "/out/x: Input/output error."),
        (OSError("odd"), "Odd."),
    ],
)
def test_an_error_of_the_file_system_is_told_in_one_line(error: OSError, words: str) -> None:
    assert explain_os_error(error).startswith(words)
