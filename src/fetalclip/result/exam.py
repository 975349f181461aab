"""The exam as a whole: its measures, the views seen, the quality of its pictures, what needs a person first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from fetalclip.clinical.age import IndependentAge
from fetalclip.result.analysis import ClipFrame
from fetalclip.result.biometry import Measurement
from fetalclip.result.quality import PictureQuality

EXAM_SCHEMA = "fetalclip.exam/1"

URGENCIES = ("now", "soon", "note")
"""How urgent a concern is, the most urgent first."""


@dataclass(frozen=True)
class View:
    """One standard view of the mid-trimester scan and the pictures of an exam that show it.

    Attributes:
        name: for programs.
        title: for people.
        needed: whether an exam without it is incomplete.
        pictures: how many show it.
        best: path of the one that shows it best, or empty.
        probability: that the best one shows it, 0 to 1; None where there is none.
        quality: verdict of the best one's checks; None where there is none or nothing was checked.
        frame: of a clip, the frame that shows it; None of a still.
    """

    name: str
    title: str
    needed: bool
    pictures: int = 0
    best: str = ""
    probability: float | None = None
    quality: str | None = None
    frame: ClipFrame | None = None

    @property
    def seen(self) -> bool:
        """Whether any picture shows it."""
        return self.pictures > 0

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        frame = None if self.frame is None else self.frame.to_dict()
        best = {"path": self.best, "frame": frame, "probability": self.probability, "quality": self.quality}
        return {
            "name": self.name,
            "title": self.title,
            "needed": self.needed,
            "seen": self.seen,
            "pictures": self.pictures,
            "best": best if self.seen else None,
        }


@dataclass(frozen=True)
class Concern:
    """One reason why a person should look at an exam.

    Attributes:
        kind: ``measure``, ``missing view``, ``quality``, ``abstention`` or ``not read``.
        urgency: one of `URGENCIES`.
        reason: in words.
        paths: the pictures it is about; empty where it is about none.
    """

    kind: str
    urgency: str
    reason: str
    paths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.urgency not in URGENCIES:
            raise ValueError(f"an urgency {self.urgency!r}, not one of {', '.join(URGENCIES)}")

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"kind": self.kind, "urgency": self.urgency, "reason": self.reason, "paths": list(self.paths)}


@dataclass(frozen=True)
class Study:
    """Which DICOM study an exam is, told by what a secret key makes of its UIDs and never by themselves.

    Attributes:
        key, patient: of the study and of who is in it; empty where the headers do not tell.
        series: its series, in the order in which they are met.
        part: which exam of its folder it is, such as ``study 1 of 2`` or ``rest``; empty of the only one.
        days: path of a file to the days from the first scan of the exam to its own, where the header tells.
        refused: why its files are no one exam; empty where they are.
        warnings: what else the headers say.
        first: day of the first scan, where a header tells. It identifies: never to be shown.
    """

    key: str = ""
    patient: str = ""
    series: tuple[str, ...] = ()
    part: str = ""
    days: Mapping[str, int] = field(default_factory=dict)
    refused: str = ""
    warnings: tuple[str, ...] = ()
    first: date | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Exam:
    """The measures of one exam: each structure from the picture that shows its plane best.

    Attributes:
        path: the exam's folder, as given.
        measures: chosen measures, and ratios of two of them (unit empty).
        efw: estimated fetal weight (unit ``g``, the formula as its definition), or None.
        coverage: plane to the pictures that show it.
        warnings: what is missing and why, and what does not fit together.
        quality: of each picture that was checked; None where nothing was asked.
        triage: what needs a person, the most urgent first; None where nothing was asked.
        views: the standard views, seen or not; None where nothing was asked.
        age: known without the pictures; None where nobody knows it.
        study: of DICOM files, which study it is; None where no header tells.
    """

    path: str
    measures: tuple[Measurement, ...] = ()
    efw: Measurement | None = None
    coverage: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    quality: tuple[PictureQuality, ...] | None = None
    triage: tuple[Concern, ...] | None = None
    views: tuple[View, ...] | None = None
    age: IndependentAge | None = None
    study: Study | None = None

    def __getitem__(self, name: str) -> Measurement:
        """The measure or ratio of that name.

        Raises:
            KeyError: the exam has none.
        """
        for one in self.measures:
            if one.name == name:
                return one
        raise KeyError(name)

    @property
    def part(self) -> str:
        """Which exam of its folder it is; empty of the only one."""
        return "" if self.study is None else self.study.part

    @property
    def refused(self) -> str:
        """Why nothing is said of its files together; empty of any other exam."""
        return "" if self.study is None else self.study.refused

    @property
    def missing(self) -> tuple[View, ...]:
        """The needed views that no picture shows."""
        return tuple(view for view in self.views or () if view.needed and not view.seen)

    def to_dict(self) -> dict[str, Any]:
        """One JSON object of schema ``fetalclip.exam/1``; of a refused exam all that was not said is None."""
        study, said = self.study or Study(), not self.refused
        return {
            "schema": EXAM_SCHEMA,
            "path": self.path,
            "part": study.part or None,
            "study": study.key or None,
            "series": list(study.series) or None,
            "patient": study.patient or None,
            "age": None if self.age is None else self.age.to_dict(),
            "measures": [one.to_dict() for one in self.measures] if said else None,
            "efw": None if self.efw is None else self.efw.to_dict(),
            "coverage": self._covered() if said else None,
            "quality": None if self.quality is None else [one.to_dict() for one in self.quality],
            "triage": None if self.triage is None else [one.to_dict() for one in self.triage],
            "warnings": list(self.warnings),
        }

    def _covered(self) -> dict[str, Any]:
        views = None if self.views is None else [view.to_dict() for view in self.views]
        missing = None if self.views is None else [view.name for view in self.missing]
        return {"planes": dict(self.coverage), "views": views, "missing": missing}
