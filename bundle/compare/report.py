"""What a comparison has found, as table, figures and notes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from rich.console import Console

from scripts.atomic import write_text_atomically
from scripts.figures.geometry_comparison import plot_geometry_comparison
from scripts.tables.csv_text import csv_text
from scripts.tables.scores import print_scores, write_scores

from .figure import plot_comparison
from .pretrain import Pretrained
from .rows import MODELS, columns, comparison_frame, comparison_rows

LEGEND = (
    "Tasks: mean over seeds [95 % interval over patients]; Δ is the paired difference to what pre-training started "
    "from: as_is where the encoder had weights, else random. Zero-shot, retrieval: mean over seeds of values and of "
    "interval bounds; trivial is chance. Costs: median over seeds; one-off seconds and peak memory: the largest. "
    "–: random and as_is are not pre-trained."
)


def report_comparison(
    pretrained: Pretrained, frame: pd.DataFrame, data: str, probe: str, out: Path, console: Console
) -> list[Path]:
    """Writes and prints the table, draws the figures; gives the files.

    Args:
        pretrained, frame, data, probe: see `comparison_rows`.
        out: folder of the files.
        console: to print on.
    """
    rows = comparison_rows(pretrained, frame, data, probe)
    notes = comparison_notes(pretrained, data, probe)
    write_text_atomically(csv_text(comparison_frame(rows)), out / "comparison.csv")
    print_scores(rows, "Methods with one budget", console)
    for line in notes:
        console.print(line, soft_wrap=True, highlight=False)
    markdown = write_scores(rows, out / "comparison.md")
    text = markdown.read_text(encoding="utf-8") + "\n" + "\n".join(f"- {note}" for note in notes)
    write_text_atomically(text + "\n", markdown)
    files = [out / "comparison.csv", markdown, plot_comparison(rows, out / "comparison.png")]
    histories = {one.name: one.history for one in columns(pretrained) if one.history}
    if any("val_effective_rank" in row for history in histories.values() for row in history):
        files.append(plot_geometry_comparison(histories, out / "comparison_geometry.png"))
    return files


def comparison_notes(pretrained: Pretrained, data: str, probe: str) -> list[str]:
    """What a reader has to know of the numbers."""
    comparison = pretrained.comparison
    budget: Mapping[str, object] = comparison.budget
    seeds = ", ".join(map(str, comparison.seeds))
    notes = [
        f"Pre-training on {Path(data).name}: {budget['epochs']} epochs, batch {budget['batch_size']}, "
        f"{budget['image_size']} pixels for all; seeds {seeds}. Tasks and zero-shot on {Path(probe).name}.",
        LEGEND,
    ]
    steps = {one.name: one.cost("steps") for one in columns(pretrained)}
    if len({count for counts in steps.values() for count in counts}) > 1:
        told = ", ".join(f"{name} {counts[0]:.0f}" for name, counts in steps.items() if counts)
        notes.append(f"Steps differ, because the methods do not learn from the same images: {told}.")
    models = pd.read_csv(MODELS)
    named = ", ".join(f"{model.name} {model.parameters:,}" for model in models.itertuples())
    notes.append(f"Trained parameters of other models: {named} ({'; '.join(models['source'].unique())}).")
    return notes
