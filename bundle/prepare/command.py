"""`python -m bundle prepare LAYOUT SOURCE OUT`: a data set into study table, image store and text store."""

from __future__ import annotations

import errno
import json
import math
import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from rich.console import Console

from scripts.atomic import atomic_path
from scripts.data.image_store import StoreSettings
from scripts.data.prepared import PreparedFolder
from scripts.data.splits import patient_note
from scripts.data.studies import TEXT_COLUMNS, check_rows, report_texts, write_studies
from scripts.errors import CxrError
from scripts.output_folder import check_folder, check_path
from scripts.text.language_model import FrozenLanguageModel
from scripts.text.store import TextStore

from ..datasets import LAYOUTS, Manifest, counts_note
from . import audit, audit_figure
from .assemble import assemble
from .catalogue import print_list
from .ingest import ingest, reasons
from .journal import has_rows
from .look import require_images
from .pool import Limits

VERSION = 1
LIST = "list"


def add_arguments(parser: ArgumentParser) -> None:
    """One subcommand a layout, with the layout's own arguments and the common ones."""
    layouts = parser.add_subparsers(dest="layout", required=True, metavar="LAYOUT")
    layouts.add_parser(LIST, help="the public data sets, the files that each wants, and where to get them")
    for name, layout in LAYOUTS.items():
        sub = layouts.add_parser(name, help=layout.help, description=layout.help)
        sub.add_argument("source", metavar="SOURCE", help="folder or table of the data set")
        sub.add_argument("out", metavar="OUT", help="output folder; the same command continues a stopped run")
        layout.add_arguments(sub)
        _add_common(sub.add_argument_group("stores").add_argument)


def _add_common(add: object) -> None:
    assert callable(add)
    add("--size", type=_positive, default=224, help="side of the stored images, pixels (224, the configs' image_size)")
    add("--dtype", choices=("uint8", "uint16"), default="uint8", help="of the stored pixels (uint8)")
    add("--language-model", default="minilm", metavar="MODEL", help="minilm, none, a hub id or a folder (minilm)")
    add("--pooling", choices=("mean", "cls"), default="mean", help="of the language model's tokens (mean)")
    add("--deidentified", action="store_true", help="keep ids as they are: the source holds no identity")
    add("--seed", type=int, default=0, help="of splits, folds and label fractions (0)")
    add("--workers", type=_positive, default=_cores(), help="processes (all cores)")
    add("--time-limit", type=_seconds, default=60, metavar="S", help="seconds that one file may take (60)")
    add("--memory-limit", type=_positive, default=2048, metavar="MIB", help="memory that one file may take (2048)")
    add(
        "--shard",
        type=_shard,
        default=(0, 1),
        metavar="I/N",
        help="decode every N-th image from I on; afterwards run once without",
    )
    add("--retry", action="store_true", help="decode images again that an earlier run excluded")


def main(args: Namespace) -> int:
    """Run prepare; 0 when OUT is complete, or the shard is.

    Raises:
        CxrError: for input that cannot be used, and for a full disk.
    """
    if args.layout == LIST:
        print_list(Console())
        return 0
    try:
        return prepare(args, Console())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise CxrError(
                f"no space left for {args.out}: {error.strerror}. "
                "Free some, or choose another folder; the same command continues."
            ) from error
        raise


def prepare(args: Namespace, console: Console) -> int:
    """Manifest → image store → study table → text store → audit; each step continues what a stopped run left."""
    check_path(Path(args.out))
    layout = LAYOUTS[args.layout]
    manifest = layout.read(args)
    if layout.facts:
        patients = manifest.table["patient_id"].nunique()
        manifest.notes.insert(0, counts_note(layout.facts, len(manifest.table), patients))
    out = Path(args.out)
    _check(manifest, args, out)
    for note in manifest.notes:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    check_folder(out, "OUT")
    settings = StoreSettings(size=args.size, dtype=args.dtype, decode_size=args.size)
    limits = Limits(args.time_limit, args.memory_limit)
    facts = ingest(manifest, out, settings, args.workers, limits, console, args.shard, args.retry)
    for kind, count in reasons(facts).items():
        console.print(f"excluded, {kind}: {count}", highlight=False)
    if args.shard[1] > 1:
        console.print("Shard done. When all are, run once without --shard.")
        return 0
    table = assemble(manifest, facts, out, args.deidentified, args.seed)
    record = {
        "version": VERSION,
        "layout": args.layout,
        "facts": layout.facts.record() if layout.facts else None,
        "deidentified": args.deidentified,
        "seed": args.seed,
        **asdict(settings),
    }
    record["language_model"] = _embed(table, out, args)
    record["source"] = str(manifest.source)
    record["source_relative"] = os.path.relpath(manifest.source, out.resolve())
    write_studies(table, out, manifest.source)
    _report(table, manifest, out, console)
    # Last, because it says to make and to readers that the folder is whole.
    with atomic_path(PreparedFolder(out).record) as path:
        path.write_text(json.dumps(record, indent=1))
    return 0


def _check(manifest: Manifest, args: Namespace, out: Path) -> None:
    """Whatever would end the run, or make another table of it, before hours of decoding and before OUT exists."""
    check_rows(manifest.table, args.source)
    if not has_rows(out):  # a run that goes on may have the decoded images alone
        require_images(manifest.table["image"].tolist(), manifest.source)
    if args.shard[1] == 1 and any(column in manifest.table for column in TEXT_COLUMNS):
        if not _has_text(manifest.table):
            raise CxrError(
                "all reports are empty after cleaning. Map other text columns, or none at all for a data set without "
                "text."
            )
        if args.language_model != "none":
            FrozenLanguageModel(args.language_model, pooling=args.pooling).identity()
    if note := patient_note(manifest.table["patient_id"]):
        manifest.notes.append(note)


def _has_text(table: pd.DataFrame, rows: int = 256) -> bool:
    return any((report_texts(table[i : i + rows]) != "").any() for i in range(0, len(table), rows))


def _embed(table: pd.DataFrame, out: Path, args: Namespace) -> dict | None:
    """Embed the distinct reports of the rows in use; the model's identity, or None without text or model."""
    texts = table.loc[(table["exclude_reason"] == "") & (table["clean_text"] != ""), "clean_text"].tolist()
    if not texts or args.language_model == "none":
        return None
    model = FrozenLanguageModel(args.language_model, pooling=args.pooling)
    TextStore(PreparedFolder(out).text, model).ensure(texts, progress=True)
    return {**model.identity(), "given": args.language_model}


def _report(table: pd.DataFrame, manifest: Manifest, out: Path, console: Console) -> None:
    result = audit.audit(table, manifest.notes)
    with atomic_path(PreparedFolder(out).audit) as path:
        path.write_text(json.dumps(result, indent=1))
    audit.print_audit(result, console)
    audit_figure.draw(table, result, out)
    console.print(
        f"Prepared {result['images']['used']} of {result['images']['rows']} images in {out} (audit.json, audit.png).",
        soft_wrap=True,
    )


def _cores() -> int | None:
    """Cores that this process may use, which in a container or a batch job are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _positive(value: str) -> int:
    if not (value.isascii() and value.isdigit() and int(value)):
        raise ArgumentTypeError(f"{value!r} is no whole number above 0")
    return int(value)


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ArgumentTypeError(f"{value!r} is no number of seconds above 0")
    return seconds


def _shard(value: str) -> tuple[int, int]:
    index, slash, count = value.partition("/")
    if not (slash and index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise ArgumentTypeError(f"{value!r} is no shard; write I/N with 0 <= I < N, such as 0/4")
    return int(index), int(count)
