"""Which standard plane is this? Prompted: a picture is compared with texts that describe the candidates.

Each candidate's prompts are embedded, normalised, averaged and normalised again; probabilities are a softmax over
the scaled cosines, calibrated by one temperature. Whether the picture shows any standard plane at all is asked first,
and of the model's own planes against texts such as "not an ultrasound picture", whatever the candidates are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.clinical.prompts import PromptSet, load_prompts
from fetalclip.clinical.vocabulary import REJECTS
from fetalclip.encoder.engine import Array
from fetalclip.result import PlaneScores
from fetalclip.tasks.prompted import Prompted, named, softmax


@dataclass(frozen=True)
class PlaneRule:
    """How scores become an answer; chosen by cross-fitting on the training side, kept in ``config.json``.

    Attributes:
        prompts: name of the default prompt set.
        temperature: divides the logits of the candidates.
        outlier_threshold: abstain above this outlier score.
        min_probability: abstain when the best candidate has less.
        classes: of a supervised model, the classes its projection scores; empty for a prompted one.
    """

    prompts: str = "planes-9"
    temperature: float = 1.0
    outlier_threshold: float = 0.5
    min_probability: float = 0.5
    classes: tuple[str, ...] = ()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> PlaneRule:
        """From a checked ``config.json``."""
        planes = config["planes"]
        return cls(
            planes["prompts"],
            float(planes["temperature"]),
            float(planes["outlier_threshold"]),
            float(planes["min_probability"]),
            tuple(planes.get("classes", ())),
        )


class PlaneTask(Prompted[PlaneRule]):
    """Embeddings to plane scores.

    Args:
        encoder: where prompts are embedded.
        rule: how scores become an answer.
    """

    name = "planes"

    def __call__(self, images: Array, prompts: PromptSet | None = None) -> list[PlaneScores]:
        """Plane scores of each picture.

        Args:
            images: (n, d) raw image embeddings.
            prompts: candidates and their texts; the model's own set when None. A supervised model has its classes
                and no other candidates: it does not look at them.
        """
        if self.rule.classes:
            table = softmax(images[:, : len(self.rule.classes)] / self.rule.temperature)
            return [PlaneScores(named(self.rule.classes, row)) for row in table]
        outliers = self.outlier(images)
        pairs = zip(self.scores(images, prompts), outliers, strict=True)
        return [self._answer(scores, float(outlier)) for scores, outlier in pairs]

    def together(self, images: Array, prompts: PromptSet | None = None) -> PlaneScores:
        """One answer for pictures of one plane: probabilities and outlier scores are averaged, then ruled on.

        Args:
            images: (n, d) raw image embeddings, n at least 1.
            prompts: as in a call.
        """
        each = self(images, prompts)
        if len(each) == 1:
            return each[0]
        scores = {name: float(np.mean([one[name] for one in each])) for name in each[0].scores}
        if self.rule.classes:
            return PlaneScores(scores)
        return self._answer(scores, float(np.mean([one.outlier for one in each if one.outlier is not None])))

    def outlier(self, images: Array) -> npt.NDArray[np.float64]:
        """How much more a picture is like "no standard plane" than like any known plane: (n,) in 0-1."""
        known = load_prompts("planes-4")
        rejects = {name: list(texts) for name, texts in REJECTS.items()}
        table = softmax(self.logits(images, {**known, **rejects}))
        return table[:, len(known) :].sum(axis=1)

    def _answer(self, scores: dict[str, float], outlier: float) -> PlaneScores:
        reason = ""
        if outlier > self.rule.outlier_threshold:
            reason = "the picture does not look like a fetal standard plane this model knows"
        elif max(scores.values()) < self.rule.min_probability:
            reason = "no candidate is likely enough"
        return PlaneScores(scores, abstained=bool(reason), reason=reason, outlier=outlier)
