"""What `initialize` does, and the words in which an error is told."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from scripts.engine.workflow import explain, show_error, start_workflow
from scripts.errors import CxrError


def test_it_seeds_everything_and_may_run_twice() -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), np.random.random(), torch.rand(()).item()

    start_workflow(5)
    first = draw()
    start_workflow(5)
    assert draw() == first
    start_workflow(None)  # leaves the generators alone
    assert draw() != first


def test_a_host_process_keeps_its_hook_and_may_inject_anything(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    before = sys.excepthook
    monkeypatch.setattr(
        sys, "argv", ["host", "run", "--config_file", str(project / "configs/train.json"), "--epoch", "3"]
    )
    start_workflow()
    assert sys.excepthook is before


def test_moNAIs_command_line_is_checked(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    main = ModuleType("__main__")
    main.__spec__ = SimpleNamespace(name="monai.bundle.__main__")  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "__main__", main)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # to be put back
    monkeypatch.setattr(
        sys, "argv", ["monai", "run", "--config_file", str(project / "configs/train.json"), "--epoch", "3"]
    )
    with pytest.raises(CxrError, match="Did you mean --epochs"):
        start_workflow()
    assert sys.excepthook is show_error


def nested(error: Exception) -> Exception:
    """As MONAI wraps what a component raises while it is built."""
    try:
        try:
            raise error
        except Exception as inner:
            raise RuntimeError("Failed to instantiate <component>\nwith 60 more lines") from inner
    except RuntimeError as outer:
        return outer


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (CxrError("No weights at x.pt. Train first."), "No weights at x.pt. Train first."),
        (nested(CxrError("our own words")), "our own words"),
        (nested(ValueError("first\nsecond")), "ValueError: first\n  while: Failed to instantiate <component>"),
        (KeyError("name"), "KeyError: 'name'"),
        (ValueError(), "ValueError: no message"),
        (RuntimeError("Error(s) in loading:\n\tsize mismatch"), "RuntimeError: Error(s) in loading: size mismatch"),
    ],
)
def test_an_error_is_told_in_two_lines_and_the_trace_kept(
    error: Exception, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    show_error(type(error), error, error.__traceback__)
    told = capsys.readouterr().err
    assert told.startswith(f"Error: {words}\n(whole trace: ")
    assert len(told.splitlines()) <= 3
    (file,) = tmp_path.iterdir()
    assert str(file) in told
    assert type(error).__name__ in file.read_text()
    assert explain(error) == words


def test_a_cause_that_is_raised_again_is_told_once() -> None:
    cause = CxrError("the cause")
    with pytest.raises(CxrError) as caught:
        try:
            raise nested(cause)
        except RuntimeError:
            raise cause  # noqa: B904
    assert explain(caught.value) == "the cause"
    with pytest.raises(KeyError) as other:
        try:
            raise ValueError("hidden")
        except ValueError:
            raise KeyError("shown") from None
    assert explain(other.value) == "KeyError: 'shown'"


def test_a_stop_by_hand_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert capsys.readouterr().err == "Stopped by hand; go on with --resume True.\n"
