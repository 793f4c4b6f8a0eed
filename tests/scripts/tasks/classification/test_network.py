"""The classification network: its heads, cached features, every export by value; its loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from scripts.encoders.base import FeatureEncoder
from scripts.encoders.feature_scale import Standardize
from scripts.errors import CxrError
from scripts.tasks.classification.network import ClassificationLoss, Classifier

THIN: dict[str, Any] = {"encoder": "resnet10", "encoder_options": {"widen_factor": 0.25}}
NAN = float("nan")


class Tokens(FeatureEncoder):
    """Stands for a vision transformer: tokens, and a pooled vector that is none of them."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 12, 16, stride=16))
        self.dim, self.channels, self.strides = 12, (12,), (16,)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [self.body(image)]

    def pooled(self, image: Tensor) -> Tensor:
        return self.body(image).amax((2, 3))


def classifier(encoder: str, head: Any = "linear", classes: int = 3) -> Classifier:
    torch.manual_seed(0)
    if encoder == "resnet":
        return Classifier(**THIN, classes=classes, head=head).eval()
    return Classifier(Tokens(), classes, head=head).eval()


BOTH = pytest.mark.parametrize(
    ("encoder", "head"),
    [("resnet", "linear"), ("resnet", "mlp"), ("tokens", "linear")],
    ids=["resnet", "mlp", "tokens"],
)


def test_the_linear_head_is_a_linear_probe_of_the_stock_network() -> None:
    from monai.networks.nets import resnet10

    network, image = classifier("resnet"), torch.randn(2, 3, 64, 64)
    stock = resnet10(
        spatial_dims=2, n_input_channels=3, conv1_t_stride=2, bias_downsample=False, feed_forward=False,
        widen_factor=0.25,
    ).eval()  # fmt: skip
    stock.load_state_dict(network.encoder.body.state_dict())
    assert isinstance(network.head, nn.Linear)
    assert_close(network(image), F.linear(stock(image), network.head.weight, network.head.bias))


def test_the_mlp_is_the_adaptors_head() -> None:
    """papers.md 2.6: hidden 512, batch norm, ReLU, dropout .1, linear."""
    head = Classifier("resnet18", 3, head="mlp").head
    assert isinstance(head, nn.Sequential)
    assert [type(part) for part in head] == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Dropout, nn.Linear]
    shapes = [tuple(p.shape) for p in head.parameters()]
    assert shapes == [(512, 512), (512,), (512,), (512,), (3, 512), (3,)]
    assert head[3].p == 0.1


@BOTH
def test_cached_features_give_the_logits_of_their_images(encoder: str, head: str) -> None:
    network, image = classifier(encoder, head), torch.randn(4, 3, 64, 64)
    features = network.encoder.pooled(image)
    assert features.shape == (4, network.encoder.dim)
    assert_close(network(features), network(image))


@BOTH
def test_torchscript_gives_the_same_values(encoder: str, head: str, tmp_path: Path) -> None:
    network, image = classifier(encoder, head), torch.randn(2, 3, 64, 64)
    made = {"trace": torch.jit.trace(network, image)}
    if encoder == "resnet":
        made["script"] = torch.jit.script(network)
        other = torch.randn(1, 3, 75, 101)
        assert_close(made["script"](other), network(other))
        features = network.encoder.pooled(other)
        assert_close(made["script"](features), network(other))
    for name, program in made.items():
        torch.jit.save(program, str(tmp_path / f"{name}.ts"))
        assert_close(torch.jit.load(str(tmp_path / f"{name}.ts"))(image), network(image), msg=name)


@BOTH
def test_torch_export_and_onnx_give_the_same_values_for_any_batch(encoder: str, head: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    network, image = classifier(encoder, head), torch.randn(2, 3, 64, 64)
    exported = torch.export.export(network, (image,), dynamic_shapes={"image": {0: torch.export.Dim("batch")}})
    path = tmp_path / "network.onnx"
    torch.onnx.export(exported, (), str(path), verbose=False)
    session = onnxruntime.InferenceSession(str(path))
    for batch in (image, torch.randn(3, 3, 64, 64)):
        expected = network(batch)
        assert_close(exported.module()(batch), expected)
        found = session.run(None, {session.get_inputs()[0].name: batch.numpy()})[0]
        assert_close(torch.from_numpy(found), expected, atol=1e-5, rtol=1e-4)


def test_the_same_seed_builds_the_same_network_with_the_body_under_encoder() -> None:
    first, second = classifier("resnet", "mlp").state_dict(), classifier("resnet", "mlp").state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert {key.split(".")[0] for key in first} == {"encoder", "standardize", "head"}
    assert all(key.startswith("encoder.body.") for key in first if key.startswith("encoder"))


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({**THIN, "classes": 0}, "at least one class"),
        ({**THIN, "classes": 1, "head": "conv"}, "linear or mlp, not 'conv'"),
        ({"encoder": "resnet11", "classes": 1}, "resnet11"),
    ],
)
def test_a_setting_that_cannot_be_built_is_told(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(CxrError, match=word):
        Classifier(**settings)


def test_binary_cross_entropy_by_hand() -> None:
    logits = torch.tensor([[0.0, 2.0], [5.0, -1.0]])
    label = torch.tensor([[1.0, 0.0], [NAN, 1.0]])
    # -log sigmoid(0), -log(1 - sigmoid(2)), -log sigmoid(-1); the unknown one counts nowhere.
    expected = (0.693147 + 2.126928 + 1.313262) / 3
    assert ClassificationLoss()(logits, label).item() == pytest.approx(expected, abs=1e-5)
    weighted = (3 * 0.693147 + 2.126928 + 3 * 1.313262) / 3
    assert ClassificationLoss(pos_weight=3)(logits, label).item() == pytest.approx(weighted, abs=1e-5)
    each = (2 * 0.693147 + 2.126928 + 4 * 1.313262) / 3
    assert ClassificationLoss(pos_weight=[2, 4])(logits, label).item() == pytest.approx(each, abs=1e-5)


def test_an_unknown_label_has_no_gradient() -> None:
    logits = torch.randn(3, 2, requires_grad=True)
    ClassificationLoss()(logits, torch.tensor([[1, NAN], [NAN, 0], [1, 1]])).backward()
    assert logits.grad is not None
    assert ((logits.grad == 0) == torch.tensor([[False, True], [True, False], [False, False]])).all()


@pytest.mark.parametrize("mode", ["multilabel", "multiclass"])
def test_a_batch_without_a_known_label_is_0_and_reaches_every_parameter(mode: Any) -> None:
    network = classifier("resnet").train()
    loss = ClassificationLoss(mode)(network(torch.randn(2, 3, 64, 64)), torch.full((2, 3), NAN))
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is not None and not p.grad.any() for p in network.parameters())


def test_cross_entropy_of_the_class_and_unknown_rows_left_out() -> None:
    logits = torch.randn(4, 3)
    label = torch.eye(3)[[2, 0, 1, 1]]
    loss = ClassificationLoss("multiclass")
    assert_close(loss(logits, label), F.cross_entropy(logits, torch.tensor([2, 0, 1, 1])))
    label[1] = NAN
    assert_close(loss(logits, label), F.cross_entropy(logits[[0, 2, 3]], torch.tensor([2, 1, 1])))


def test_half_precision_logits_are_taken_in_float32() -> None:
    logits, label = torch.randn(4, 3).bfloat16(), torch.ones(4, 3)
    assert_close(ClassificationLoss()(logits, label), ClassificationLoss()(logits.float(), label))


def test_mistakes_are_told() -> None:
    with pytest.raises(CxrError, match="multilabel or multiclass, not 'binary'"):
        ClassificationLoss("binary")  # type: ignore[arg-type]
    with pytest.raises(CxrError, match="pos_weight is for multilabel"):
        ClassificationLoss("multiclass", pos_weight=2)
    with pytest.raises(CxrError, match="must list the same classes"):
        ClassificationLoss()(torch.ones(2, 3), torch.ones(2, 2))
    with pytest.raises(CxrError, match="two classes or more"):
        ClassificationLoss("multiclass")(torch.ones(2, 1), torch.ones(2, 1))


def test_a_linear_head_learns_what_the_features_hold() -> None:
    network = classifier("resnet", classes=2)
    features = torch.randn(64, network.encoder.dim)
    label = (features[:, :2] > 0).float()
    label[::5, 0] = NAN
    optimizer, loss = torch.optim.Adam(network.head.parameters(), 0.1), ClassificationLoss()
    for _ in range(100):
        optimizer.zero_grad()
        loss(network(features), label).backward()
        optimizer.step()
    assert ((network(features) > 0) == (label > 0))[~label.isnan()].all()


def test_features_are_standardised_as_scikit_learn_does_it() -> None:
    from sklearn.preprocessing import StandardScaler

    features = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([1e-2, 1.0, 1e3, 0.0]) + 5
    standardize = Standardize(4)
    torch.testing.assert_close(standardize(features), features)  # not fitted: as they are
    standardize.fit(features)
    expected = torch.from_numpy(StandardScaler().fit_transform(features.double().numpy())).float()
    torch.testing.assert_close(standardize(features), expected, rtol=1e-3, atol=1e-3)
    assert {"mean", "std"} == standardize.state_dict().keys()  # it travels with the weights
