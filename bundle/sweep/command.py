"""`python -m bundle sweep DATA OUT`: tasks × label fractions × initialisations × seeds × frozen or tuned."""

from __future__ import annotations

import logging
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import torch
from filelock import FileLock, Timeout
from rich.console import Console

from scripts.atomic import write_text_atomically
from scripts.errors import CxrError
from scripts.tasks.registry import TASKS

from ..jobs.run import run_cells
from ..jobs.runner import Tracked
from ..jobs.tracking import ParentRun
from ..jobs.workers import Work
from .aggregate import aggregate
from .cell import CellRunner
from .paper import paper_markdown, paper_tables, print_paper
from .plan import FRACTIONS, MODES
from .study import Study


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of the verb."""
    add = parser.add_argument
    add("data", metavar="DATA", help="folder made by prepare, or a raw table, as the tasks' dataset_dir")
    add("out", metavar="OUT", help="output folder; the same command goes on with a stopped sweep")
    add(
        "--init", action="append", default=[], metavar="NAME=WEIGHTS[,KEY=VALUE…]",
        help="what encoders start from (repeatable): a file of weights, or a transformers folder, which is the encoder "
        "too; `random` is always there",
    )  # fmt: skip
    add("--tasks", type=_words(list(TASKS)), default=list(TASKS), metavar="T,T", help=f"of {', '.join(TASKS)} (all)")
    add("--fractions", type=_fractions, default=list(FRACTIONS), metavar="F,F", help="label fractions, %% (1,10,100)")
    add("--seeds", type=_numbers, default=[0, 1, 2], metavar="S,S", help="(0,1,2)")
    add("--modes", type=_words(MODES), default=list(MODES), metavar="M,M", help="of the encoder: frozen, tuned (both)")
    add("--folds", action="store_true", help="the five folds by patient in turn, in place of the data set's split")
    add(
        "--set", action="append", default=[], metavar="[SCOPE:]KEY=VALUE",
        help="overrides an id of the tasks' train.json (repeatable; later wins); a SCOPE is a task, a mode, an "
        "initialisation or 1%%, 10%%, 100%%",
    )  # fmt: skip
    add("--config", action="append", default=[], metavar="[SCOPE:]FILE", help="overlay over train.json (repeatable)")
    add("--devices", type=_list, default=None, metavar="D,D", help="such as cuda:0,cuda:1 (every GPU, else cpu)")
    add("--workers", type=int, default=None, metavar="N", help="processes, dealt to the devices (one a device)")
    add("--resamples", type=int, default=1000, metavar="N", help="draws of the bootstrap (1000)")
    add("--tracking-uri", default=None, metavar="URI", help="of MLflow (OUT/mlruns.db)")
    add("--experiment", default="cxr_sweep", metavar="NAME", help="of MLflow (cxr_sweep)")
    add(
        "--paper", nargs="?", const="", default=None, metavar="BENCHMARK",
        help="also the published tables beside ours; BENCHMARK says which of theirs the data are (RSNA, SIIM, …)",
    )  # fmt: skip


def main(args: Namespace, work: Work | None = None) -> int:
    """Runs the sweep; see `run_study`."""
    return run_study(Study(args), work)


def run_study(study: Study, work: Work | None = None) -> int:
    """Runs a study to its tables; exit status 1 when a cell failed.

    Args:
        study: a sweep, or a comparison.
        work: in place of MONAI's workflows, for a test.

    Raises:
        CxrError: for arguments that no cell could run with, and for an output folder made with other settings.
    """
    console, args, out = Console(), study.args, study.out
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of each table that it makes
    _ = study.plan  # what is wrong with the arguments is said before anything is written
    if args.paper:
        paper_tables(pd.DataFrame({"task": []}), args.paper)  # a benchmark that is none is known at the start
    if work is None:
        study.check()
    out.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        study.look()
        facts = {"data": args.data, "init": " ".join(args.init), "set": " ".join(args.set), "config": args.config}
        parent = ParentRun(out, args.tracking_uri, args.experiment, facts)
        tracked = Tracked(parent.uri, args.experiment, parent.run_id)
        devices = _devices(args)
        try:
            study.begin(devices, tracked, work, console)
            cells = study.plan.cells()
            ended = study.ended(cells)
            run_cells(cells, ended, devices, work or CellRunner(tracked, out / "features"), console)
            frame = aggregate(cells, ended, args.resamples, {init.name: init.base for init in study.plan.inits})
            files = study.report(frame, console)
            if args.paper is not None:
                files.append(_paper(frame, args.paper or None, out, console))
        except BaseException:
            parent.close()
            raise
        every = {**study.begun, **ended}
        failed = [cell for cell, record in every.items() if record.status in ("failed", "died")]
        parent.finish(frame, files, whole=not failed)
    for cell in failed:
        console.print(f"failed: {cell.name}: {every[cell].reason} ({cell.folder / 'log.txt'})", soft_wrap=True)
    console.print(f"{len(every)} cells, {len(failed)} failed; results in {out}.", soft_wrap=True)
    return 1 if failed else 0


def _paper(frame: pd.DataFrame, benchmark: str | None, out: Path, console: Console) -> Path:
    tables = paper_tables(frame, benchmark)
    print_paper(tables, console)
    write_text_atomically(paper_markdown(tables), out / "paper.md")
    return out / "paper.md"


def _devices(args: Namespace) -> list[str]:
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    devices = args.devices or found or ["cpu"]
    return [devices[index % len(devices)] for index in range(args.workers or len(devices))]


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Two sweeps in one folder would train the same cells."""
    lock = FileLock(out / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise CxrError(f"another sweep is running in {out}. Wait for it, or choose another output folder.") from None
    with lock:
        yield


def _list(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _words(known: Sequence[str]) -> Callable[[str], list[str]]:
    def words(text: str) -> list[str]:
        found = list(dict.fromkeys(_list(text)))
        if wrong := [word for word in found if word not in known] or not found:
            raise ArgumentTypeError(f"{wrong or text!r} is none of {', '.join(known)}")
        return found

    return words


def _numbers(text: str) -> list[int]:
    try:
        return list(dict.fromkeys(int(part) for part in _list(text)))
    except ValueError:
        raise ArgumentTypeError(f"{text!r}: write whole numbers, such as 0,1,2") from None


def _fractions(text: str) -> list[int]:
    found = sorted(_numbers(text))
    if not found or not set(found) <= set(FRACTIONS):
        raise ArgumentTypeError(f"{text!r}: prepare draws the fractions {', '.join(map(str, FRACTIONS))}")
    return found
