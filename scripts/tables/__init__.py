"""Named scores as tables: on the console, as CSV, Markdown and HTML."""

from __future__ import annotations

from .csv_text import csv_text
from .page import Picture, Section, write_html
from .scores import (
    Score,
    ScoreRow,
    geometry_rows,
    image_retrieval_rows,
    print_scores,
    probe_rows,
    retrieval_rows,
    scores_frame,
    shared_space_rows,
    write_scores,
)

__all__ = [
    "Picture",
    "Score",
    "ScoreRow",
    "Section",
    "csv_text",
    "geometry_rows",
    "image_retrieval_rows",
    "print_scores",
    "probe_rows",
    "retrieval_rows",
    "scores_frame",
    "shared_space_rows",
    "write_html",
    "write_scores",
]
