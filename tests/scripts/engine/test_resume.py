"""A run that was cut off at any moment goes on as if nothing had happened, to the bit."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Events
from monai.optimizers import WarmupCosineSchedule

from scripts.engine.best import KeepBest
from scripts.engine.state import parts, random_state, set_random_state
from scripts.errors import CxrError

Make = Callable[..., SimpleNamespace]
BATCHES, STEPS = 3, 9


def crash_at(run: SimpleNamespace, iteration: int, event: Any = Events.ITERATION_STARTED) -> None:
    """Ends the run as a kill would: without a word to any handler."""

    def crash(engine: Any) -> None:
        raise KeyboardInterrupt

    run.trainer.add_event_handler(event(once=iteration), crash)
    with pytest.raises(KeyboardInterrupt):
        run.trainer.run()


@pytest.mark.parametrize("every_minutes", [0, 10], ids=["saved-each-step", "saved-each-epoch"])
@pytest.mark.parametrize("iteration", range(2, STEPS + 1))
def test_a_run_cut_off_anywhere_ends_up_bit_equal(
    tmp_path: Path, small_run: Make, whole: SimpleNamespace, iteration: int, every_minutes: float
) -> None:
    first = small_run(tmp_path, every_minutes=every_minutes)
    crash_at(first, iteration)
    second = small_run(tmp_path, resume=True, every_minutes=every_minutes)
    second.trainer.run()
    # Nothing is done again that was saved, and at most one epoch where only epochs are saved.
    reached = iteration - 1 if every_minutes == 0 else (iteration - 1) // BATCHES * BATCHES
    assert sorted(second.losses) == list(range(reached + 1, STEPS + 1))
    assert {**first.losses, **second.losses} == whole.losses
    assert second.history.rows == whole.history.rows
    assert json.loads((tmp_path / "history.json").read_text()) == whole.history.rows
    for name, value in whole.network.state_dict().items():
        assert torch.equal(second.network.state_dict()[name], value), name


def test_a_finished_run_resumed_does_nothing_more(tmp_path: Path, small_run: Make, whole: SimpleNamespace) -> None:
    small_run(tmp_path).trainer.run()
    again = small_run(tmp_path, resume=True)
    again.trainer.run()
    assert again.losses == {}
    assert again.history.rows == whole.history.rows


def test_a_finished_run_can_be_made_longer(tmp_path: Path, small_run: Make) -> None:
    small_run(tmp_path, epochs=2).trainer.run()
    longer = small_run(tmp_path, epochs=4, resume=True)
    longer.trainer.run()
    straight = small_run(tmp_path / "straight", epochs=4)
    straight.trainer.run()
    assert sorted(longer.losses) == list(range(2 * BATCHES + 1, 4 * BATCHES + 1))
    assert longer.history.rows == straight.history.rows


def test_a_longer_run_follows_its_own_longer_schedule(tmp_path: Path, small_run: Make) -> None:
    schedules = []
    for epochs, resume in ((2, False), (4, True)):
        run = small_run(tmp_path, epochs=epochs, resume=resume)
        schedules.append(WarmupCosineSchedule(run.trainer.optimizer, warmup_steps=epochs, t_total=epochs * BATCHES))
        parts(run.trainer)["lr_scheduler"] = schedules[-1]
        run.trainer.run()
    assert (schedules[1].t_total, schedules[1].warmup_steps) == (4 * BATCHES, 4)


@pytest.mark.parametrize("resume", [False, True])
def test_without_resume_or_without_a_file_a_run_is_new(
    tmp_path: Path, small_run: Make, whole: SimpleNamespace, resume: bool, caplog: pytest.LogCaptureFixture
) -> None:
    if not resume:
        small_run(tmp_path, epochs=1).trainer.run()  # leaves a checkpoint that must not be taken up
    run = small_run(tmp_path, resume=resume)
    run.trainer.run()
    assert run.losses == whole.losses
    assert ("Nothing to resume" in caplog.text) == resume


def test_a_new_run_keeps_the_checkpoint_of_the_last_one(
    tmp_path: Path, small_run: Make, whole: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    crash_at(small_run(tmp_path), 2 * BATCHES + 1)
    saved, previous = (tmp_path / "checkpoint.pt").read_bytes(), tmp_path / "checkpoint.previous.pt"
    run = small_run(tmp_path, epochs=1)
    run.trainer.run()
    assert previous.read_bytes() == saved
    assert "--resume True" in caplog.text
    run.trainer.state.max_epochs = 2  # as a federated client does for its next round
    run.trainer.run()
    assert max(run.losses) == 2 * BATCHES
    assert previous.read_bytes() == saved
    previous.replace(tmp_path / "checkpoint.pt")
    resumed = small_run(tmp_path, resume=True)
    resumed.trainer.run()
    assert resumed.history.rows == whole.history.rows


def test_ranks_that_would_train_apart_are_refused(
    tmp_path: Path, small_run: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small_run(tmp_path)
    monkeypatch.setattr("ignite.distributed.get_world_size", lambda: 2)
    with pytest.raises(CxrError, match=r"add configs/multi_gpu_train\.json to --config_file"):
        run.saver.start(run.trainer)


def test_the_random_state_of_more_gpus_than_there_are_is_taken_as_far_as_it_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = {}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: [torch.zeros(1)] * 4)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: taken.update({device: state}))
    set_random_state(random_state())
    assert sorted(taken) == [0, 1]


def test_a_run_with_lasting_workers_is_resumed_to_the_bit(tmp_path: Path, small_run: Make) -> None:
    straight = small_run(tmp_path / "straight", num_workers=1)
    straight.trainer.run()
    for iteration in (BATCHES + 1, 2 * BATCHES):  # after an epoch, and within one
        folder = tmp_path / str(iteration)
        crash_at(small_run(folder, every_minutes=0, num_workers=1), iteration)
        resumed = small_run(folder, resume=True, num_workers=1)
        resumed.trainer.run()
        assert resumed.history.rows == straight.history.rows


def test_the_checkpoint_is_plain_and_complete(tmp_path: Path, small_run: Make) -> None:
    small_run(tmp_path).trainer.run()
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert (state["iteration"], state["epoch_length"]) == (STEPS, BATCHES)
    assert set(state["parts"]) == {"optimizer", "lr_scheduler", "history"}
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["checkpoint.pt", "history.json"]


@pytest.mark.parametrize("change", ["network", "epoch_length", "part"])
def test_a_checkpoint_of_another_setting_is_refused_in_plain_words(
    tmp_path: Path, small_run: Make, change: str
) -> None:
    small_run(tmp_path, epochs=1).trainer.run()
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    if change == "network":
        state["network"] = {key: value for key, value in state["network"].items() if key != "0.weight"}
    elif change == "part":
        del state["parts"]["history"]
    else:
        state["epoch_length"] = 7
    torch.save(state, tmp_path / "checkpoint.pt")
    with pytest.raises(CxrError, match=r"checkpoint\.pt.*(another setting|batches an epoch)"):
        small_run(tmp_path, resume=True).trainer.run()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"half a file", "torch.save did not write it"),
        (b"", "it has 0 bytes"),
        (b"PK\x03\x04" + bytes(500), "it is cut off after 504 bytes"),
        ({"epoch_length": 3}, "is no checkpoint of a run"),
        ([1, 2], "is no checkpoint of a run"),
    ],
)
def test_a_broken_checkpoint_is_refused_in_plain_words(
    tmp_path: Path, small_run: Make, content: object, words: str
) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(CxrError, match=rf"checkpoint\.pt .*{words}.*--resume False, or choose another ckpt_dir"):
        small_run(tmp_path, resume=True).trainer.run()


def test_two_runs_with_one_seed_give_one_hash(tmp_path: Path, small_run: Make) -> None:
    for name in ("first", "second"):
        small_run(tmp_path / name).trainer.run()
    first, second = (hashlib.sha256((tmp_path / n / "checkpoint.pt").read_bytes()) for n in ("first", "second"))
    assert first.hexdigest() == second.hexdigest()


@pytest.mark.parametrize("number", ["SIGTERM", "SIGUSR1"])
@pytest.mark.parametrize("iteration", [2, 3, 7, 8])
def test_a_signal_saves_ends_in_good_order_and_can_be_resumed(
    tmp_path: Path, small_run: Make, whole: SimpleNamespace, iteration: int, number: str
) -> None:
    first = small_run(tmp_path)
    first.trainer.add_event_handler(
        Events.ITERATION_STARTED(once=iteration), lambda: os.kill(os.getpid(), getattr(signal, number))
    )
    first.trainer.run()
    assert sorted(first.losses) == list(range(1, iteration + 1))
    second = small_run(tmp_path, resume=True)
    second.trainer.run()
    assert {**first.losses, **second.losses} == whole.losses
    assert sorted(second.losses) == list(range(iteration + 1, STEPS + 1))
    assert second.history.rows == whole.history.rows


@pytest.mark.parametrize("fails", [False, True])
def test_a_host_process_gets_its_signal_handlers_back(tmp_path: Path, small_run: Make, fails: bool) -> None:
    before = [signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR1)]
    run = small_run(tmp_path, epochs=1)
    seen = []
    run.trainer.add_event_handler(Events.ITERATION_STARTED, lambda: seen.append(signal.getsignal(signal.SIGTERM)))
    if fails:
        crash_at(run, 2)
    else:
        run.trainer.run()
    assert before[0] not in seen
    assert [signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR1)] == before


def test_a_trainer_stopped_by_a_signal_can_be_run_again(tmp_path: Path, small_run: Make) -> None:
    """A federated client, or a host that was told to stop once, calls run() on the same trainer."""
    run = small_run(tmp_path)
    run.trainer.add_event_handler(Events.ITERATION_STARTED(once=2), lambda: os.kill(os.getpid(), signal.SIGTERM))
    run.trainer.run()
    assert max(run.losses) == 2
    run.trainer.run()
    assert max(run.losses) > 2 + BATCHES


@pytest.mark.parametrize("which", ["checkpoint", "history", "weights"])
def test_training_looks_before_the_first_step(tmp_path: Path, small_run: Make, which: str) -> None:
    (tmp_path / "file").touch()
    run = small_run(tmp_path / "file" if which == "checkpoint" else tmp_path)
    if which == "history":
        run.history.path = tmp_path / "file" / "history.json"
        run.history.attach(run.trainer)
    if which == "weights":
        KeepBest(run.evaluator, "score", run.network, tmp_path / "file" / "model.pt").attach(run.trainer)
    with pytest.raises(CxrError, match=f"Nothing can be written to .*{tmp_path / 'file'}"):
        run.trainer.run()
    assert run.losses == {}


def test_random_state_goes_through_a_plain_file(tmp_path: Path) -> None:
    import random

    import numpy as np

    np.random.standard_normal()  # leaves a cached second value, which is part of the state
    torch.save(random_state(), tmp_path / "random.pt")

    def draw() -> tuple[float, float, float, float]:
        return random.random(), np.random.standard_normal(), np.random.random(), torch.rand(()).item()

    expected = draw()
    draw()
    set_random_state(torch.load(tmp_path / "random.pt", weights_only=True))
    assert draw() == expected
