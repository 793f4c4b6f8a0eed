"""Matching, loss and boxes of the detector, on rectangles that are drawn here."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.data.utils import no_collation
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from torch.nn.parallel import DistributedDataParallel

from scripts.engine.autocast import AutocastInferer
from scripts.errors import CxrError
from scripts.tasks.detection.average_precision import box_iou
from scripts.tasks.detection.batch import PrepareBoxes
from scripts.tasks.detection.box_order import to_monai
from scripts.tasks.detection.detector import CxrDetector, DetectionInferer, DetectionLoss
from scripts.tasks.detection.metric import DetectionScores
from scripts.tasks.detection.network import Detector
from tests.processes import on_two_ranks

EMPTY = {"box": torch.zeros(0, 4), "label": torch.zeros(0, dtype=torch.int64)}


def parts(classes=2, **options):
    torch.manual_seed(0)
    network = Detector("resnet10", classes, {"widen_factor": 0.25}, fpn_channels=32)
    detector = CxrDetector(network, **options)
    return network, detector, DetectionInferer(detector), DetectionLoss(detector)


def draw(boxes, labels=None, shape=(96, 96)):
    """An item: rectangles on noise, wide ones (label 0) bright and tall ones (label 1) brighter; xyxy."""
    image = torch.randn(3, *shape, generator=torch.Generator().manual_seed(len(boxes))) * 0.05
    labels = [0] * len(boxes) if labels is None else labels
    for (x0, y0, x1, y1), label in zip(boxes, labels):
        image[:, y0:y1, x0:x1] += 1 + label
    return {
        "image": image,
        "box": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        "label": torch.tensor(labels, dtype=torch.int64),
        "image_id": str((boxes, labels)),
    }


DRAWN = [
    draw([[8, 20, 48, 40]]),
    draw([[60, 8, 80, 60]], [1]),
    draw([]),
    draw([[30, 64, 80, 88], [6, 6, 22, 50]], [0, 1]),
    draw([[40, 30, 90, 54]]),
    draw([[36, 40, 54, 90], [64, 10, 90, 26]], [1, 0]),
]


def learn(network, inferer, loss, items, steps, lr=3e-3):
    images, targets = PrepareBoxes()(items)
    optimizer = torch.optim.AdamW(network.parameters(), lr)
    network.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss(inferer(images, network), targets).backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        return inferer(images, network)


def test_a_rectangle_is_found_where_it_was_drawn():
    """In an image that is wider than high, so that rows taken for columns would leave it."""
    box = [84, 14, 112, 40]
    network, _, inferer, loss = parts(1)
    (found,) = learn(network, inferer, loss, [draw([box], shape=(64, 128))], 60)
    assert box_iou(found["box"][:1], [box])[0, 0] > 0.8
    assert found["label"][0] == 0
    assert found["score"][0] > 0.5


@pytest.mark.parametrize("shape", [(64, 128), (128, 64)])
def test_offsets_of_a_box_decode_to_the_box(shape):
    network, detector, _, _ = parts(2, score_threshold=0.5)
    box = torch.tensor([[10.0, 20.0, 44.0, 60.0]])
    with torch.no_grad():
        outputs = {**network(torch.zeros(1, 3, *shape)), "image_size": shape}
        _, (anchors,), places = detector.flatten(outputs)
        (matched,) = detector.compute_anchor_matched_idxs([anchors], [{"box": to_monai(box)}], places)
        chosen = int(torch.where(matched == 0)[0][0])
        offsets = detector.box_coder.encode_single(to_monai(box), anchors[chosen : chosen + 1])
        flat = {
            "classification": torch.full((1, len(anchors), 2), -9.0),
            "box_regression": torch.zeros(1, len(anchors), 4),
        }
        flat["classification"][0, chosen, 1] = 9.0
        flat["box_regression"][0, chosen] = offsets[0]
        detector.flatten = lambda _: (flat, [anchors], places)
        (found,) = detector.detect(outputs)
    torch.testing.assert_close(found["box"], box, rtol=0, atol=1e-3)
    assert found["label"].tolist() == [1]
    torch.testing.assert_close(found["score"], torch.tensor([9.0]).sigmoid())


def test_learns_a_few_drawn_images():
    network, _, inferer, loss = parts()
    found = learn(network, inferer, loss, DRAWN, 90)
    metric = DetectionScores(["wide", "tall"])
    metric.update(({"pred": found, "label": DRAWN}, DRAWN))
    scores = metric.compute()
    assert scores["map_40_75"] > 0.95
    assert scores["sensitivity_1fp"] == 1
    assert (found[2]["score"] < 0.5).all()  # the image without a box


def test_every_box_has_an_anchor_and_a_healthy_image_none():
    network, detector, _, _ = parts()
    outputs = {**network(torch.zeros(2, 3, 96, 96)), "image_size": (96, 96)}
    _, anchors, places = detector.flatten(outputs)
    boxes = torch.tensor([[10.0, 10, 40, 50], [70, 70, 74, 74], [0, 0, 96, 96], [1, 2, 95, 9]])  # ordinary to odd
    matched, none = detector.compute_anchor_matched_idxs(anchors, [{"box": to_monai(boxes)}, EMPTY], places)
    assert set(matched.tolist()) == {-1, 0, 1, 2, 3}
    assert (none == -1).all()


def test_loss_by_the_papers_formulas():
    network, detector, _, loss = parts()
    images, targets = PrepareBoxes()(DRAWN)
    assert targets is not None
    with torch.no_grad():
        outputs = {**network(images), "image_size": (96, 96)}
        value = loss(outputs, targets)
        flat, anchors, places = detector.flatten(outputs)
        wanted = [{**one, "box": to_monai(one["box"])} for one in targets]
        matched = detector.compute_anchor_matched_idxs(anchors, wanted, places)
    focal, boxes, positives = 0.0, 0.0, 0
    for i, found in enumerate(matched):
        for anchor, box in enumerate(found.tolist()):
            for kind, logit in enumerate(flat["classification"][i, anchor].double()):
                true = box >= 0 and int(targets[i]["label"][box]) == kind
                p = logit.sigmoid() if true else 1 - logit.sigmoid()
                focal += float(-(0.25 if true else 0.75) * (1 - p) ** 2 * p.log())
            if box >= 0:
                positives += 1
                offset = flat["box_regression"][i, anchor : anchor + 1]
                decoded = detector.box_coder.decode_single(offset, anchors[i][anchor : anchor + 1])[0]
                true_box = wanted[i]["box"][box]
                hull = torch.cat([torch.minimum(decoded, true_box)[:2], torch.maximum(decoded, true_box)[2:]])
                area, first, second = ((b[2:] - b[:2]).prod() for b in (hull, decoded, true_box))
                overlap = torch.tensor(box_iou(decoded[None], true_box[None])[0, 0])
                union = (first + second) / (1 + overlap)
                boxes += float(1 - overlap + (area - union) / area)
    assert loss.terms["classification"].item() == pytest.approx(focal / positives, rel=1e-4)
    assert loss.terms["box_regression"].item() == pytest.approx(boxes / positives, rel=1e-4)
    assert value.item() == pytest.approx((focal + 2 * boxes) / positives, rel=1e-4)


def test_healthy_images_teach_negatives_only():
    network, _, inferer, loss = parts()
    images = torch.randn(2, 3, 96, 96)
    value = loss(inferer(images, network), [EMPTY, EMPTY])
    value.backward()
    assert loss.terms["classification"] > 0
    assert loss.terms["box_regression"] == 0
    missing = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert missing == []  # DistributedDataParallel would wait for them
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
    assert network.regression_head.bbox_reg.weight.grad.abs().max() == 0
    assert network.classification_head.cls_logits.weight.grad.abs().max() > 0


def test_loss_is_float32_and_finite_under_bfloat16():
    network, _, inferer, loss = parts()
    images, targets = PrepareBoxes()(DRAWN)
    with torch.autocast("cpu", torch.bfloat16):  # as MONAI's own `amp` does: the loss inside, too
        outputs = inferer(images, network)
        assert outputs["classification"][0].dtype == torch.bfloat16
        value = loss(outputs, targets)
    assert value.dtype == torch.float32
    assert value.isfinite()
    value.backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
    exact = loss(inferer(images, network), targets)
    assert value.item() == pytest.approx(exact.item(), rel=0.05)


def test_detector_and_loss_add_no_parameters():
    network, detector, _, loss = parts()
    assert {id(p) for p in detector.parameters()} == {id(p) for p in network.parameters()}
    assert list(loss.parameters()) == []
    assert loss.state_dict() == {}


def test_outputs_without_a_size_are_refused():
    network, _, _, loss = parts()
    with pytest.raises(CxrError, match="DetectionInferer"):
        loss(network(torch.zeros(1, 3, 64, 64)), [EMPTY])


def test_in_monais_engines():
    network, _, inferer, loss = parts()
    loader = DataLoader(Dataset(DRAWN), batch_size=4, num_workers=0, collate_fn=no_collation)
    common = {"device": torch.device("cpu"), "network": network, "prepare_batch": PrepareBoxes(), "decollate": False}
    evaluator = SupervisedEvaluator(
        val_data_loader=loader,
        inferer=AutocastInferer("bfloat16", inferer),
        key_val_metric={"map_40_75": DetectionScores(["wide", "tall"])},
        **common,
    )
    trainer = SupervisedTrainer(
        max_epochs=20,
        train_data_loader=loader,
        loss_function=loss,
        optimizer=torch.optim.AdamW(network.parameters(), 3e-3),
        inferer=AutocastInferer("float32", inferer),
        **common,
    )
    evaluator.run()
    before = evaluator.state.metrics["map_40_75"]
    trainer.run()
    evaluator.run()
    assert evaluator.state.metrics["map_40_75"] > before + 0.2
    assert {"map_50_95", "ap50", "sensitivity_1fp"} <= evaluator.state.metrics.keys()


def test_a_batch_of_boxes():
    images, targets = PrepareBoxes()(DRAWN[:3], "cpu")
    assert images.shape == (3, 3, 96, 96)
    assert targets is not None
    assert [len(one["box"]) for one in targets] == [1, 1, 0]
    assert targets[2]["box"].shape == (0, 4)
    assert targets[2]["label"].dtype == torch.int64
    assert PrepareBoxes()([{"image": DRAWN[0]["image"]}])[1] is None
    with pytest.raises(CxrError, match="no_collation"):
        PrepareBoxes()({"image": images})


def _gradient(network, items):
    detector = CxrDetector(getattr(network, "module", network))
    images, targets = PrepareBoxes()(items)
    network.train()
    getattr(network, "module", network).encoder.freeze()  # batch norm would see half of the batch
    loss = DetectionLoss(detector)(DetectionInferer(detector)(images, network), targets)
    loss.backward()
    own = getattr(network, "module", network).named_parameters()
    return loss.item(), {name: parameter.grad for name, parameter in own if parameter.grad is not None}


def _half_of_the_batch(rank: int, out: str) -> None:
    network = parts()[0].double()
    network.encoder.freeze()
    items = [{**item, "image": item["image"].double()} for item in DRAWN]
    mine = [items[2]] if rank == 0 else items[:2] + items[3:]  # one rank sees no box at all
    torch.save(_gradient(DistributedDataParallel(network), mine), f"{out}/{rank}.pt")


def test_two_processes_learn_what_one_learns(tmp_path):
    on_two_ranks(_half_of_the_batch, tmp_path)
    network = parts()[0].double()
    expected, gradient = _gradient(network, [{**item, "image": item["image"].double()} for item in DRAWN])
    for rank in (0, 1):
        value, found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert value == pytest.approx(expected, rel=1e-5)
        assert found.keys() == gradient.keys()
        for name, wanted in gradient.items():
            torch.testing.assert_close(found[name], wanted, rtol=1e-4, atol=1e-6)  # float32 sums


def test_trains_and_detects_where_torchvision_cannot_be_imported():
    code = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torchvision":
            raise ImportError("torchvision is not to be imported")

sys.meta_path.insert(0, Refuse())
import torch
from scripts.tasks.detection.detector import CxrDetector, DetectionInferer, DetectionLoss
from scripts.tasks.detection.network import Detector

network = Detector("resnet10", 1, {"widen_factor": 0.25}, fpn_channels=16)
detector = CxrDetector(network, score_threshold=0.0)
target = {"box": torch.tensor([[8.0, 8, 30, 40]]), "label": torch.tensor([0])}
image = torch.randn(1, 3, 64, 64)
DetectionLoss(detector)(DetectionInferer(detector)(image, network), [target]).backward()
network.eval()
print(len(DetectionInferer(detector)(image, network)[0]["box"]), "torchvision" in sys.modules)
"""
    # A process of its own, and no fork of one with the libraries: those are what is to come without torchvision.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, imported = done.stdout.split()[-2:]
    assert int(count) > 0
    assert imported == "False"
