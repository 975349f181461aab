"""Captions from facts, by templates of our own.

A caption states a random subset of what is known of a picture. The stated facts come back with the text, so that
training knows which captions of a batch are true of which pictures (``truth``), and a caption never contradicts a row.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TypeVar

from fetalclip.clinical.vocabulary import PLANES, REJECTS, SUBPLANES

T = TypeVar("T")


@dataclass(frozen=True)
class Facts:
    """What is known of a picture, or what a caption says of it. None: unknown, or not said.

    Attributes:
        plane: a key of ``PLANES`` or of ``REJECTS``.
        subplane: a key of ``SUBPLANES``.
        age_days: gestational age.
        spacing: mm per pixel of the picture the tower sees (after padding and resizing), two decimals.
    """

    plane: str
    subplane: str | None = None
    age_days: int | None = None
    spacing: float | None = None


@dataclass(frozen=True)
class Caption:
    """A text and the facts it states."""

    text: str
    facts: Facts


def truth(said: Facts, known: Facts) -> bool | None:
    """Whether a caption is true of a picture: True, False, or None when the picture's row does not tell.

    A caption for another plane is false whatever else is unknown.
    """
    unknown = False
    for item in fields(Facts):
        claim, fact = getattr(said, item.name), getattr(known, item.name)
        if claim is None:
            continue
        if fact is None:
            unknown = True
        elif claim != fact:
            return False
    return None if unknown else True


_OPENINGS = (
    "an ultrasound image of the {what}",
    "ultrasound picture showing the {what}",
    "the {what} in a prenatal scan",
    "obstetric sonogram, {what}",
    "{what}",
    "b-mode ultrasound of the {what}",
    "a standard plane: {what}",
    "routine pregnancy scan at the {what}",
    "grey-scale sonographic view of the {what}",
    "this scan shows the {what}",
    "a view of the {what} on ultrasound",
    "{what}, antenatal ultrasound",
)
_SUBPLANES = (", {which}", " at the {which}", ", showing the {which}", "; {which}")
_AGES = (
    " at {weeks} weeks and {days} days",
    ", gestational age {weeks} weeks {days} days",
    ", {weeks}w{days}d",
    ", a fetus of {weeks} weeks and {days} days",
    ", gestational age about {weeks} weeks {days} days",
)
_SPACINGS = (
    ", pixel spacing {spacing:.2f} mm",
    ", {spacing:.2f} mm per pixel",
    " with a pixel spacing of {spacing:.2f} mm per pixel",
    ", one pixel is {spacing:.2f} mm",
)


class CaptionWriter:
    """Writes captions; the same seed writes the same texts.

    Args:
        rng: source of randomness.
        subplane, age, spacing: chance that a known fact is said.
    """

    def __init__(self, rng: random.Random, subplane: float = 0.5, age: float = 0.5, spacing: float = 0.5) -> None:
        self._rng = rng
        self._chance: Mapping[str, float] = {"subplane": subplane, "age_days": age, "spacing": spacing}

    def write(self, known: Facts) -> Caption:
        """One caption that is true of a picture with these facts."""
        if known.plane in REJECTS:
            return Caption(self._style(self._rng.choice(REJECTS[known.plane])), Facts(known.plane))
        said = Facts(
            known.plane,
            self._maybe("subplane", known.subplane),
            self._maybe("age_days", known.age_days),
            self._maybe("spacing", known.spacing),
        )
        text = self._rng.choice(_OPENINGS).format(what=self._rng.choice(PLANES[known.plane]))
        if said.subplane:
            text += self._rng.choice(_SUBPLANES).format(which=self._rng.choice(SUBPLANES[said.subplane]))
        if said.age_days is not None:
            text += self._rng.choice(_AGES).format(weeks=said.age_days // 7, days=said.age_days % 7)
        if said.spacing is not None:
            text += self._rng.choice(_SPACINGS).format(spacing=said.spacing)
        return Caption(self._style(text), said)

    def foreign(self, planes: tuple[str, ...], count: int) -> list[Caption]:
        """Captions of planes that no picture of the batch shows: texts that are false of every picture."""
        return [self.write(Facts(self._rng.choice(planes))) for _ in range(count)]

    def rivals(self, count: int) -> list[Caption]:
        """Captions that state the sub-planes in turn, nothing else of their own: each is false of the others."""
        names = list(SUBPLANES)
        sure = CaptionWriter(self._rng, subplane=1.0)
        return [sure.write(Facts("brain", names[i % len(names)])) for i in range(count)]

    def _maybe(self, name: str, value: T | None) -> T | None:
        return value if value is not None and self._rng.random() < self._chance[name] else None

    def _style(self, text: str) -> str:
        if self._rng.random() < 0.5:
            text = text[0].upper() + text[1:]
        return text + "." if self._rng.random() < 0.5 else text


def corpus(count: int, seed: int = 0) -> list[str]:
    """Captions over the whole range of facts, to learn the vocabulary from.

    Args:
        count: number of captions.
        seed: source of randomness.
    """
    rng = random.Random(seed)
    writer = CaptionWriter(rng)
    texts = []
    for _ in range(count):
        plane = rng.choice([*PLANES, *REJECTS])
        subplane = rng.choice(list(SUBPLANES)) if plane == "brain" else None
        known = Facts(plane, subplane, rng.randint(98, 280), round(rng.uniform(0.05, 1.6), 2))
        texts.append(writer.write(known).text)
    return texts
