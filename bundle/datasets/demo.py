"""Layout of the demo data: a table whose columns are known."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from scripts.data.table_file import read_table
from scripts.errors import CxrError

from . import table
from .layout import Manifest

DEMO = "demo.csv"


def add_arguments(parser: ArgumentParser) -> None:
    """The demo data needs no argument of its own."""


def read(args: Namespace) -> Manifest:
    """Manifest of a demo folder, `args.source`."""
    path = Path(args.source) / DEMO
    if not path.is_file():
        raise CxrError(
            f"{args.source} is no demo folder ({DEMO} is missing). Make one with: python -m bundle demo {args.source}"
        )
    columns = read_table(path).columns
    parser = ArgumentParser()
    table.add_arguments(parser)
    known = ["--patient=patient_id", "--study=study_id", "--labels=label_*", "--boxes=boxes", "--box-labels=box_labels"]
    known += [f"--{name}={name}" for name in ("view", "report", "sex", "age")]
    known += [f"--mask={name.removeprefix('mask_')}={name}" for name in columns if name.startswith("mask_")]
    return table.read(parser.parse_args(known, Namespace(source=str(path), seed=args.seed)))
