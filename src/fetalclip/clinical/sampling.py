"""The captions of a training batch, by the factory: of its pictures, of planes nobody shows, of sub-planes in turn."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from fetalclip.clinical.age_prompts import DAYS
from fetalclip.clinical.captions import Facts
from fetalclip.clinical.factory import MAX_TOKENS, CaptionFactory, Measure, Record
from fetalclip.clinical.vocabulary import PLANES, REJECTS, SUBPLANES


@dataclass(frozen=True)
class Chances:
    """Chance that a known fact is said in a caption."""

    subplane: float = 0.4
    age: float = 0.4
    spacing: float = 0.4


class Sampler:
    """Draws captions; the same seed draws the same texts.

    Args:
        measure: tokens of a text, of the tokenizer the captions are for.
        rng: source of randomness.
        chances: how often a known fact is said.
        limit: longest caption, tokens.
    """

    def __init__(
        self, measure: Measure, rng: random.Random, chances: Chances | None = None, limit: int = MAX_TOKENS
    ) -> None:
        chances = chances or Chances()
        some = {"subplane": chances.subplane, "age": chances.age, "spacing": chances.spacing}
        self._rng, self.measure = rng, measure
        self._some, self._sub = (CaptionFactory(measure, rng, chance, limit) for chance in (some, {"subplane": 1.0}))

    def seed(self, seed: int) -> None:
        """Start the randomness anew."""
        self._rng.seed(seed)

    def caption(self, known: Facts) -> tuple[str, Facts]:
        """One caption that is true of a picture with these facts, and what it says."""
        written = self._some.write(Record((known.plane,), known.subplane, known.age_days, known.spacing))
        said = written.said.facts
        assert said is not None
        return written.text, said

    def foreign(self, planes: Sequence[str], count: int) -> list[tuple[str, Facts]]:
        """Captions of planes that no picture of the batch shows: texts that are false of every picture."""
        return [self.caption(Facts(self._rng.choice(planes))) for _ in range(count)]

    def rivals(self, count: int) -> list[tuple[str, Facts]]:
        """Captions that state the sub-planes in turn, nothing else of their own: each is false of the others."""
        names = list(SUBPLANES)
        said = [Facts("brain", names[i % len(names)]) for i in range(count)]
        return [(self._sub.write(Record(("brain",), facts.subplane)).text, facts) for facts in said]


def texts(count: int, seed: int = 0) -> list[str]:
    """Captions over the whole range of facts, to learn a vocabulary from.

    Args:
        count: number of captions.
        seed: source of randomness.
    """
    rng = random.Random(seed)
    sampler = Sampler(lambda text: len(text.split()), rng, Chances(0.5, 0.5, 0.5))
    made = []
    for _ in range(count):
        plane = rng.choice([*PLANES, *REJECTS])
        subplane = rng.choice(list(SUBPLANES)) if plane == "brain" else None
        made.append(sampler.caption(Facts(plane, subplane, rng.choice(DAYS), round(rng.uniform(0.05, 1.6), 2)))[0])
    return made
