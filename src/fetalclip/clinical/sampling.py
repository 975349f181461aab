"""The captions of a training batch, by the factory: of its pictures, of planes nobody shows, of sub-planes in turn."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from fetalclip.clinical.age_prompts import DAYS, load_age_templates
from fetalclip.clinical.captions import Facts
from fetalclip.clinical.factory import MAX_TOKENS, CaptionFactory, Measure, Record
from fetalclip.clinical.vocabulary import PLANES, REJECTS, SUBPLANES

NEAR_DAYS = 20.0  # standard deviation of the ages drawn near a picture's own, days
AS_ASKED = 0.6  # chance that an age is worded as the prompts are


@dataclass(frozen=True)
class Chances:
    """Chance that a known fact is said in a caption."""

    subplane: float = 0.4
    age: float = 0.25
    spacing: float = 0.25


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
        self._some, self._sub, self._age = (
            CaptionFactory(measure, rng, chance, limit)
            for chance in (some, {"subplane": 1.0}, {"age": 1.0, "spacing": 1.0})
        )
        self._templates = load_age_templates()

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

    def ages(self, known: Sequence[Facts], count: int) -> list[tuple[str, Facts]]:
        """Captions of heads at the spacings of real ones, half of them near their age, half of any age.

        Args:
            known: of the pictures of the batch; those with an age and a spacing take turns.
            count: captions; none where there is no such picture.
        """
        heads = [(facts.spacing, facts.age_days) for facts in known if facts.spacing and facts.age_days]
        made = []
        for i in range(count if heads else 0):
            spacing, own = heads[i % len(heads)]
            day = round(self._rng.gauss(own, NEAR_DAYS)) if self._rng.random() < 0.5 else self._rng.choice(DAYS)
            made.append(self.aged(min(max(day, DAYS[0]), DAYS[-1]), spacing))
        return made

    def aged(self, day: int, spacing: float) -> tuple[str, Facts]:
        """A caption that states an age in days and a spacing: as the prompts ask, or in other words."""
        facts = Facts("brain", None, day, spacing)
        if self._rng.random() < AS_ASKED:
            return self._rng.choice(self._templates.fill(day, spacing)), facts
        return self._age.write(Record(("brain",), None, day, spacing)).text, facts


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
