"""Draws `dataflow.png`, the picture in README.md: `python docs/pictures/dataflow.py`."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

# Okabe & Ito 2008, light: what lies on disk, what is frozen, what is trained, what comes out.
DATA, FROZEN, TRAINED, RESULT = "#EFEFEF", "#CDE7F7", "#FBE3CF", "#D3EEE2"
INK = "#222222"
BOX_WIDTH, BOX_HEIGHT = 2.75, 1.02

# name: (x, y of the centre, colour, title, what is in it)
BOXES = {
    "archive": (0.0, 2.4, DATA, "archive", "DICOM, PNG, JPEG\nreports, labels, masks, boxes"),
    "images": (4.5, 3.7, DATA, "image store", "images.npy: each image\ndecoded once"),
    "table": (4.5, 2.4, DATA, "study table", "studies.parquet: patient, split,\nview, text, labels, boxes"),
    "text": (4.5, 1.1, FROZEN, "text store", "each report once through the\nfrozen language model"),
    "encoder": (9.0, 3.7, TRAINED, "image encoder", "ResNet; projectors on both\nsides are trained, too"),
    "loss": (9.0, 2.4, TRAINED, "M-FLAG loss", "alignment + orthogonality"),
    "vectors": (9.0, 1.1, FROZEN, "report vectors", "looked up by their text,\nnever trained"),
    "weights": (13.5, 3.7, RESULT, "models/model.pt", "the encoder, a stock\nMONAI ResNet"),
    "scores": (13.5, 2.4, RESULT, "scores", "probes, retrieval, geometry\nbeside their baselines"),
    "embeddings": (13.5, 1.1, RESULT, "embeddings.parquet", "a row for each image of\na folder of DICOM files"),
}
# The commands, each over the gap that it crosses.
STAGES = {
    2.25: "python -m bundle\nprepare",
    6.75: "configs/\ntrain.json",
    11.25: "configs/\nevaluate.json\ninference.json",
}


def edge(name: str, dx: float, dy: float) -> tuple[float, float]:
    """A point on the rim of a box: (1, 0) is the middle of its right side."""
    x, y, *_ = BOXES[name]
    return x + dx * BOX_WIDTH / 2, y + dy * BOX_HEIGHT / 2


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], bend: float = 0.0) -> None:
    """An arrow between two points; `bend` curves it."""
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=13, color=INK, linewidth=1.2,
            connectionstyle=f"arc3,rad={bend}", shrinkA=2, shrinkB=2,
        )
    )  # fmt: skip


def draw(path: Path) -> None:
    """Writes the picture."""
    figure = Figure(figsize=(12, 4.3))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    for x, y, colour, title, text in BOXES.values():
        corner = (x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2)
        shape = FancyBboxPatch(corner, BOX_WIDTH, BOX_HEIGHT, boxstyle="round,pad=0,rounding_size=0.12")
        shape.set(facecolor=colour, edgecolor=INK, linewidth=1.0)
        axes.add_patch(shape)
        axes.text(x, y + 0.27, title, ha="center", va="center", weight="bold", fontsize=11, color=INK)
        axes.text(x, y - 0.17, text, ha="center", va="center", fontsize=9, color=INK, linespacing=1.25)
    for store in ("images", "table", "text"):
        arrow(axes, edge("archive", 1, 0), edge(store, -1, 0))
    for start, end in (("images", "encoder"), ("table", "loss"), ("text", "vectors"), ("encoder", "weights")):
        arrow(axes, edge(start, 1, 0), edge(end, -1, 0))
    for start, end, down in (("encoder", "loss", -1), ("vectors", "loss", 1), ("weights", "scores", -1)):
        arrow(axes, edge(start, 0, down), edge(end, 0, -down))
    arrow(axes, edge("weights", 1, -0.3), edge("embeddings", 1, 0.3), bend=-0.35)
    for x, command in STAGES.items():
        axes.text(x, 4.75, command, ha="center", va="center", fontsize=10, family="monospace", color=INK)
    corner_x, corner_y = edge("archive", 0, -1)
    axes.plot([corner_x, corner_x, 9.0], [corner_y, 0.2, 0.2], color=INK, linewidth=1.2, linestyle="--")
    arrow(axes, (9.0, 0.2), edge("vectors", 0, -1))
    axes.text(4.5, 0.28, "raw files, without prepare", ha="center", va="bottom", fontsize=9, color=INK)
    legend = {DATA: "data on disk", FROZEN: "frozen language model", TRAINED: "trained", RESULT: "what comes out"}
    for i, (colour, meaning) in enumerate(legend.items()):
        axes.add_patch(FancyBboxPatch((3.0 * i, -0.35), 0.3, 0.2, boxstyle="square,pad=0", fc=colour, ec=INK))
        axes.text(3.0 * i + 0.45, -0.26, meaning, va="center", fontsize=9, color=INK)
    axes.set(xlim=(-1.6, 15.7), ylim=(-0.55, 5.15))
    axes.set_axis_off()
    figure.savefig(path, dpi=130, facecolor="white", metadata={"Software": None})


if __name__ == "__main__":
    draw(Path(__file__).with_suffix(".png"))
