"""Clipping, and the end of a run whose loss is lost."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Events
from monai.engines import IterationEvents

from scripts.engine.clip import ClipGradients
from scripts.errors import CxrError

Make = Callable[..., SimpleNamespace]


@pytest.mark.parametrize("max_norm", [1e-3, 1e3])
def test_the_norm_of_all_gradients_together_is_clipped(tmp_path: Path, small_run: Make, max_norm: float) -> None:
    free, clipped = small_run(tmp_path / "free", epochs=1), None
    norms: dict[str, list[float]] = {"free": [], "clipped": []}

    def watch(run: SimpleNamespace, name: str) -> None:
        def add() -> None:
            grads = [p.grad.flatten() for p in run.network.parameters()]
            norms[name].append(torch.cat(grads).norm().item())

        run.trainer.add_event_handler(IterationEvents.BACKWARD_COMPLETED, add)
        run.trainer.run()

    watch(free, "free")
    clipped = small_run(tmp_path / "clipped", epochs=1)
    ClipGradients(clipped.network, max_norm).attach(clipped.trainer)
    watch(clipped, "clipped")
    assert norms["clipped"][0] == pytest.approx(min(max_norm, norms["free"][0]), rel=1e-3)
    assert all(norm <= max_norm * 1.001 for norm in norms["clipped"])


@pytest.mark.parametrize(
    ("bad", "seen"),
    [
        ((1, 2, 3), 3),
        ((2, 3, 4), 6),  # looked at every third step; a row that has ended counts as well
        ((5, 6, 7, 8, 9), 9),
        ((2, 3, 5, 6, 8, 9), None),
    ],
)
def test_a_row_of_losses_that_are_no_numbers_ends_the_run(
    tmp_path: Path, small_run: Make, bad: tuple[int, ...], seen: int | None
) -> None:
    run = small_run(tmp_path)

    def lose(engine: object) -> None:
        if run.trainer.state.iteration in bad:
            run.trainer.state.output["loss"] = torch.tensor(math.nan)

    run.trainer.add_event_handler(Events.ITERATION_COMPLETED, lose)
    ClipGradients(run.network, patience=3).attach(run.trainer)
    if seen:
        with pytest.raises(CxrError, match=rf"3 steps in a row \(seen at iteration {seen}\).*learning_rate"):
            run.trainer.run()
    else:
        run.trainer.run()
        assert run.trainer.state.iteration == 9


def test_the_end_of_an_epoch_looks_too_before_it_is_saved(tmp_path: Path, small_run: Make) -> None:
    run = small_run(tmp_path)
    clip = ClipGradients(run.network, patience=2)

    def lose(engine: object) -> None:
        if run.trainer.state.iteration in (2, 3):  # the epoch has 3 steps; the next look in between is at the fourth
            run.trainer.state.output["loss"] = torch.tensor(math.nan)

    run.trainer.add_event_handler(Events.ITERATION_COMPLETED, lose)
    clip.attach(run.trainer)
    with pytest.raises(CxrError, match="seen at iteration 3"):
        run.trainer.run()
    assert not run.path.exists()
