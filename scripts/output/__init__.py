"""What a run leaves for people: pictures, tables of scores, embeddings."""

from __future__ import annotations

from scripts.output.embeddings import EmbeddingWriter, read_embeddings
from scripts.output.figures import plot_geometry, plot_spectrum, plot_training
from scripts.output.montage import Panel, plot_montage
from scripts.output.pictures import TrainingPictures
from scripts.output.score_figures import plot_probe, plot_retrieval
from scripts.output.tables import (
    Score,
    ScoreRow,
    geometry_rows,
    print_scores,
    probe_rows,
    retrieval_rows,
    scores_frame,
    write_scores,
)

__all__ = [
    "EmbeddingWriter",
    "Panel",
    "Score",
    "ScoreRow",
    "TrainingPictures",
    "geometry_rows",
    "plot_geometry",
    "plot_montage",
    "plot_probe",
    "plot_retrieval",
    "plot_spectrum",
    "plot_training",
    "print_scores",
    "probe_rows",
    "read_embeddings",
    "retrieval_rows",
    "scores_frame",
    "write_scores",
]
