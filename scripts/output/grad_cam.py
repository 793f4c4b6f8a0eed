"""Grad-CAM (Selvaraju et al., ICCV 2017) of a task network, without a trace in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn


def grad_cam(network: nn.Module, image: Tensor, class_index: int) -> NDArray[np.float32]:
    """Where the network's logit of one class comes from.

    Args:
        network: with `encoder` (a `FeatureEncoder`), giving logits `(1, C)`; frozen or not, in any mode.
        image: `(C, H, W)`, normalised, as the dataset gives it.
        class_index: of the logit.

    Returns:
        `[H, W]` in [0, 1]; zero where the logit does not rise with the map anywhere.
    """
    raise NotImplementedError
