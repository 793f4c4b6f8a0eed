"""`python -m bundle compare DATA OUT`: methods × encoders with one budget, each evaluated and swept over the tasks."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ..jobs.workers import Work
from ..sweep.command import add_arguments as add_sweep_arguments
from ..sweep.command import run_study
from .study import ComparisonStudy


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of the verb: a sweep's, and what is compared."""
    add_sweep_arguments(parser)
    add = parser.add_argument
    add(
        "--methods", type=_list, required=True, metavar="M,M",
        help="pre-training methods: mflag, or the name of an overlay in configs; METHOD:ENCODER with "
        "one encoder alone",
    )  # fmt: skip
    add(
        "--encoders", type=_list, default=[], metavar="E,E",
        help="of the methods: resnet18, a transformers folder, or NAME=FOLDER",
    )  # fmt: skip
    add(
        "--probe-data", default=None, metavar="DATA",
        help="data set of the tasks and of zero-shot classification, where it is another than that of pre-training",
    )  # fmt: skip


def main(args: Namespace, work: Work | None = None) -> int:
    """Runs the comparison; see `bundle.sweep.command.run_study`."""
    return run_study(ComparisonStudy(args), work)


def _list(text: str) -> list[str]:
    return list(dict.fromkeys(part for part in text.split(",") if part))
