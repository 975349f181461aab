"""What every encoder has, whoever made the model: tasks, probes and the benchmark need no more of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from fetalclip.encoder.engine import Array, Normalisation
from fetalclip.frame import Pixels


@runtime_checkable
class Backbone(Protocol):
    """An image tower, with or without a text tower.

    Attributes:
        has_text: whether there is a text tower. Without one ``texts``, ``alike`` and ``need_text`` raise
            ``NotAvailable``.
        device, precision: where it computes, and in which number type.
        normalisation: side and statistics of the squares it takes, and whether it sees colour.
    """

    has_text: bool
    device: str
    precision: str
    normalisation: Normalisation

    @property
    def dim(self) -> int:
        """Width of an embedding."""

    @property
    def scale(self) -> float:
        """What cosines are multiplied by; 1 without a text tower."""

    @property
    def engine(self) -> str:
        """Name of the numeric engine, for provenance."""

    @property
    def embedding_sha256(self) -> str:
        """The hash by which a head on embeddings knows it; 64 hex digits."""

    def images(self, pictures: Sequence[Pixels]) -> Array:
        """Raw embeddings: n squares uint8 (S, S) or (S, S, 3) to (n, d) float32, not normalised."""

    def texts(self, texts: Sequence[str], keep: bool = True) -> Array:
        """Raw embeddings: n texts to (n, d) float32, not normalised."""

    def alike(self, texts: Sequence[str], later: Sequence[str] = ()) -> Array:
        """Raw embeddings of texts that begin alike, (n, d) float32."""

    def need_text(self) -> None:
        """Nothing where there is a text tower; else raises ``NotAvailable``."""
