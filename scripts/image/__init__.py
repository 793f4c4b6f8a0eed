"""The image side: encoders and their weights."""

from scripts.image.panel import EncoderPanel, PixelGrid
from scripts.image.weights import LoadWeights, load_encoder, load_weights, read_weights

__all__ = ["EncoderPanel", "LoadWeights", "PixelGrid", "load_encoder", "load_weights", "read_weights"]
