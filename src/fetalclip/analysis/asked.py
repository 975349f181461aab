"""A checked call of ``analyze``: what is asked about every file."""

from __future__ import annotations

from dataclasses import dataclass, field

from fetalclip.clinical.age import IndependentAge
from fetalclip.clinical.prompts import PromptSet
from fetalclip.tasks.heads import CalledHeads


@dataclass(frozen=True)
class Asked:
    """A checked call of ``analyze``.

    Attributes:
        tasks: questions to answer.
        prompts: candidate planes, or None for the model's own.
        overlay: what to do with burned-in text: ``mask``, ``keep`` or ``only``.
        heads: heads that draw the masks to measure, and the one that judges hearts.
        age: known without the pictures; None takes that of each file's header, where it tells one.
        quality: whether image quality is checked too.
        by_name: whether the tasks were named, so that what stands in the way of one is said of every file.
    """

    tasks: tuple[str, ...]
    prompts: PromptSet | None = None
    overlay: str = "mask"
    heads: CalledHeads = field(default_factory=CalledHeads)
    age: IndependentAge | None = None
    quality: bool = False
    by_name: bool = False

    @property
    def looks_at_marks(self) -> bool:
        """Whether anything asked needs to know what is burned into a picture."""
        return self.overlay != "keep" or self.quality or "biometry" in self.tasks

    def shows(self, clip: bool) -> bool:
        """Whether anything asked shows the pictures of a still, or of a clip, to the tower."""
        return bool(set(self.tasks) - {"heart"}) or (clip and self.heads.heart is not None)
