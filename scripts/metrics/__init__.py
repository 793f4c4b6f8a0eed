"""Metrics that MONAI lacks or gets wrong: latent geometry, retrieval, linear probe, patient-wise intervals."""

from __future__ import annotations

from scripts.metrics.bootstrap import (
    Difference,
    Interval,
    auroc,
    paired_difference,
    patient_weights,
    percentile_interval,
    weighted_auroc,
    weighted_mean,
)
from scripts.metrics.collect import collect_values
from scripts.metrics.geometry import (
    alignment,
    effective_rank,
    latent_geometry,
    mean_offdiag_correlation,
    spectrum,
    uniformity,
)
from scripts.metrics.ignite_metrics import EpochFeatures, LatentGeometry, Retrieval
from scripts.metrics.linear_probe import (
    Policy,
    ProbeResult,
    ProbeRow,
    compare_probes,
    probe_cv,
    probe_split,
    resolve_labels,
)
from scripts.metrics.retrieval import flatten_retrieval, retrieval

__all__ = [
    "Difference",
    "EpochFeatures",
    "Interval",
    "LatentGeometry",
    "Policy",
    "ProbeResult",
    "ProbeRow",
    "Retrieval",
    "alignment",
    "auroc",
    "collect_values",
    "compare_probes",
    "effective_rank",
    "flatten_retrieval",
    "latent_geometry",
    "mean_offdiag_correlation",
    "paired_difference",
    "patient_weights",
    "percentile_interval",
    "probe_cv",
    "probe_split",
    "resolve_labels",
    "retrieval",
    "spectrum",
    "uniformity",
    "weighted_auroc",
    "weighted_mean",
]
