"""What was said about one file: planes, age, and everything together as one line of ``analyze --json``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fetalclip.clinical.age import EstimatedAge, IndependentAge
from fetalclip.result.biometry import Measurement
from fetalclip.result.heart import HeartScore
from fetalclip.result.probe import ProbeAnswer
from fetalclip.result.quality import Check

SCHEMA = "fetalclip.analysis/1"

NOT_A_HEAD = "not a head plane"
"""How the note of an age begins that was not given because the picture shows no head."""

DISCLAIMER = "Research software. Not a medical device: do not use it for diagnosis or treatment."


@dataclass(frozen=True)
class PlaneScores:
    """Calibrated probabilities of the candidate planes.

    Attributes:
        scores: probability of each candidate, summing to 1 over the candidates.
        abstained: True when the picture should not be given a plane.
        reason: why it abstained, or empty.
        outlier: how unlike the pictures the model was trained on, 0 (alike) to 1, or None when not measured.
    """

    scores: Mapping[str, float]
    abstained: bool = False
    reason: str = ""
    outlier: float | None = None

    @property
    def label(self) -> str:
        """The most probable candidate (kept when abstained)."""
        return max(self.scores, key=lambda name: self.scores[name])

    @property
    def probability(self) -> float:
        """Probability of ``label``."""
        return self.scores[self.label]

    def __getitem__(self, name: str) -> float:
        return self.scores[name]

    def top(self, k: int) -> list[tuple[str, float]]:
        """The k most probable candidates, best first."""
        return sorted(self.scores.items(), key=lambda item: -item[1])[:k]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; see ``Analysis.to_dict``."""
        return {
            "label": self.label,
            "probability": self.probability,
            "scores": dict(self.scores),
            "abstained": self.abstained,
        }


@dataclass(frozen=True)
class AgeEstimate(EstimatedAge):
    """Gestational age that a picture of a head suggests: the age whose WHO median is this head.

    Two intervals, both of whole days. The model's own (``model_low``, ``model_high``) holds the age equivalent to the
    head's true circumference with probability ``level``. The user's (``low``, ``high``) adds that healthy heads of one
    age differ: every age at which a head between the model's bounds lies within the chart's 2.5th to 97.5th centile.
    It is an ``EstimatedAge``: no chart takes it for a centile.

    Attributes:
        days: whole days; None when it abstained.
        model_low, model_high: the model's own interval, days; None when it abstained.
        note: what limits the answer, or why there is none.
    """

    model_low: float | None = None
    model_high: float | None = None

    @property
    def abstained(self) -> bool:
        """Whether no age is given; ``note`` says why."""
        return self.days is None

    @property
    def warnings(self) -> tuple[str, ...]:
        """The note as ``Analysis.warnings`` holds it: why there is no age, or what limits it, one by one."""
        if self.abstained:
            return (f"no age: {self.note}",)
        return tuple(f"age: {part}" for part in self.note.split("; ")) if self.note else ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; see ``Analysis.to_dict``."""
        return {
            "days": self.days,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "model_low": self.model_low,
            "model_high": self.model_high,
            "method": self.method,
            "meaning": self.meaning,
            "reference": self.reference,
        }


@dataclass(frozen=True)
class ClipFrame:
    """A frame of a clip.

    Attributes:
        index: number of the frame in the clip, from 0.
        seconds: its time; NaN where the clip does not tell it.
    """

    index: int
    seconds: float

    def __str__(self) -> str:
        return f"frame {self.index}" + (f" at {self.seconds:.2f} s" if math.isfinite(self.seconds) else "")

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"index": self.index, "seconds": self.seconds if math.isfinite(self.seconds) else None}


@dataclass(frozen=True)
class InputInfo:
    """What was read: path as given, kind, size, spacing. Sizes are None when the file could not be read.

    ``best_frame`` is the one that shows a clip's plane best: sub-plane, age, measures and quality are of it. It is None
    of a still, and of a clip whose plane is not certain. ``age`` is what the file itself tells without its picture.
    """

    path: str
    kind: str | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    mm_per_pixel: tuple[float, float] | None = None
    best_frame: ClipFrame | None = None
    age: IndependentAge | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        spacing = None if self.mm_per_pixel is None else list(self.mm_per_pixel)
        return {
            "path": self.path,
            "kind": self.kind,
            "width": self.width,
            "height": self.height,
            "frames": self.frames,
            "mm_per_pixel": spacing,
            "best_frame": None if self.best_frame is None else self.best_frame.to_dict(),
            "age": None if self.age is None else self.age.to_dict(),
        }


@dataclass(frozen=True)
class Provenance:
    """How a result was made: version, model and its hash, licence, engine, seconds."""

    version: str
    model: str
    model_sha256: str
    license: str
    engine: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "version": self.version,
            "model": self.model,
            "model_sha256": self.model_sha256,
            "license": self.license,
            "engine": self.engine,
            "seconds": round(self.seconds, 4),
        }


@dataclass(frozen=True)
class Analysis:
    """Everything said about one file: one line of ``analyze --json``.

    Attributes:
        age: the prompted age; None when it was not asked for.
        biometry: the measures taken, refused ones too; None when they were not asked for.
        biometry_age: the age whose WHO median is the measured head; None where no head was measured.
        quality: the checks of image quality, for the exam; None where nothing was asked or no plane is certain.
        heart: what a heart head says of a clip; None where none was asked, or could be.
        probes: what each probe says; None where none was asked.
    """

    input: InputInfo
    plane: PlaneScores | None = None
    warnings: tuple[str, ...] = ()
    error: str | None = None
    provenance: Provenance | None = None
    subplane: PlaneScores | None = None
    age: AgeEstimate | None = None
    biometry: tuple[Measurement, ...] | None = None
    biometry_age: AgeEstimate | None = None
    quality: tuple[Check, ...] | None = None
    heart: HeartScore | None = None
    probes: tuple[ProbeAnswer, ...] | None = None

    @property
    def measured(self) -> tuple[Measurement, ...]:
        """The measures that were not refused."""
        return tuple(one for one in self.biometry or () if one.value is not None)

    def to_dict(self) -> dict[str, Any]:
        """One JSON object of schema ``fetalclip.analysis/1``; what was not asked for or not possible is None."""
        return {
            "schema": SCHEMA,
            "input": self.input.to_dict(),
            "plane": self.plane.to_dict() if self.plane else None,
            "subplane": self.subplane.to_dict() if self.subplane else None,
            "gestational_age": _age(self.age),
            "gestational_age_biometry": _age(self.biometry_age),
            "biometry": None if self.biometry is None else [one.to_dict() for one in self.measured],
            "heart": None if self.heart is None else self.heart.to_dict(),
            "probes": None if self.probes is None else [one.to_dict() for one in self.probes],
            "warnings": list(self.warnings),
            "error": self.error,
            "provenance": self.provenance.to_dict() if self.provenance else None,
        }


def _age(found: AgeEstimate | None) -> dict[str, Any] | None:
    return None if found is None or found.abstained else found.to_dict()
