"""A checkpoint is whole or not there: whatever kills the process, and however full the disk is."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch

from scripts import atomic
from scripts.atomic import create_once, save_atomically, write_text_atomically
from scripts.errors import CxrError


def save_for_ever(path: Path) -> None:
    version = 0
    while True:
        version += 1
        save_atomically({"version": version, "values": torch.full((300_000,), version)}, path)


def kill_savers(path: Path, times: int = 25) -> None:
    """Run in a clean process: a fork of one whose torch has threads already hangs in its first parallel loop."""
    torch.set_num_threads(1)
    moments = random.Random(0)
    for _ in range(times):
        before = path.stat().st_ino
        child = os.fork()
        if child == 0:
            try:
                save_for_ever(path)
            finally:
                os._exit(1)
        while path.stat().st_ino == before:  # until it saves
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        state = torch.load(path, weights_only=True)
        assert torch.equal(state["values"], torch.full_like(state["values"], state["version"]))
        assert state["version"] > 0


def test_killed_at_random_moments_a_save_never_loses_the_file(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_atomically({"version": 0, "values": torch.zeros(300_000)}, path)
    process = multiprocessing.get_context("forkserver").Process(target=kill_savers, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 0
    save_atomically({}, path)
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]  # what the kills left is gone


@contextmanager
def limited_file_size(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def full_disk_on_flush(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    yield


@contextmanager
def full_disk_in_torch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def save(value: Any, file: BinaryIO) -> None:
        file.write(b"the first half")
        raise RuntimeError("[enforce fail at inline_container.cc:858] . PytorchStreamWriter failed writing file data/1")

    monkeypatch.setattr(torch, "save", save)
    yield


@pytest.mark.parametrize("trouble", [limited_file_size, full_disk_on_flush, full_disk_in_torch])
def test_a_failed_save_fails_loudly_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Callable[..., AbstractContextManager[None]]
) -> None:
    path = tmp_path / "checkpoint.pt"
    save_atomically({"old": torch.ones(3)}, path)
    words = r"Could not write .*checkpoint\.pt: .*The previous file is untouched"
    with trouble(monkeypatch), pytest.raises(CxrError, match=words):
        save_atomically({"new": torch.zeros(1_000_000)}, path)
    assert torch.equal(torch.load(path, weights_only=True)["old"], torch.ones(3))
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_equal_values_give_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the file's name, folder and process; torch's own names the archive's folder after the file."""
    files = [tmp_path / "model.pt", tmp_path / "other" / "pretraining.pt"]
    for number, file in enumerate(files):
        monkeypatch.setattr(os, "getpid", lambda number=number: 4000 + number)
        save_atomically({"weight": torch.arange(12.0).reshape(3, 4), "epoch": 2}, file)
    digests = {hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    assert len(digests) == 1
    torch.save({"weight": torch.arange(12.0).reshape(3, 4), "epoch": 2}, tmp_path / "theirs.pt")
    assert hashlib.sha256((tmp_path / "theirs.pt").read_bytes()).hexdigest() not in digests


def test_an_error_that_is_no_full_disk_passes_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="CUDA error: device-side assert"), atomic.writing(tmp_path / "file"):
        raise RuntimeError("CUDA error: device-side assert triggered")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CxrError, match=r"Could not write .*history\.json"):
        write_text_atomically("[]", tmp_path / "file" / "history.json")


def test_a_file_is_created_once_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")  # what exFAT says

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert create_once(tmp_path / "salt", b"first") == b"first"
    assert create_once(tmp_path / "salt", b"second") == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["salt"]
