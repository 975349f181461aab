"""What prompted tasks share: pictures compared with the texts of candidates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from fetalclip.clinical.prompts import PromptSet, load_prompts
from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Array, unit


class Rule(Protocol):
    """What every rule has."""

    @property
    def prompts(self) -> str:
        """Name of the default prompt set."""

    @property
    def temperature(self) -> float:
        """What divides the logits."""


R = TypeVar("R", bound=Rule)


class Prompted(Generic[R]):
    """A task whose candidates are texts.

    Args:
        encoder: where prompts are embedded.
        rule: the default prompt set, and what divides the logits.
    """

    def __init__(self, encoder: Encoder, rule: R) -> None:
        self.encoder, self.rule = encoder, rule

    def scores(self, images: Array, prompts: PromptSet | None) -> list[dict[str, float]]:
        """Calibrated probabilities of the candidates for each of (n, d) raw embeddings, by name."""
        candidates = prompts or load_prompts(self.rule.prompts)
        table = softmax(self.logits(images, candidates) / self.rule.temperature)
        return [named(candidates, row) for row in table]

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
