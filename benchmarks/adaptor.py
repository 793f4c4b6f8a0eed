"""The Adaptor on stored features, against the same Adaptor with both frozen encoders run in each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from monai.data import DataLoader
from torch import Tensor, nn

from benchmarks.measure import Row, interleaved, one_thread
from scripts.data.sampling import StudyDataset
from scripts.encoders.factory import feature_encoder
from scripts.encoders.pooled import PooledEncoder
from scripts.engine.batch import PrepareImageReport
from scripts.engine.feature_files import FeatureFiles
from scripts.precision import Precision, computes_bfloat16
from scripts.pretraining.adaptor import Adaptor
from scripts.pretraining.infonce import InfoNCELoss
from scripts.text.store import TextStore

VIT = {
    "model_type": "dinov2", "hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6, "patch_size": 14,
    "image_size": 224,
}  # fmt: skip
TEXT_DIM, TOKENS = 768, 112
EPOCHS = 50
PAIR, RUN = 300.0, 30.0


def run(
    rounds: int = 3, batch: int = 1024, looked: int = 4, image: Any = VIT, layers: int = 12, seed: int = 0
) -> list[Row]:
    """CPU milliseconds a pair, one thread, the ways in turn; medians.

    Theirs: ViT-S/14 at 224 x 224 and BERT-base at the authors' 112 tokens in float32 and under no-grad, then the
    Adaptor's step (forward, loss, backward, AdamW) in float32. Ours is the same step in batches of the authors' size,
    on features read from disk and reports looked up in the text store by the run's own classes. A run of 50 epochs is
    the encoders once, in the same precision as the step, and 50 steps. Weights are random: they do not change the time.

    Args:
        rounds: measurements of each way.
        batch: pairs in a step.
        looked: pairs that the encoders look at in a measurement; each costs the same.
        image: the frozen image encoder.
        layers: of the language model.
        seed: of weights and images.
    """
    precisions: list[Precision] = ["float32"]
    if computes_bfloat16(torch.device("cpu")):
        precisions.append("bfloat16")
    with one_thread(), torch.random.fork_rng(devices=[]), TemporaryDirectory() as folder:
        torch.manual_seed(seed)
        frozen = feature_encoder(image)
        encoders, width = _encoders(frozen, layers, looked), int(frozen.dim)
        batches = _stored(Path(folder), batch, width)
        ways: dict[str, Callable[[], Any]] = {}
        for precision in precisions:
            ways[f"encoders {precision}"] = _in(precision, encoders)
            ways[f"step {precision}"] = _step(
                Adaptor(PooledEncoder("adaptor", {"body": frozen}), TEXT_DIM, precision), batches
            )
        costs = interleaved(ways, rounds)
    costs = {
        name: [one / (batch if name.startswith("step") else looked) for one in all_] for name, all_ in costs.items()
    }
    online = _sum(costs["encoders float32"], costs["step float32"])
    return [row for precision in precisions for row in _rows(precision, costs, online, precision == precisions[-1])]


def _rows(precision: Precision, costs: dict[str, list[float]], online: list[float], held: bool) -> Iterator[Row]:
    """A pair, and a run; the bars are of the default precision."""
    name = {"float32": "fp32", "bfloat16": "bf16"}[precision]
    step, once = costs[f"step {precision}"], costs[f"encoders {precision}"]
    against = "frozen ViT-S/14 and BERT-base (112 tokens) online, fp32"
    yield Row.of(f"Adaptor step on stored features, {name}", against, PAIR if held else None, step, online)
    spent = _sum(once, [EPOCHS * one for one in step])
    theirs = [EPOCHS * one for one in online]
    what = f"Adaptor, {EPOCHS} epochs with the one-off look at each pair, {name}"
    yield Row.of(what, against, RUN if held else None, spent, theirs)


def _sum(first: Sequence[float], second: Sequence[float]) -> list[float]:
    return [one + other for one, other in zip(first, second, strict=True)]


def _encoders(image: nn.Module, layers: int, count: int) -> Callable[[], Any]:
    """A look of both frozen encoders at `count` pairs."""
    from transformers import BertConfig, BertModel

    text = BertModel(BertConfig(num_hidden_layers=layers)).eval()
    pixels = torch.randn(count, 3, 224, 224)
    tokens = torch.randint(1000, 20000, (count, TOKENS))
    mask = torch.ones_like(tokens)

    @torch.no_grad()
    def look() -> Any:
        return image.pooled(pixels), text(tokens, attention_mask=mask).pooler_output  # type: ignore[operator]

    return look


def _in(precision: Precision, action: Callable[[], Any]) -> Callable[[], Any]:
    def run_() -> None:
        with torch.autocast("cpu", torch.bfloat16) if precision == "bfloat16" else nullcontext():
            action()

    return run_


def _stored(folder: Path, count: int, width: int) -> Callable[[], tuple[Tensor, Tensor, Tensor]]:
    """A batch, image, text and identities, from files of features and a text store, as the trainer gets it."""
    rng = np.random.default_rng(0)
    ids = [f"{index:032x}" for index in range(count)]
    files = FeatureFiles(folder, "bench", "float16")
    files.add(ids, rng.normal(size=(count, width)).astype(np.float32))
    # Reports of a usual length, each its own.
    reports = [
        f"report {index} " + "the lungs are clear and the heart is normal in size " * 6 for index in range(count)
    ]
    items = [{"image": image, "report": report} for image, report in zip(ids, reports)]
    dataset = StudyDataset([{**item, "patient_id": item["image"], "study_id": item["image"]} for item in items])
    dataset.features = files.find(ids)
    model: Any = SimpleNamespace(
        dim=TEXT_DIM,
        embed_batches=lambda texts, progress: [(range(len(texts)), rng.normal(size=(len(texts), TEXT_DIM)))],
    )
    store = TextStore(None, model)
    store.ensure(reports, progress=False)
    loader, prepare = DataLoader(dataset, batch_size=count), PrepareImageReport(store)

    def batch() -> tuple[Tensor, Tensor, Tensor]:
        image, target, (text,), _ = prepare(next(iter(loader)), "cpu")
        return image, text, target

    return batch


def _step(network: Adaptor, batches: Callable[[], tuple[Tensor, Tensor, Tensor]]) -> Callable[[], Any]:
    network.train()
    loss = InfoNCELoss(image_weight=0.25)
    optimizer = torch.optim.AdamW([one for one in network.parameters() if one.requires_grad], lr=2e-5)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        image, text, target = batches()
        loss(network(image, text), target).backward()
        optimizer.step()

    return step
