"""The weights of the best validation, and an early end when it no longer gets better."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from ..atomic import save_atomically, write_text_atomically
from ..encoders.normalization import image_statistics
from ..errors import CxrError
from .state import add_folder, add_part, on_error, unwrap
from .stop import was_stopped

logger = logging.getLogger(__name__)
ENCODER = "encoder."


class KeepBest:
    """Saves the weights of the best validation; ends the training after `patience` validations without a better one.

    A score that is not a number is no validation: it is neither better nor waited for.

    Writes plain state dicts that load strictly under `weights_only=True`.

    Args:
        evaluator: the validation engine, whose `state.metrics[metric]` is watched; larger is better.
        metric: name of the key metric.
        network: the whole trained module.
        network_path: file of the whole module: `models/pretraining.pt`, `models/<task>/model.pt`.
        encoder_path: file of its `encoder` alone, the pre-training's `network_def`; None writes none.
        patience: validations to wait for a better one; 0 never ends early.
        min_delta: least improvement that counts.
        settings: what a person must know to use the weights (encoder, names, image size); written beside each file as
            `.json`, with the mean and deviation that the encoder normalises images by, where they are not the
            workflows', and the best validation.
    """

    def __init__(
        self,
        evaluator: Engine,
        metric: str,
        network: torch.nn.Module,
        network_path: str | Path,
        encoder_path: str | Path | None = None,
        patience: int = 0,
        min_delta: float = 0.0,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.evaluator = evaluator
        self.metric = metric
        self.network = network
        self.network_path = Path(network_path)
        self.encoder_path = None if encoder_path is None else Path(encoder_path)
        self.settings = settings
        self.patience = patience
        self.min_delta = min_delta
        self.best = -math.inf
        self.best_epoch = 0
        self.waited = 0
        self._resumed = False
        self._said = False
        self._unsaved: dict[str, torch.Tensor] | None = None

    def attach(self, engine: Engine) -> None:
        """Registers on the trainer and, through it, on the evaluator; list it after `ResumeAndSave`."""
        self._trainer = engine
        add_part(engine, "best", self)
        for path in filter(None, (self.network_path, self.encoder_path)):
            add_folder(engine, path.parent, "ckpt_dir")
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.COMPLETED, self.finish)
        on_error(engine, self._save_what_is_there)
        self.evaluator.add_event_handler(Events.COMPLETED, self.compare)

    def start(self, engine: Engine) -> None:
        """Ends at once a resumed run that had ended early."""
        if self._resumed and self.patience and self.waited >= self.patience:
            logger.info("The run had ended early (patience %d): nothing is left to train.", self.patience)
            engine.terminate()
        self._resumed = False

    def compare(self, evaluator: Engine) -> None:
        """Looks at the last validation.

        Raises:
            CxrError: it has no such score, so that waiting for a better one would end with the last weights.
        """
        if self.metric not in evaluator.state.metrics:
            known = [name for name, value in evaluator.state.metrics.items() if isinstance(value, (int, float))]
            raise CxrError(
                f"The validation gives no {self.metric!r} to choose the best weights by (in a task: stop_on). "
                f"It gives {', '.join(sorted(known)) or 'no score at all'}."
            )
        value = float(evaluator.state.metrics[self.metric])
        if math.isnan(value):  # says nothing of the weights, so it is no validation to have waited for
            if not self._said:
                logger.warning(
                    "Epoch %d: %s is not a number; such a validation counts neither as better nor as worse.",
                    self._trainer.state.epoch,
                    self.metric,
                )
            self._said = True
            return
        if value > self.best + self.min_delta:
            self.best, self.best_epoch, self.waited = value, self._trainer.state.epoch, 0
            self._remember()
            return
        self.waited += 1
        if self.patience and self.waited >= self.patience:
            logger.info(
                "No better %s for %d validations: ending at epoch %d.",
                self.metric,
                self.waited,
                self._trainer.state.epoch,
            )
            self._trainer.terminate()

    def finish(self, engine: Engine) -> None:
        """Keeps the last weights when no validation ever gave a number (`val_interval` above the number of epochs)."""
        if self.best == -math.inf and was_stopped(engine):
            return  # the checkpoint has the weights, if there is any
        if self.best == -math.inf:
            self.best_epoch = engine.state.epoch
            self._remember()
        self.save()
        path = self.encoder_path or self.network_path
        if math.isfinite(self.best):
            logger.info("Best %s %.4f at epoch %d; weights in %s.", self.metric, self.best, self.best_epoch, path)
        else:
            logger.warning("No validation gave a %s: the last weights are in %s.", self.metric, path)

    def _save_what_is_there(self, error: BaseException) -> None:
        with suppress(CxrError):  # of a full disk, say; the error that ends the run is the one to be told
            self.save()

    def _remember(self) -> None:
        """Keeps a copy of the weights; a probe's epochs take a hundredth of what writing a network does."""
        if idist.get_rank() == 0:
            state = unwrap(self.network).state_dict()
            self._unsaved = {key: value.detach().cpu().clone() for key, value in state.items()}

    def save(self) -> None:
        """Writes the best weights that are not in the files yet, on rank 0."""
        state, self._unsaved = self._unsaved, None
        if state is None:
            return
        self._write(state, self.network_path)
        if self.encoder_path is not None:
            inside = {key: value for key, value in state.items() if key.startswith(ENCODER)}
            self._write({key.removeprefix(ENCODER): value for key, value in inside.items()}, self.encoder_path)

    def _write(self, state: dict[str, torch.Tensor], path: Path) -> None:
        save_atomically(state, path)
        if self.settings is not None:
            value = self.best if math.isfinite(self.best) else None
            best = {"metric": self.metric, "value": value, "epoch": self.best_epoch}
            write_text_atomically(
                json.dumps({"settings": dict(self.settings) | self._normalized(), "best": best}, indent=1),
                path.with_suffix(".json"),
            )

    def _normalized(self) -> dict[str, Any]:
        """What the encoder normalises its images by, where that is not what the workflows do."""
        found = image_statistics(unwrap(self.network))
        return {} if found is None else {"encoder_mean": list(found.mean), "encoder_std": list(found.std)}

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run has to remember; the weights are written first, for it to find them."""
        self.save()
        return {"best": self.best, "best_epoch": self.best_epoch, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.best, self.best_epoch, self.waited = (state_dict[k] for k in ("best", "best_epoch", "waited"))
        self._resumed = True
