"""Reports are embedded before the first step; the bar ends with the run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest
from ignite.engine import Engine, Events

from scripts.engine.embed import EmbedReports
from scripts.engine.progress import Progress
from scripts.engine.stop import was_stopped
from scripts.errors import CxrError


class Store:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def ensure(self, texts: Iterable[str], progress: bool = True, stop: Callable[[], bool] | None = None) -> int:
        for text in texts:
            self.seen.append(text)
            if text == "signal":
                os.kill(os.getpid(), signal.SIGTERM)
            if stop is not None and stop():
                break
        return 0


def test_the_reports_of_all_lists_are_embedded_before_the_first_step() -> None:
    store, engine, before = Store(), Engine(lambda *_: None), []
    lists = [[{"report": "a"}, {"report": "b"}], [{"report": "c"}, {"report": "d"}]]
    EmbedReports(store, lists).attach(engine)  # type: ignore[arg-type]
    engine.add_event_handler(Events.EPOCH_STARTED, lambda: before.append(set(store.seen)))
    engine.run([0])
    assert before == [{"a", "b", "c", "d"}]


def test_a_signal_ends_the_run_within_the_embedding(tmp_path: Path, small_run: Callable[..., SimpleNamespace]) -> None:
    store, run = Store(), small_run(tmp_path)
    lists = [[{"report": "a"}, {"report": "signal"}], [{"report": "c"}, {"report": "d"}]]
    EmbedReports(store, lists).attach(run.trainer)  # type: ignore[arg-type]
    run.trainer.run()
    assert store.seen == ["a", "signal"]
    assert was_stopped(run.trainer)
    assert run.losses == {}
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("items", [[{"report": ""}, {"report": ""}], [{"image": "x.png"}]])
def test_a_data_list_without_a_single_report_is_refused(items: list[dict[str, str]]) -> None:
    with pytest.raises(CxrError, match="None of the training images has a report"):
        EmbedReports(Store(), [items]).embed()  # type: ignore[arg-type]


@pytest.mark.parametrize("reports", [["a"], ["a", " "]])
def test_too_few_reports_to_validate_with_are_told_before_the_first_epoch(reports: list[str]) -> None:
    engine = Engine(lambda *_: None)
    data = [[{"report": "a"}, {"report": "b"}], [{"report": report} for report in reports]]
    EmbedReports(Store(), data).attach(engine)  # type: ignore[arg-type]
    with pytest.raises(CxrError, match=rf"with a report: 1 of {len(reports)};"):
        engine.run([0])
    assert engine.state.epoch == 0


@pytest.mark.parametrize("crash", [False, True])
def test_the_bar_is_closed_when_the_run_ends(
    tmp_path: Path, small_run: Callable[..., SimpleNamespace], capsys: pytest.CaptureFixture[str], crash: bool
) -> None:
    run = small_run(tmp_path)
    Progress("training", loss_every=1).attach(run.trainer)
    if crash:
        run.trainer.add_event_handler(Events.ITERATION_STARTED(once=5), lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run.trainer.run()
    else:
        run.trainer.run()
    shown = capsys.readouterr().err
    assert shown.endswith("\n")
    assert f"{4 if crash else 9}/9" in shown.splitlines()[-1]


def test_a_resumed_bar_starts_where_the_run_does(
    tmp_path: Path, small_run: Callable[..., SimpleNamespace], capsys: pytest.CaptureFixture[str]
) -> None:
    small_run(tmp_path, epochs=2).trainer.run()
    run = small_run(tmp_path, epochs=3, resume=True)
    Progress("training").attach(run.trainer)
    run.trainer.run()
    bars = [part for part in capsys.readouterr().err.split("\r") if "/9" in part]
    assert "6/9" in bars[0]
    assert "9/9" in bars[-1]
