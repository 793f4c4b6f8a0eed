"""The image side: encoders and their weights."""

from scripts.image.build import build_encoder, encoder_config, feature_encoder, load_body, load_encoder, wrap_encoder
from scripts.image.card import check_card, fold_note, read_card, trained_settings
from scripts.image.features import FeatureEncoder
from scripts.image.import_weights import ImportReport, import_weights
from scripts.image.panel import EncoderPanel, PixelGrid
from scripts.image.pooled import PooledEncoder
from scripts.image.weights import RANDOM, LoadWeights, load_weights, read_weights

__all__ = [
    "RANDOM",
    "check_card",
    "read_card",
    "trained_settings",
    "wrap_encoder",
    "EncoderPanel",
    "FeatureEncoder",
    "ImportReport",
    "LoadWeights",
    "PixelGrid",
    "PooledEncoder",
    "build_encoder",
    "encoder_config",
    "feature_encoder",
    "fold_note",
    "import_weights",
    "load_body",
    "load_encoder",
    "load_weights",
    "read_weights",
]
