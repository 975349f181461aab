"""What prompted tasks share: pictures compared with the texts of candidates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.clinical.prompts import PromptSet
from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Array, unit


class Prompted:
    """A task whose candidates are texts.

    Args:
        encoder: where prompts are embedded.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder

    def logits(self, images: Array, candidates: PromptSet) -> Array:
        """Scaled cosines of (n, d) raw embeddings with each candidate: (n, classes)."""
        return (self.encoder.scale * unit(images) @ self.class_embeddings(candidates).T).astype(np.float32)

    def class_embeddings(self, candidates: PromptSet) -> Array:
        """(classes, d) at unit length: normalise each prompt, mean, normalise."""
        means = [unit(self.encoder.texts(prompts)).mean(axis=0) for prompts in candidates.values()]
        return unit(np.stack(means))


def named(names: Iterable[str], row: npt.NDArray[np.float64]) -> dict[str, float]:
    """Probabilities (classes,) by the name of their class."""
    return {name: float(p) for name, p in zip(names, row, strict=True)}


def softmax(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Row-wise softmax of (n, classes) in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    return powers / powers.sum(axis=1, keepdims=True)
