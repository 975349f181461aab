"""What is explained: the score of a text on a picture, alone or against other texts.

For a model of this family the likeness to one text alone says little: most of a cosine is common to all texts. What
tells a picture's plane is how much closer one text is than the others, so a plane is held against the model's other
planes unless other texts are named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fetalclip.clinical.prompts import are_texts
from fetalclip.clinical.vocabulary import ALIASES, PLANES
from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Array, unit
from fetalclip.errors import UsageError

Candidates = Mapping[str, Sequence[str]]
"""Class to its prompts."""


@dataclass(frozen=True, eq=False)
class Question:
    """A text and what it is held against, as directions of the joint space.

    Attributes:
        text: as it was asked.
        against: the others, as they were named.
        directions: (1 + k, d) float32 of unit length, the text's first.
        scale: what the model multiplies cosines by.
    """

    text: str
    against: tuple[str, ...]
    directions: Array
    scale: float

    def __call__(self, raw: Tensor) -> Tensor:
        """Raw embeddings (B, d) to scores (B,): log-odds of the text against the others, or its cosine; smooth."""
        directions = torch.from_numpy(self.directions).to(raw.device)
        cosines = F.normalize(raw.float(), dim=-1) @ directions.T  # (B, 1 + k)
        if not self.against:
            return cosines[:, 0]
        logits = self.scale * cosines
        return logits[:, 0] - torch.logsumexp(logits[:, 1:], dim=1)

    @torch.inference_mode()
    def of(self, images: Array) -> Array:
        """The same of an (n, d) array."""
        found: Array = self(torch.from_numpy(images)).numpy()
        return found

    def cosine(self, images: Array) -> Array:
        """Cosines (n,) of raw embeddings (n, d) with the text."""
        found: Array = unit(images) @ self.directions[0]
        return found

    @classmethod
    def ask(cls, encoder: Encoder, text: str, against: Sequence[str] | None, candidates: Candidates) -> Question:
        """The question of a text.

        Args:
            encoder: where texts are embedded.
            text: any text. A plane's name stands for all its prompts, as in ``planes``.
            against: other texts or planes; None holds a plane's name, prompt or phrase against the other planes, and
                any other text against nothing; an empty list holds it against nothing.
            candidates: the model's planes with their prompts.

        Raises:
            UsageError: an empty text, or one that is held against itself.
        """
        others = list(dict.fromkeys(against or ()))
        if not are_texts([text, *others]):
            raise UsageError("an empty text", "words that describe a picture", '--text "fetal brain"')
        if against is None and (plane := plane_of(text, candidates)):
            others = [name for name in candidates if name != plane]
        if text in others:
            raise UsageError(f"the text {text!r:.80} against itself", "another text", "--against TEXT")
        directions = np.stack([_direction(encoder, one, candidates) for one in (text, *others)])
        return cls(text, tuple(others), directions.astype(np.float32), encoder.scale)


def plane_of(text: str, candidates: Candidates) -> str:
    """The candidate a text names, by its name, an alias, a prompt or a phrase of the vocabulary; empty if none."""
    wanted = " ".join(text.casefold().split())
    named = ALIASES.get(wanted, wanted)
    for plane, prompts in candidates.items():
        words = [plane, plane.replace("_", " "), *prompts, *PLANES.get(plane, ())]
        if named == plane or wanted in (word.casefold() for word in words):
            return plane
    return ""


def _direction(encoder: Encoder, text: str, candidates: Candidates) -> Array:
    """(d,) of unit length: of a plane's name the mean of its prompts, as plane scores have it; of a text its own."""
    prompts = candidates.get(ALIASES.get(text, text))
    if prompts is None:
        return unit(encoder.texts([text], keep=False))[0]
    return unit(unit(encoder.texts(list(prompts))).mean(axis=0, keepdims=True))[0]
