"""The image side: encoders and their weights."""

from scripts.image.build import build_encoder, encoder_config, feature_encoder, load_body
from scripts.image.features import FeatureEncoder
from scripts.image.panel import EncoderPanel, PixelGrid
from scripts.image.weights import LoadWeights, load_encoder, load_weights, read_weights

__all__ = [
    "EncoderPanel",
    "FeatureEncoder",
    "LoadWeights",
    "PixelGrid",
    "build_encoder",
    "encoder_config",
    "feature_encoder",
    "load_body",
    "load_encoder",
    "load_weights",
    "read_weights",
]
