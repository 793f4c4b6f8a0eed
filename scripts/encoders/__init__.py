"""The image side: encoders and their weights."""

from __future__ import annotations

from .base import FeatureEncoder
from .card import check_card, fold_note, read_card, trained_data, trained_settings
from .factory import (
    build_encoder,
    encoder_config,
    feature_encoder,
    load_body,
    load_encoder,
    wrap_encoder,
)
from .import_weights import ImportReport, import_weights
from .panel import EncoderPanel, PixelGrid
from .pooled import PooledEncoder
from .weights import RANDOM, LoadWeights, load_weights, read_weights

__all__ = [
    "EncoderPanel",
    "FeatureEncoder",
    "ImportReport",
    "LoadWeights",
    "PixelGrid",
    "PooledEncoder",
    "RANDOM",
    "build_encoder",
    "check_card",
    "encoder_config",
    "feature_encoder",
    "fold_note",
    "import_weights",
    "load_body",
    "load_encoder",
    "load_weights",
    "read_card",
    "read_weights",
    "trained_data",
    "trained_settings",
    "wrap_encoder",
]
