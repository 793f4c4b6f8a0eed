"""What a cell of the table in docs/encoders.md stands for: each function tries one thing, or raises."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from scripts.encoders.base import FeatureEncoder
from scripts.encoders.factory import feature_encoder, load_body
from scripts.encoders.pooled import PooledEncoder
from scripts.pretraining.mflag import MFlag, MFlagLoss
from scripts.tasks.classification.network import ClassificationLoss, Classifier
from scripts.tasks.detection.detector import CxrDetector, DetectionInferer, DetectionLoss
from scripts.tasks.detection.network import Detector
from scripts.tasks.prepare import prepare_network
from scripts.tasks.segmentation.loss import SegmentationLoss
from scripts.tasks.segmentation.network import Segmenter

SIDE = 64
IMAGES = torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
Encoder = str | dict[str, Any]


def make(encoder: Encoder, options: dict[str, Any]) -> FeatureEncoder:
    """A random encoder in eval mode; the same each time. Its batch norms have seen the images, without which a deep
    random network gives the same for every image.
    """
    torch.manual_seed(0)
    found = feature_encoder(encoder, **options)
    norms = [module for module in found.modules() if isinstance(module, nn.BatchNorm2d)]
    if norms:
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 1.0
        with torch.no_grad():
            found.train()(IMAGES)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            if norm.running_var is not None:  # a channel without variance would be one of rounding errors
                norm.running_var.clamp_(min=float(norm.running_var.mean()))
    return found.eval()


def copies(encoder: Encoder, options: dict[str, Any]) -> Callable[[], FeatureEncoder]:
    """`make`, which builds it the first time."""
    made = make(encoder, options)

    def copy() -> FeatureEncoder:
        torch.manual_seed(0)
        return deepcopy(made)

    return copy


def maps(encoder: FeatureEncoder) -> str:
    """Strides of its maps, finest first; its stages hold each parameter once, or leave it to the first (MLCD's class
    token has a position that lies in no module).
    """
    held = [id(parameter) for stage in encoder.stages() for parameter in stage.parameters()]
    assert len(held) == len(set(held)) > 0
    own = {name: id(parameter) for name, parameter in encoder.named_parameters()}
    assert set(held) <= set(own.values())
    assert all(name.count(".") == 1 for name, one in own.items() if one not in held)
    return " ".join(map(str, encoder.strides)) if len(encoder.strides) > 1 else "patch"


def forward(encoder: FeatureEncoder) -> None:
    """Maps and vector of the announced shapes, also where a side is no multiple of the stride; each image's are its
    own.
    """
    with torch.no_grad():
        for images in (IMAGES, IMAGES[:, :, :, :56]):
            found, pooled = encoder(images), encoder.pooled(images)
            assert pooled.shape == (3, encoder.dim)
            assert tuple(one.shape[1] for one in found) == encoder.channels
            for one, stride in zip(found, encoder.strides, strict=True):
                rows, columns = (side / stride for side in images.shape[-2:])
                assert abs(one.shape[2] - rows) < 1 and abs(one.shape[3] - columns) < 1
        depends(pooled := encoder.pooled(IMAGES))
        assert_close(encoder.pooled(IMAGES[:1]), pooled[:1], rtol=1e-4, atol=1e-4 * float(pooled.abs().max()))


def depends(output: Tensor) -> None:
    """The output is finite, and another image gives another one."""
    assert output.isfinite().all()
    assert float((output[0] - output[1]).abs().max()) > 1e-3 * float(output.abs().max())


def freeze(encoder: FeatureEncoder) -> None:
    """A trainer's `train()` changes nothing of a frozen encoder."""
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    with torch.no_grad():
        expected = encoder.pooled(IMAGES)
    nn.Sequential(encoder.freeze()).train()
    assert_close(encoder.pooled(IMAGES), expected, rtol=1e-5, atol=1e-6)  # with and without a graph differ in rounding
    assert not encoder.pooled(IMAGES).requires_grad
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())


def pretrain(encoder: FeatureEncoder, folder: Path) -> None:
    """A step of M-FLAG reaches every trained parameter (several ranks wait for each), and a task takes the result."""
    start = {key: value.clone() for key, value in encoder.state_dict().items()}
    image_encoder = PooledEncoder(encoder)
    method, loss = MFlag(image_encoder, text_dim=8, hidden_dim=16, out_dim=8, precision="float32"), MFlagLoss()
    trained = [parameter for parameter in method.parameters() if parameter.requires_grad]
    method.train()
    loss(method(IMAGES, torch.randn(3, 8))).backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in trained)
    torch.optim.AdamW(trained, 1e-2).step()
    after = encoder.state_dict()
    assert any(not torch.equal(after[key], start[key]) for key in start)
    torch.save(image_encoder.state_dict(), folder / "model.pt")
    encoder.load_state_dict(start)
    load_body(encoder.body, folder / "model.pt")
    assert all(torch.equal(value, after[key]) for key, value in encoder.state_dict().items())


def classification(encoder: FeatureEncoder) -> None:
    network = prepare_network(Classifier(encoder, 2), frozen=False)
    _learn(network, lambda: ClassificationLoss()(network(IMAGES), torch.tensor([[0.0, 1], [1, 0], [1, 1]])))


def segmentation(encoder: FeatureEncoder) -> None:
    steps = 4 if len(encoder.channels) == 1 else encoder.strides[-1].bit_length() - 1
    network = prepare_network(Segmenter(encoder, 1, decoder_channels=(8,) * steps), frozen=False)
    masks = (torch.arange(SIDE) < 20).float().expand(3, 1, SIDE, SIDE)
    _learn(network, lambda: SegmentationLoss()(network(IMAGES), masks))
    assert network(IMAGES).shape == masks.shape


def detection(encoder: FeatureEncoder) -> None:
    network = prepare_network(Detector(encoder, 1, fpn_channels=8), frozen=False)
    detector = CxrDetector(network, score_threshold=0.0)
    inferer, loss = DetectionInferer(detector), DetectionLoss(detector)
    targets = [{"box": torch.tensor([[8.0, 8, 40, 32]]), "label": torch.zeros(1, dtype=torch.int64)}] * 3
    _learn(network, lambda: loss(inferer(IMAGES, network), targets))
    found = inferer(IMAGES, network.eval())
    assert len(found) == 3 and all(one["box"].shape[1] == 4 and len(one["box"]) for one in found)


def _learn(network: nn.Module, loss: Callable[[], Tensor]) -> None:
    """One backward pass reaches every parameter that learns."""
    network.train()
    loss().backward()
    learning = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert learning and not [name for name, parameter in learning.items() if parameter.grad is None]
    network.zero_grad()


class Both(nn.Module):
    """All that a task takes from an encoder: its vector and its maps, in the one pass that exporters trace."""

    def __init__(self, encoder: FeatureEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        return self.encoder.pooled_and_maps(image)

    @torch.jit.ignore
    def expected(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The same of `pooled` and `forward`."""
        return self.encoder.pooled(image), self.encoder(image)


def exported(network: nn.Module) -> torch.export.ExportedProgram:
    """The network as torch.export has it, for batches of any size: by value."""
    with _quiet(), torch.no_grad():
        program = torch.export.export(network, (IMAGES[:2],), dynamic_shapes={"image": {0: torch.export.Dim("batch")}})
        same(program.module(), network)
    return program


def onnx(program: torch.export.ExportedProgram, network: nn.Module) -> None:
    """The exported program in ONNX Runtime: by value."""
    import onnxruntime

    with _quiet(), torch.no_grad():
        # onnxscript's optimizer takes a third of the time; the tests of the tasks' networks export with it.
        model = torch.onnx.export(program, (), verbose=False, optimize=False)
    assert model is not None
    session = onnxruntime.InferenceSession(model.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    same(lambda image: [torch.from_numpy(np.asarray(one)) for one in session.run(None, {name: image.numpy()})], network)


def torchscript(network: nn.Module) -> str:
    """`script`, or where that fails `trace`: saved, loaded, by value."""
    with _quiet(), torch.no_grad():
        try:
            form, program = "script", torch.jit.script(network)
        except Exception:  # a transformers model's code is not of the subset that TorchScript compiles
            form, program = "trace", torch.jit.trace(network, IMAGES[:2], strict=False, check_trace=False)
    file = io.BytesIO()
    torch.jit.save(program, file)
    file.seek(0)
    same(torch.jit.load(file), network)
    return form


def same(program: Callable[[Tensor], Any], network: nn.Module) -> None:
    """Outputs for three images; a program was made with two."""
    with torch.no_grad():
        expected = torch.utils._pytree.tree_leaves(getattr(network, "expected", network)(IMAGES))
        depends(torch.cat([one.flatten(1) for one in expected], dim=1))
        for ours, theirs in zip(torch.utils._pytree.tree_leaves(program(IMAGES)), expected, strict=True):
            assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * float(theirs.abs().max()) + 1e-9)


@contextmanager
def _quiet() -> Iterator[None]:
    """Exporters warn of their own insides."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
