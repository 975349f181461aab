"""Which standard plane of the brain is this? Prompted, of the same embedding that named the brain.

Three candidates, no fourth: a brain between the three planes is given the closest one, and abstention for a low
probability is the only way out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fetalclip.clinical.prompts import PromptSet
from fetalclip.encoder.engine import Array
from fetalclip.result import PlaneScores
from fetalclip.tasks.prompted import Prompted, named, softmax


@dataclass(frozen=True)
class SubplaneRule:
    """How scores become an answer; chosen by cross-fitting on the training side, kept in ``config.json``.

    Attributes:
        prompts: name of the default prompt set.
        temperature: divides the logits of the candidates.
        min_probability: abstain when the best candidate has less.
        of: the plane whose sub-planes these are.
        classes: of a supervised model, the classes that the last columns of its projection score.
    """

    prompts: str = "brain-3"
    temperature: float = 1.0
    min_probability: float = 0.0
    of: str = "brain"
    classes: tuple[str, ...] = ()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SubplaneRule | None:
        """From a checked ``config.json``; None when it has no ``subplanes``."""
        found = config.get("subplanes")
        if found is None:
            return None
        classes = tuple(found.get("classes", ()))
        return cls(found["prompts"], float(found["temperature"]), float(found["min_probability"]), classes=classes)


class SubplaneTask(Prompted[SubplaneRule]):
    """Embeddings of brains to sub-plane scores.

    Args:
        encoder: where prompts are embedded.
        rule: how scores become an answer.
    """

    def __call__(self, images: Array, prompts: PromptSet | None = None) -> list[PlaneScores]:
        """Sub-plane scores of each picture, whatever plane it shows; whether it is a brain is the caller's to ask.

        Args:
            images: (n, d) raw image embeddings.
            prompts: candidates and their texts; the model's own set when None. A supervised model has its classes
                and no other candidates.
        """
        if self.rule.classes:
            table = softmax(images[:, -len(self.rule.classes) :] / self.rule.temperature)
            return [self._answer(named(self.rule.classes, row)) for row in table]
        return [self._answer(scores) for scores in self.scores(images, prompts)]

    def applies(self, plane: PlaneScores) -> bool:
        """Whether a picture with this answer has sub-planes."""
        return not plane.abstained and plane.label == self.rule.of

    def _answer(self, scores: dict[str, float]) -> PlaneScores:
        unsure = max(scores.values()) < self.rule.min_probability
        return PlaneScores(scores, abstained=unsure, reason="no sub-plane is likely enough" if unsure else "")
