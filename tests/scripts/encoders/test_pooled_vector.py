"""The pooled vector of each row of the table of encoders is its model's own `pooler_output`, where it has one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from transformers import CONFIG_MAPPING, AutoModel
from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

from scripts.encoders.factory import feature_encoder, load_body

SIZES: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("encoder_table.json").read_text())["taken"]
IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
# BERT's pooler, a dense layer and tanh that published files of these do not hold: the class token before it is taken.
DENSE = ("vit", "deit", "vit_mae", "yolos")
# Their models pool nothing.
NONE = (
    "vit_msn", "data2vec-vision", "ijepa", "internvl_vision", "pvt_v2", "poolformer", "segformer", "glpn",
    "swiftformer", "cvt",
)  # fmt: skip
# Backbones without a model.
BACKBONES = ("rt_detr_resnet", "hgnet_v2", "pp_lcnet", "pp_lcnet_v3")
MONAI = ("resnet18", "resnet50", "densenet121")
ROWS = [name for name in SIZES if name not in (*NONE, *BACKBONES, *MONAI)]


def stock(name: str) -> nn.Module:
    """The model with random weights, its norms and biases as after some training: fresh ones change nothing."""
    torch.manual_seed(0)
    form = CONFIG_MAPPING["vit" if name == "vit_mae" else name]
    model: nn.Module = AutoModel.from_config(form(**SIZES[name])).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("name", ROWS)
def test_the_vector_is_the_models_own(name: str, tmp_path: Path) -> None:
    model = stock(name)
    model.save_pretrained(tmp_path)  # type: ignore[operator]
    encoder = feature_encoder({"model_type": name, **SIZES[name]}).eval()
    load_body(encoder.body, tmp_path)
    with torch.no_grad():
        found = model(pixel_values=IMAGES)
        expected = found.last_hidden_state[:, 0] if name in DENSE else found.pooler_output
        if name == "textnet":  # pools to 2 x 2 cells of equal size
            expected = expected.mean((2, 3))
        pooled, maps = encoder.pooled_and_maps(IMAGES)
        assert_close(pooled, expected.flatten(1), rtol=1e-5, atol=1e-6)
        assert_close(encoder.pooled(IMAGES), pooled)
        assert all(torch.equal(one, two) for one, two in zip(maps, encoder(IMAGES), strict=True))


@pytest.mark.parametrize("name", NONE)
def test_these_models_pool_nothing(name: str) -> None:
    with torch.no_grad():
        assert getattr(stock(name)(pixel_values=IMAGES), "pooler_output", None) is None


@pytest.mark.parametrize("name", BACKBONES)
def test_these_have_no_model(name: str) -> None:
    assert MODEL_MAPPING_NAMES.get(name, "Backbone").endswith("Backbone")
