"""Pictures of a run, drawn by matplotlib; each function writes one file."""

from __future__ import annotations

from .geometry_comparison import plot_geometry_comparison
from .learning_curves import plot_learning_curves
from .montage import Found, Panel, plot_montage
from .overlays import HeatPanel, box_panel, mask_panel, plot_heat_maps
from .training import plot_geometry, plot_spectrum, plot_training

__all__ = [
    "Found",
    "HeatPanel",
    "Panel",
    "box_panel",
    "mask_panel",
    "plot_geometry",
    "plot_geometry_comparison",
    "plot_heat_maps",
    "plot_learning_curves",
    "plot_montage",
    "plot_spectrum",
    "plot_training",
]
