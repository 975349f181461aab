"""The recipe of distillation: a pretraining that also listens to a teacher."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from fetalclip.errors import BadRecipe
from fetalclip.fit.pretrain_recipe import PretrainRecipe

DARK, STATIC, NONE = "dark", "static", "none"
KINDS = (DARK, STATIC, NONE)
LIVE, CACHED = "live", "cached"


@dataclass(frozen=True)
class TeacherRecipe:
    """Whom the student listens to, and how.

    Attributes:
        model: the teacher: a model's name or its folder, with an image tower and a text tower.
        kind: ``dark``: what the teacher makes of a picture's own caption is always learned, and what it makes of the
            others with a weight that falls from ``repulsion`` past zero, so that in the end the student is pushed away
            from the teacher's mistakes; ``static``: that weight stays ``repulsion`` (1: the plain cross-entropy to the
            teacher); ``none``: the teacher is not asked and the rest is the same, the control.
        temperature: divides the teacher's logits, not the student's.
        weight: of all that the teacher says, beside the student's own contrastive loss.
        repulsion: weight of what the teacher makes of the other captions, at the first step.
        end: that weight at the last step, over the one at the first; below 0 it repels.
        features: ``live``: the teacher sees the augmented pictures that the student sees; ``cached``: its features of
            the pictures as they are, computed once and kept in the run folder. Captions are new at every draw, and
            always read live.
    """

    model: str = ""
    kind: str = DARK
    temperature: float = 5.0
    weight: float = 1.0
    repulsion: float = 2.0
    end: float = -0.4
    features: str = LIVE

    def __post_init__(self) -> None:
        for key, value, allowed in (("kind", self.kind, KINDS), ("features", self.features, (LIVE, CACHED))):
            if value not in allowed:
                raise BadRecipe(
                    f"teacher.{key} = {value!r}", "one of " + ", ".join(allowed), f"teacher.{key}={allowed[0]}"
                )
        if not 0 < self.temperature < math.inf:
            raise BadRecipe(f"teacher.temperature = {self.temperature:g}", "above 0", "teacher.temperature=5")
        for key, number in (("weight", self.weight), ("repulsion", self.repulsion)):
            if not 0 <= number < math.inf:
                raise BadRecipe(f"teacher.{key} = {number:g}", "0 or more", f"teacher.{key}=1")
        if not -10 <= self.end <= 1:
            raise BadRecipe(f"teacher.end = {self.end:g}", "-10 to 1: the share that is left", "teacher.end=-0.4")


@dataclass(frozen=True)
class DistilRecipe(PretrainRecipe):
    """A whole distillation: what `PretrainRecipe` says, and the teacher.

    Attributes:
        objective: ``distil``.
        teacher: whom the student listens to.
    """

    name: str = "my-student"
    summary: str = "Distilled by a recipe of fetalclip."
    objective: str = "distil"
    teacher: TeacherRecipe = field(default_factory=TeacherRecipe)
