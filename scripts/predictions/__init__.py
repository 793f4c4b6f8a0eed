"""What an inference leaves: an entry an image, unreadable images included."""

from __future__ import annotations

from .embeddings import EmbeddingWriter, read_embeddings

__all__ = ["EmbeddingWriter", "read_embeddings"]
