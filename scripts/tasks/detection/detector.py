"""Around the detection network: matching of anchors, the loss, and boxes from its outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.apps.detection.networks.retinanet_detector import RetinaNetDetector
from monai.inferers import Inferer
from monai.losses import FocalLoss
from monai.losses.giou_loss import BoxGIoULoss
from torch import Tensor, nn

from ...distributed import sum_over_ranks
from ...errors import CxrError
from .anchors import ANCHORS, ShareAnchors
from .box_order import from_monai, to_monai

Targets = Sequence[dict[str, Tensor]]


class CxrDetector(RetinaNetDetector):
    """MONAI's detector, trained and applied without torchvision; it has no parameters besides the network's.

    Anchors are matched by ATSS (Zhang et al. 2020), whose threshold adapts to each box: a fixed IoU of 0.5 leaves odd
    shapes without any anchor, and with a hundred boxes none may be lost.

    Args:
        network: a `Detector`.
        score_threshold: boxes below are not kept; low, because precision and recall want the whole ranking.
        nms_threshold: of two boxes of one class that overlap more, the lower-scored goes.
        limit: boxes an image at most.
    """

    def __init__(
        self,
        network: nn.Module,
        score_threshold: float = 0.05,
        nms_threshold: float = 0.5,
        limit: int = 100,
    ) -> None:
        super().__init__(network, ShareAnchors())
        self.set_target_keys("box", "label")
        # MONAI counts candidates in places and compares them with the number of places of a level, so that on a level
        # of few places it would look at a few of the anchors of one; here each anchor is a place of its own.
        self.set_atss_matcher(num_candidates=4 * ANCHORS)
        # Over all anchors. Cross-entropy on sampled hard negatives learned no faster on 20 to 24 chest radiographs (mAP
        # .40:.75 of lungs .685 against .703, of opacities .058 against .073, means of 4 and 3 runs), and its draw would
        # make the loss depend on how ranks share a batch.
        # Summed in DetectionLoss: what this loss calls a sum is a mean for anchors, which have no spatial dimension.
        self.set_cls_loss(FocalLoss(gamma=2.0, alpha=0.25, reduction="none"))
        self.set_box_regression_loss(BoxGIoULoss(reduction="none"), encode_gt=False, decode_pred=True)
        self.set_box_selector_parameters(score_threshold, 300, nms_threshold, limit)

    def compute_anchor_matched_idxs(
        self, anchors: list[Tensor], targets: Targets, num_anchor_locs_per_level: Sequence[int]
    ) -> list[Tensor]:
        """MONAI's, which asks for torchvision's matcher by class; the best anchor of each box is always its own.

        Returns:
            for each image, `(anchors,)` the box that each anchor learns, or -1.
        """
        places = [count * ANCHORS for count in num_anchor_locs_per_level]
        matched = []
        for found, target in zip(anchors, targets):
            boxes = target["box"]
            if len(boxes) == 0:
                matched.append(torch.full((len(found),), -1, dtype=torch.int64, device=found.device))
                continue
            overlap, chosen = self.proposal_matcher(boxes, found, places, 1)
            chosen[overlap.argmax(dim=1)] = torch.arange(len(boxes), device=chosen.device)
            matched.append(chosen)
        return matched

    def flatten(self, outputs: dict[str, Any]) -> tuple[dict[str, Tensor], list[Tensor], list[int]]:
        """Outputs `(B, anchors, …)` in float32, the anchors of each image, and the places of each level."""
        if "image_size" not in outputs:
            raise CxrError(
                "The detector's outputs have no image size: use scripts.tasks.detection.DetectionInferer as inferer."
            )
        maps = {key: [level.float() for level in outputs[key]] for key in (self.cls_key, self.box_reg_key)}
        logits = maps[self.cls_key]
        shape = torch.empty((len(logits[0]), 0, *outputs["image_size"]))
        places = [level.shape[2:].numel() for level in logits]
        return (
            {key: self._reshape_maps(levels) for key, levels in maps.items()},
            self.anchor_generator(shape, logits),
            places,
        )

    @torch.no_grad()
    def detect(self, outputs: dict[str, Any]) -> list[dict[str, Tensor]]:
        """Boxes of each image, after non-maximum suppression, the most certain first.

        Args:
            outputs: of the network, with `image_size` (`DetectionInferer`).

        Returns:
            `box` `(n, 4)` xyxy in pixels of the network's input, `label` `(n,)`, `score` `(n,)` in [0, 1].
        """
        flat, anchors, places = self.flatten(outputs)
        sizes = [list(outputs["image_size"])] * len(anchors)
        found = self.postprocess_detections(flat, anchors, sizes, places)
        return [{"box": from_monai(one["box"]), "label": one["label"], "score": one["label_scores"]} for one in found]


class DetectionInferer(Inferer):
    """Inferer of the trainer and the evaluator: raw outputs while the network trains, boxes while it does not.

    Args:
        detector: makes boxes of the outputs.
    """

    def __init__(self, detector: CxrDetector) -> None:
        super().__init__()
        self.detector = detector

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """`(B, 3, H, W)` to the outputs and `image_size` (training), or to the detections of each image."""
        outputs = {**network(inputs, *args, **kwargs), "image_size": tuple(inputs.shape[-2:])}
        if getattr(network, "training", False):
            return outputs
        with torch.autocast(inputs.device.type, enabled=False):
            return self.detector.detect(outputs)


class DetectionLoss(nn.Module):
    """Focal loss of all anchors (Lin et al. 2017, eq. 5: gamma 2, alpha .25) plus the generalised IoU loss of the
    matched ones (Rezatofighi et al. 2019), which weighs a nodule's box as much as a lung's.

    Both sums are divided by the matched anchors of all ranks together, so that loss and gradient do not depend on how
    many processes share a batch; without a gradient each rank has its own. Images without a box give negatives only.
    Computed in float32 under any autocast.

    Args:
        detector: matches the anchors.
        box_weight: of the box term.
    """

    def __init__(self, detector: CxrDetector, box_weight: float = 2.0) -> None:
        super().__init__()
        # In a tuple: as a submodule the network's parameters would be the loss's own.
        self._detector = (detector,)
        self.box_weight = box_weight
        self.terms: dict[str, Tensor] = {}

    def forward(self, outputs: dict[str, Any], targets: Targets) -> Tensor:
        """Scalar; `terms` holds its two parts.

        Args:
            outputs: of the network in training, with `image_size` (`DetectionInferer`).
            targets: one an image: `box` `(n, 4)` xyxy in pixels of the network's input, `label` `(n,)`.
        """
        (detector,) = self._detector
        with torch.autocast(outputs[detector.cls_key][0].device.type, enabled=False):
            flat, anchors, places = detector.flatten(outputs)
            wanted = [{"box": to_monai(one["box"]), "label": one["label"]} for one in targets]
            matched = detector.compute_anchor_matched_idxs(anchors, wanted, places)
            logits, offsets = flat[detector.cls_key], flat[detector.box_reg_key]
            every = [detector.get_cls_train_sample_per_image(*one) for one in zip(logits, wanted, matched)]
            boxes = [detector.get_box_train_sample_per_image(*one) for one in zip(offsets, wanted, anchors, matched)]
            # Without a gradient ranks may differ in their number of batches, and must not wait for each other.
            total = sum_over_ranks if logits.requires_grad else _as_it_is
            positives = total(torch.stack([(one >= 0).sum() for one in matched]).sum().float()).clamp(min=1)
            classification = total(_sum(detector.cls_loss_func, every)) / positives
            regression = total(_sum(detector.box_loss_func, boxes)) / positives
            self.terms = {"classification": classification.detach(), "box_regression": regression.detach()}
            # Every output keeps a path to the loss: DistributedDataParallel waits for the gradient of each parameter,
            # and a batch without a box has none for the box head.
            return classification + self.box_weight * regression + 0.0 * (logits.sum() + offsets.sum())


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def _sum(loss: Callable[[Tensor, Tensor], Tensor], pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    found, wanted = (torch.cat(parts) for parts in zip(*pairs))
    return (loss(found, wanted) if len(found) else found).sum()
