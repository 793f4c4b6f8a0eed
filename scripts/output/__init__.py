"""What a run leaves for people: pictures, tables of scores, embeddings."""

from __future__ import annotations

from scripts.output.csv_text import csv_text
from scripts.output.curves import plot_roc_pr
from scripts.output.dice_figure import plot_dice_by_size
from scripts.output.embeddings import EmbeddingWriter, read_embeddings
from scripts.output.figures import plot_geometry, plot_spectrum, plot_training
from scripts.output.froc import plot_froc
from scripts.output.geometry_comparison import plot_geometry_comparison
from scripts.output.grad_cam import grad_cam
from scripts.output.html_report import Picture, Section, write_html
from scripts.output.learning_curves import plot_learning_curves
from scripts.output.montage import Found, Panel, plot_montage
from scripts.output.overlays import HeatPanel, box_panel, mask_panel, plot_heat_maps
from scripts.output.pictures import TrainingPictures
from scripts.output.predictions_boxes import BoxWriter
from scripts.output.predictions_masks import MaskWriter
from scripts.output.predictions_scores import ScoreWriter
from scripts.output.reliability import plot_reliability
from scripts.output.score_figures import plot_image_retrieval, plot_probe, plot_reason, plot_retrieval
from scripts.output.tables import (
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
    "BoxWriter",
    "EmbeddingWriter",
    "Found",
    "HeatPanel",
    "MaskWriter",
    "Panel",
    "Picture",
    "Score",
    "ScoreRow",
    "ScoreWriter",
    "Section",
    "TrainingPictures",
    "box_panel",
    "csv_text",
    "geometry_rows",
    "grad_cam",
    "image_retrieval_rows",
    "mask_panel",
    "plot_dice_by_size",
    "plot_froc",
    "plot_geometry",
    "plot_geometry_comparison",
    "plot_heat_maps",
    "plot_image_retrieval",
    "plot_learning_curves",
    "plot_montage",
    "plot_probe",
    "plot_reason",
    "plot_reliability",
    "plot_retrieval",
    "plot_roc_pr",
    "plot_spectrum",
    "plot_training",
    "print_scores",
    "probe_rows",
    "read_embeddings",
    "retrieval_rows",
    "scores_frame",
    "shared_space_rows",
    "write_html",
    "write_scores",
]
