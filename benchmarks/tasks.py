"""A training step and one image's inference of each task, frozen and fine-tuned: time, and peak memory."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import torch
from torch import nn

from benchmarks.measure import Row
from bundle.processes import process_context
from scripts.engine.autocast import AutocastInferer
from scripts.root import CONFIGS
from scripts.tasks.prepare import parameter_groups, prepare_network
from scripts.tasks.registry import TASKS
from scripts.tasks.task import Task
from scripts.trained.configs import read_config

ENCODERS = ("resnet18", "resnet50")
CLASSES = 2
_WARM = ("resnet10", {"widen_factor": 0.25})


class Cost(NamedTuple):
    """What one task costs on one network.

    Attributes:
        step: milliseconds an image of a training step, each round.
        image: milliseconds of the inference of one image, each round.
        body: milliseconds of one image in the encoder alone, each round.
        step_mib, image_mib: peak memory with the network's own; nan where the system does not tell.
    """

    step: list[float]
    image: list[float]
    body: list[float]
    step_mib: float
    image_mib: float


def run(
    rounds: int = 3, batch: int = 8, size: int = 224, encoders: Sequence[str] = ENCODERS, seed: int = 0
) -> list[Row]:
    """Rows of each task and encoder, in `precision` auto, on the GPU if there is one.

    A step of the frozen network against one of the fine-tuned, in milliseconds an image and in MiB of peak memory; one
    image's inference against its pass through the encoder alone, which is what the task's own part adds to. The frozen
    classifier steps on cached features, as its training does.

    On a CPU: one thread, its CPU time, medians; memory is what the process grew by at most (`ru_maxrss`), in a process
    of its own. On a GPU: wall time, and the peak of torch's allocator. Weights and images are random.

    Args:
        rounds: measurements of each.
        batch: images in a step.
        size: side of the images.
        encoders: names of MONAI's ResNets.
        seed: of weights and images.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = []
    for task in TASKS:
        for encoder in encoders:
            arguments = (task, encoder, device, batch, size, rounds, seed)
            frozen, tuned = (_in_a_process(measure, *arguments, frozen=frozen) for frozen in (True, False))
            what = f"{task}, {encoder}, {device}"
            how = "on cached features" if TASKS[task].caches_features else "frozen"
            rows += [
                Row.of(f"{what}: step, {how}, an image", "fine-tuned", None, frozen.step, tuned.step),
                _memory(f"{what}: step of {batch}, {how}, peak", "fine-tuned", frozen.step_mib, tuned.step_mib),
                Row.of(f"{what}: inference of an image", "the encoder alone", None, frozen.image, frozen.body),
                _memory(f"{what}: inference, peak", f"fine-tuned step of {batch}", frozen.image_mib, tuned.step_mib),
            ]
    return [row for row in rows if row.ratio == row.ratio]  # without those that this system cannot tell


def measure(
    task: str, encoder: str, device: str, batch: int, size: int, rounds: int, seed: int, *, frozen: bool
) -> Cost:
    """Costs of one task; see `run`."""
    torch.manual_seed(seed)
    if device == "cpu":
        torch.set_num_threads(1)
    # What is loaded and compiled at the first use belongs to no network.
    for action in _actions(TASKS[task], *_WARM, device, 2, 64, frozen):
        action()
    start = _memory_now(device)
    image, body, step = _actions(TASKS[task], encoder, {}, device, batch, size, frozen)
    image()
    image_mib = _memory_now(device) - start  # before the step, whose peak would hide it
    images, bodies = ([_timed(action, device) for _ in range(rounds)] for action in (image, body))
    step()
    step_mib = _memory_now(device) - start
    steps = [_timed(step, device) / batch for _ in range(rounds)]
    return Cost(steps, images, bodies, step_mib, image_mib)


def _actions(
    task: Task, encoder: str, options: dict[str, Any], device: str, batch: int, size: int, frozen: bool
) -> tuple[Callable[[], Any], Callable[[], Any], Callable[[], Any]]:
    """One image's inference, the same in the encoder alone, and a training step."""
    network, loss, inferer = _parts(task, encoder, options)
    network = prepare_network(network, frozen=frozen).to(device)
    optimizer = torch.optim.AdamW(parameter_groups(network, lr=1e-4, weight_decay=0.05))
    images = torch.randn(batch, 3, size, size, device=device).contiguous(memory_format=torch.channels_last)
    given = images
    if frozen and task.caches_features:
        given = torch.randn(batch, int(network.encoder.dim), device=device)  # type: ignore[arg-type]
    target = _to(task.random_targets(batch, CLASSES, size), device)

    @torch.no_grad()
    def image() -> Any:
        return inferer(images[:1], network.eval())

    @torch.no_grad()
    def body() -> Any:
        return AutocastInferer()(images[:1], network.get_submodule("encoder").eval())

    def step() -> None:
        network.train()
        optimizer.zero_grad(set_to_none=True)
        loss(inferer(given, network), target).backward()
        optimizer.step()

    return image, body, step


def _parts(task: Task, encoder: str, options: dict[str, Any]) -> tuple[nn.Module, Any, Any]:
    """Network, loss and inferer, as the task's configs have them."""
    parser = read_config([CONFIGS / task.name / "train.json"], CONFIGS.parent)
    parser.update({"encoder": encoder, "encoder_options": options, "names": [f"class {i}" for i in range(CLASSES)]})
    network, loss, inferer = (parser.get_parsed_content(name) for name in ("network_def", "loss", "train#inferer"))
    return network, loss, inferer


def _to(target: Any, device: str) -> Any:
    if isinstance(target, list):
        return [{key: value.to(device) for key, value in one.items()} for one in target]
    return target.to(device)


def _timed(action: Callable[[], Any], device: str) -> float:
    """Milliseconds: of this process on a CPU, by the clock on a GPU."""
    clock = time.process_time
    if device != "cpu":
        torch.cuda.synchronize()
        clock = time.perf_counter
    start = clock()
    action()
    if device != "cpu":
        torch.cuda.synchronize()
    return 1000 * (clock() - start)


def _memory_now(device: str) -> float:
    """Largest MiB so far, of this process or of torch on the GPU."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated() / 2**20
    if os.name == "nt":
        return float("nan")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _memory(what: str, against: str, ours: float, theirs: float) -> Row:
    return Row(what, against, theirs / ours if ours else float("nan"), None, ours, theirs, 1, "MiB")


def _in_a_process(work: Callable[..., Cost], *arguments: Any, **options: Any) -> Cost:
    """A process of its own, since a peak never falls; from a server that has paid for the imports."""
    with ProcessPoolExecutor(1, process_context(__name__)) as pool:
        return pool.submit(work, *arguments, **options).result()
