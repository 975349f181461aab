"""Batching, device and caching between prepared pictures or texts and embeddings."""

from fetalclip.encoder.engine import Encoder

__all__ = ["Encoder"]
