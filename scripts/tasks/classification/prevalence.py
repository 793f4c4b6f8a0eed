"""A classifier starts from how frequent each finding is, and not from a half."""

from __future__ import annotations

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch import nn

from ...data.sampling import StudyDataset
from ...engine.state import unwrap


class StartFromPrevalence:
    """Handler that sets the bias of a fresh last layer to the training labels' log odds (log share for classes that
    exclude each other).

    A bias learns at the pace of one weight among hundreds: after the few hundred steps of a small set a rare finding
    would still be thought of as likely (Lin et al. 2017, section 3.3, start detectors so for that reason). Weights that
    were loaded, by a resume, a start from a task's weights, or a federated server, are left as they are: only a bias of
    zeros is fresh.

    Args:
        network: has a `head` whose last linear layer gives the logits.
        dataset: the training images, whose items have `label`.
        mode: `multilabel` or `multiclass`.
        enabled: False does nothing.
    """

    def __init__(
        self, network: nn.Module, dataset: StudyDataset, mode: str = "multilabel", enabled: bool = True
    ) -> None:
        self.network, self.dataset, self.mode, self.enabled = network, dataset, mode, enabled

    def attach(self, engine: Engine) -> None:
        """Registers on the trainer; list it after what resumes."""
        if self.enabled:
            engine.add_event_handler(Events.STARTED, self.start)

    @torch.no_grad()
    def start(self, engine: Engine) -> None:
        """Sets the bias if it is fresh."""
        head = unwrap(self.network).get_submodule("head")
        last = [layer for layer in head.modules() if isinstance(layer, nn.Linear)][-1]
        if last.bias is None or bool(last.bias.any()):
            return
        labels = np.stack([np.asarray(item["label"], dtype=np.float64) for item in self.dataset.data])
        # Half an image of each kind, so that a finding that never occurs is rare and not impossible.
        positive = np.nansum(labels == 1, axis=0) + 0.5
        negative = np.nansum(labels == 0, axis=0) + 0.5
        odds = positive / negative if self.mode == "multilabel" else positive / positive.sum()
        last.bias.copy_(torch.from_numpy(np.log(odds)).to(last.bias))
