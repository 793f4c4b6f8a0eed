"""What counts as collapsed: made features, real encoders, and histories of real runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from scripts.encoders.factory import build_encoder, feature_encoder
from scripts.metrics.collapse import first_collapse, why_collapsed
from scripts.metrics.latent_geometry import latent_geometry, rank_share

# Effective rank and uniformity of validation images in runs of 60 epochs on 45 real images and of 15 on 59 demo images.
AUTHORS_REAL = [(21.7, -0.088), (21.5, -0.116), (4.84, -0.0088), (2.79, -0.0071), (3.92, -0.125), (9.97, -1.763)]
AUTHORS_DEMO = [(8.06, -0.0047), (3.45, -0.026), (6.25, -0.707), (9.71, -1.481)]
DEFAULT_REAL = [(25.4, -0.139), (33.6, -0.155), (35.4, -0.108), (25.9, -0.082), (31.2, -0.147), (32.5, -0.120)]
DEFAULT_DEMO = [(52.6, -0.208), (52.8, -0.164), (51.6, -0.088), (50.3, -0.043), (50.5, -0.051)]


def judge(values: list[tuple[float, float]], limit: int) -> list[bool]:
    """`collapsed` of each epoch of a run on `limit + 1` images (one group: its rank share is the plain ratio)."""
    rows: list[dict[str, float]] = []
    for epoch, (rank, spread) in enumerate(values, 1):
        scores = {"effective_rank": rank, "effective_rank_limit": limit, "rank_share": rank / limit}
        bad = bool(why_collapsed(scores | {"uniformity": spread}, rows))
        rows.append({"epoch": epoch, "val_effective_rank": rank, "val_collapsed": float(bad)})
    return [row["val_collapsed"] > 0 for row in rows]


@pytest.mark.parametrize(
    ("values", "limit", "expected"),
    [
        (AUTHORS_REAL, 44, [False, False, True, True, True, True]),
        (AUTHORS_DEMO, 58, [True] * 4),
        (DEFAULT_REAL, 44, [False] * 6),
        (DEFAULT_DEMO, 58, [False] * 5),
        ([(31.7, -8.9e-4), (44.9, -2.5e-5), (44.0, -1.4e-5), (45.9, -3.6e-6)], 56, [False, True, True, True]),
        ([(11.0, -0.5), (12.5, -0.7), (13.0, -0.7), (15.0, -0.7)], 56, [True, True, True, False]),
    ],
    ids=[
        "authors' loss",
        "authors' loss, within an epoch",
        "default",
        "default on the demo",
        "Adaptor at 1e-3",
        "about a fifth",
    ],
)
def test_real_runs(values: list[tuple[float, float]], limit: int, expected: list[bool]) -> None:
    assert judge(values, limit) == expected


def normal(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


MADE: dict[str, tuple[Tensor, str]] = {
    "constant": (torch.full((40, 16), 0.3), "one point"),
    "zero": (torch.zeros(40, 16), "one point"),
    "constant but for bfloat16's rounding": ((1 + normal(40, 64) * 2**-9), "one point"),
    "one direction": (normal(40, 1) * normal(1, 64, 1) + 1e-3 * normal(40, 64, 2), "few directions"),
    "three directions of 512": (normal(300, 3) @ normal(3, 512, 1), "few directions"),
    "normal": (normal(300, 512), ""),
    "after a ReLU, far from zero": (normal(60, 512).mul(0.1).add(1).relu(), ""),
    "32 images": (normal(32, 512).relu(), ""),
    "few images": (torch.cat([normal(4, 8), normal(1, 8, 1).expand(4, 8)]), ""),
    "two classes of features in many dimensions": (normal(100, 128) + 5 * (torch.arange(100)[:, None] % 2), ""),
}


@pytest.mark.parametrize("name", MADE)
def test_made_features(name: str) -> None:
    features, reason = MADE[name]
    found = why_collapsed(latent_geometry(features))
    assert reason in found
    assert bool(found) == bool(reason)


@pytest.mark.parametrize("encoder", ["resnet18", "resnet50", "densenet121"])
def test_an_untrained_encoder_is_healthy_on_radiographs(encoder: str, prepared: Path) -> None:
    pixels = torch.from_numpy(np.load(prepared / "images.npy")[:32].astype("float32")) / 255
    images = ((pixels[:, None] - 0.449) / 0.226).expand(-1, 3, -1, -1)
    torch.manual_seed(0)
    network = feature_encoder(build_encoder(encoder)).eval()
    with torch.no_grad():
        features = network.pooled(images)
    assert why_collapsed(latent_geometry(features)) == ""


def test_rank_share_does_not_depend_on_the_number_of_images() -> None:
    features = normal(4000, 40) * torch.linspace(1, 0.01, 40)
    assert rank_share(features) == pytest.approx(rank_share(features[:640]), rel=0.03)
    few = features[:30]  # one group of them all, of at most 29 directions
    assert rank_share(few) == pytest.approx(latent_geometry(few)["effective_rank"] / 29)


def test_the_reason_tells_the_numbers() -> None:
    lost = {"effective_rank": 10.0, "effective_rank_limit": 44.0, "rank_share": 0.23, "uniformity": -1.0}
    assert why_collapsed(lost, [{"epoch": 1, "val_effective_rank": 30.0}]) == (
        "the effective rank has fallen to 10.0 from 30.0 (at most 44)"
    )
    assert why_collapsed({}) == ""


def test_first_collapse_of_several_seeds() -> None:
    rows = [{"epoch": e, "val_collapsed": float(e > first)} for first in (4, 2) for e in range(1, 6)]
    assert first_collapse(rows) == 3
    assert first_collapse([{"epoch": 1.0}, {"epoch": 2.0, "val_collapsed": 0.0}]) is None
