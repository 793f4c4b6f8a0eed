"""The mutants through `prepare`'s worker processes: who dies, how long it takes, how much memory, what is said."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bundle.prepare.pool import Failure, Limits, guarded_map
from scripts.data.image_store import StoreSettings
from tests.mutants import judge
from tests.mutants.mutations import MUTATIONS, Mutant, mutants
from tests.mutants.originals import IDENTITY, NAMES, original

Task = tuple[int, str]
Result = tuple[dict[str, Any], float]


@dataclass
class Tally:
    """Counts over mutants; `seconds` of each, `memory` in MiB of a worker at its peak."""

    rows: int = 0
    deaths: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    memory: float = 0.0
    ours: Counter[tuple[str, str]] = field(default_factory=Counter)
    stock: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong_though_detectable: list[str] = field(default_factory=list)


def through_workers(count: int, folder: Path, workers: int = 2) -> Tally:
    """Every mutant through the worker processes of `prepare`."""
    tally = Tally()
    made: dict[int, str] = {}

    def tasks() -> Iterator[Task]:
        for mutant in mutants(count):
            path = _written(mutant, folder)
            made[mutant.seed] = f"{mutant.name} {mutant.kind} {mutant.seed}"
            yield mutant.seed, str(path)

    (folder / "store").mkdir()
    setup = partial(_make_work, folder / "store", count)
    for (seed, path), result in guarded_map(setup, tasks(), workers, Limits(), preload="bundle.prepare.worker"):
        Path(path).unlink()
        tally.rows += 1
        if isinstance(result, Failure):
            facts, seconds, memory = {"exclude_reason": result.reason}, 0.0, 0.0
            if result.reason.startswith("decoder died"):
                tally.deaths.append(made[seed])
        else:
            facts, seconds, memory = result
        count_reason(tally, made[seed], facts)
        tally.seconds.append(seconds)
        tally.memory = max(tally.memory, memory)
    return tally


def count_reason(tally: Tally, what: str, facts: dict[str, Any]) -> None:
    """Count the reason, and note a mutant whose facts hold something of the invented patient."""
    tally.reasons[facts["exclude_reason"].split(":")[0] or "stored"] += 1
    if any(secret in str(facts) for secret in secrets()):
        tally.leaks.append(what)


def secrets() -> list[str]:
    """The invented patient's values, and their parts of five characters and more."""
    parts = [part for value in IDENTITY.values() for part in value.replace("^", " ").split() if len(part) >= 5]
    return sorted({*IDENTITY.values(), *parts})


def judged(count: int, folder: Path) -> Tally:
    """Every mutant read in this process by our reader and by MONAI's, each held against its own picture of the sound
    file.
    """
    tally, path = Tally(), folder / "mutant.dcm"
    truth = {}
    for name in NAMES:
        for photometric in ("MONOCHROME1", "MONOCHROME2"):
            path.write_bytes(original(name, photometric))
            truth[name, photometric] = judge.ours(path), _or_none(judge.stock, path)
    for mutant in mutants(count):
        path.write_bytes(mutant.content)
        mine, theirs = truth[mutant.name, mutant.photometric]
        seen = judge.outcome(judge.ours, path, mine)
        tally.rows += 1
        tally.ours[mutant.kind, seen] += 1
        if theirs is not None:
            tally.stock[mutant.kind, judge.outcome(judge.stock, path, theirs)] += 1
        if seen == "wrong" and judge.is_detectable(mutant.name, mutant.kind):
            tally.wrong_though_detectable.append(f"{mutant.name} {mutant.kind} {mutant.seed}")
    return tally


def table(tally: Tally) -> Iterator[str]:
    """Lines for a person: outcome by kind, ours beside stock MONAI's."""
    yield f"{'kind':16}{'ours: refused':>14}{'right':>7}{'wrong':>7}{'stock: refused':>16}{'right':>7}{'wrong':>7}"
    for kind in MUTATIONS:
        cells = [side[kind, seen] for side in (tally.ours, tally.stock) for seen in ("refused", "right", "wrong")]
        yield "{:16}{:14}{:7}{:7}{:16}{:7}{:7}".format(kind, *cells)
    totals = [sum(n for (_, s), n in side.items() if s == "wrong") for side in (tally.ours, tally.stock)]
    yield f"wrong without a word: ours {totals[0]}, stock {totals[1]}, of {tally.rows}"
    yield f"of these the file gave the lie away: {len(tally.wrong_though_detectable)}"


def _or_none(read: Callable[[Path], judge.Picture], path: Path) -> judge.Picture | None:
    try:
        return read(path)
    except Exception:  # a syntax that stock cannot read at all has nothing to be held against
        return None


def _written(mutant: Mutant, folder: Path) -> Path:
    path = folder / f"{mutant.seed}.dcm"
    path.write_bytes(mutant.content)
    return path


def _make_work(out: Path, count: int) -> Callable[[Task], tuple[dict[str, Any], float, float]]:
    from bundle.prepare.worker import Ingest

    ingest = Ingest(out, count, StoreSettings(size=judge.SIZE))

    def work(task: Task) -> tuple[dict[str, Any], float, float]:
        start = time.perf_counter()
        facts = ingest((*task, None))
        return facts, time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    return work
