"""One row an epoch, with the means of that epoch and nothing of another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from ignite.engine import Events

from scripts.errors import CxrError

Make = Callable[..., SimpleNamespace]


def test_rows_hold_the_means_of_the_steps(whole: SimpleNamespace) -> None:
    for epoch, row in enumerate(whole.history.rows, start=1):
        steps = [whole.losses[i] for i in range(3 * epoch - 2, 3 * epoch + 1)]
        assert row["epoch"] == epoch
        assert row["loss"] == pytest.approx(sum(steps) / 3, rel=1e-12)
        assert row["square"] == row["loss"]  # the loss's only term
        assert row["learning_rate"] == pytest.approx(0.05 * 0.8 ** (3 * epoch // 2))


def test_an_epoch_without_validation_has_no_validation_in_its_row(tmp_path: Path, small_run: Make) -> None:
    run = small_run(tmp_path)
    # As a ValidationHandler with interval 2, listed before History.
    run.trainer._event_handlers[Events.EPOCH_COMPLETED].insert(
        0, (lambda: run.trainer.state.epoch == 2 and run.evaluator.state.metrics.update(score=0.5, note="text"), (), {})
    )
    run.trainer.run()
    assert [row.get("val_score") for row in run.history.rows] == [None, 0.5, None]
    assert "val_note" not in run.history.rows[1]  # numbers only


def test_a_folder_that_cannot_be_written_ends_the_run_in_plain_words(tmp_path: Path, small_run: Make) -> None:
    run = small_run(tmp_path / "out")
    (tmp_path / "out").touch()  # a file where the folder should be
    with pytest.raises(CxrError, match=r"Nothing can be written to output_dir"):
        run.trainer.run()
