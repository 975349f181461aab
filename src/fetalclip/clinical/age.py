"""Gestational age: how it is written, where it comes from, and which ages may be asked for a centile.

A centile compares a size with fetuses of the same age, so the age must be known without that size. An age read off
the same picture makes every fetus average and hides the small ones. Two types keep them apart: ``IndependentAge``
(dates, an early crown-rump length, an age somebody gives) is what a chart takes; ``EstimatedAge`` (from a size, or
from a picture) is what a chart refuses.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from fetalclip.errors import BadValue, CircularAge

TERM = 280  # days from the last period to the due date
LATEST = 315  # days, 45 weeks: later than any pregnancy
TOLERANCE = 7
"""Days by which two independent ages of one scan may differ: beyond, one of them is wrong."""

HEADER_SOURCES = ("DICOM LMP", "DICOM EDD", "DICOM GA")
"""What the header of a file tells an age by, the most trusted first."""

SOURCES = ("given", "LMP", "EDD", "CRL", "IVF", "DICOM", *HEADER_SOURCES)

_WEEKS = re.compile(r"(\d{1,3})\s*(?:w|wk|weeks?|\+)\s*(?:(\d{1,2})\s*(?:d|days?)?)?", re.IGNORECASE)
_DAYS = re.compile(r"(\d{1,3})\s*(?:d|days?)", re.IGNORECASE)
_EXPECTED = "weeks and days such as 20w3d, or days such as 143d"


def parse_age(text: str) -> int:
    """Days of ``20w3d``, ``20w``, ``20+3`` or ``143d``.

    Raises:
        BadValue: it is none of these, has more than 6 odd days, or lies outside 1 day to 45 weeks.
    """
    words = text.strip()
    if match := _WEEKS.fullmatch(words):
        weeks, odd = int(match[1]), int(match[2] or 0)
        if odd > 6:
            raise BadValue(f"the age {words} has {odd} odd days", "0 to 6 days after the weeks", "--ga 20w3d")
        days = 7 * weeks + odd
    elif match := _DAYS.fullmatch(words):
        days = int(match[1])
    elif re.fullmatch(r"\d+(\.\d+)?", words):
        fix = f"--ga {words}w0d for weeks, --ga {words}d for days" if words.isdigit() else "--ga 20w3d"
        raise BadValue(f"the age {words} has no unit", _EXPECTED, fix)
    else:
        raise BadValue(f"{words[:40]!r} is not an age", _EXPECTED, "--ga 20w3d")
    if not 0 < days <= LATEST:
        raise BadValue(f"the age {words} is {days} days", f"1 to {LATEST} days (45w0d)", "--ga 20w3d")
    return days


def parse_date(text: str, name: str = "date") -> date:
    """The date written as YYYY-MM-DD.

    Raises:
        BadValue: another form (3/4 is March in one country and April in the next), or no day of the calendar.
    """
    words = text.strip()
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", words):
        raise BadValue(f"the {name} {words[:40]!r} is not written as a date", "year-month-day", f"{name} 2026-05-31")
    try:
        found = date.fromisoformat(words)
    except ValueError:
        raise BadValue(f"there is no {name} {words}", "a day of the calendar", f"{name} 2026-05-31") from None
    if not 1900 <= found.year <= 2200:
        raise BadValue(f"the {name} {words} is too far away", "a year from 1900 to 2200", f"{name} 2026-05-31")
    return found


def age_text(days: float) -> str:
    """An age in words: 143 days is ``20w3d``."""
    whole = round(days)
    return f"{whole // 7}w{whole % 7}d"


def due_date(on: date, days: float) -> date:
    """The due date of a fetus of that age on that day: the day plus 280 days minus the age."""
    return on + timedelta(days=TERM - round(days))


@dataclass(frozen=True)
class EstimatedAge:
    """An age that a size or a picture suggests. It says how old, never how large for its age.

    Attributes:
        days: the estimate; None where the size is outside what the method was made for.
        low, high: the interval at ``level``, days; None where the method publishes none.
        method: what was used, for example ``"HC,FL"``.
        reference: the publication in short.
        note: what limits it.
    """

    days: float | None
    low: float | None
    high: float | None
    method: str
    reference: str
    meaning: str = "age from the size; interval of the method"
    level: float = 0.95
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; days to one decimal."""
        days, low, high = (None if x is None else round(x, 1) for x in (self.days, self.low, self.high))
        return {
            "days": days,
            "low": low,
            "high": high,
            "level": self.level,
            "method": self.method,
            "reference": self.reference,
            "meaning": self.meaning,
            "note": self.note,
        }


@dataclass(frozen=True)
class IndependentAge:
    """An age known without the picture: the only kind that a centile may be asked with.

    Attributes:
        days: gestational age in days: a number, a numpy array or a pandas Series.
        source: one of ``SOURCES``.

    Raises:
        CircularAge: ``days`` is an ``EstimatedAge``.
        BadValue: an unknown source, or a single age outside 1 to 315 days.
    """

    days: Any
    source: str = "given"

    def __post_init__(self) -> None:
        refuse_estimated(self.days)
        if self.source not in SOURCES:
            raise BadValue(f"an age from {self.source!r}", f"a source known without the picture: {', '.join(SOURCES)}")
        if isinstance(self.days, (int, float)) and not (math.isfinite(self.days) and 0 < self.days <= LATEST):
            raise BadValue(f"an age of {self.days:g} days", f"1 to {LATEST} days (45w0d)", "--ga 20w3d")

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of a single age."""
        return {"days": self.days, "source": self.source}

    @classmethod
    def given(cls, text: str) -> IndependentAge:
        """An age somebody knows, as ``20w3d``."""
        return cls(parse_age(text), "given")

    @classmethod
    def from_lmp(cls, lmp: date, on: date) -> IndependentAge:
        """By the first day of the last menstrual period, on the day of the scan.

        Raises:
            BadValue: the period lies after the scan, or more than 45 weeks before it.
        """
        return cls(_between((on - lmp).days, f"a last period of {lmp} and a scan of {on}"), "LMP")

    @classmethod
    def from_edd(cls, edd: date, on: date) -> IndependentAge:
        """By the estimated due date, on the day of the scan.

        Raises:
            BadValue: the due date is more than 280 days after the scan, or more than 5 weeks before it.
        """
        return cls(_between(TERM - (edd - on).days, f"a due date of {edd} and a scan of {on}"), "EDD")


def independent(age: Any) -> IndependentAge:
    """The age as an ``IndependentAge``; a text such as ``20w3d`` counts as given.

    Raises:
        CircularAge: it was estimated from a size or a picture.
        BadValue: a bare number, which does not say where it comes from.
    """
    refuse_estimated(age)
    if isinstance(age, IndependentAge):
        return age
    if isinstance(age, str):
        return IndependentAge.given(age)
    raise BadValue(
        f"an age given as {type(age).__name__}",
        "an age that says where it comes from",
        'IndependentAge(days, source="LMP"), or a text such as "20w3d"',
    )


def refuse_estimated(age: Any) -> None:
    """Stop where an age was estimated from a size or a picture.

    Raises:
        CircularAge: it was.
    """
    if isinstance(age, EstimatedAge):
        raise CircularAge(
            f"an age estimated from {age.method} ({age.reference}) was given for a centile",
            "an age known without this picture; with its own estimate every fetus would look average",
            "--ga 20w3d, --lmp DATE or --edd DATE",
        )


def _between(days: int, what: str) -> int:
    if not 0 < days <= LATEST:
        raise BadValue(f"{what} make an age of {days} days", f"1 to {LATEST} days (45w0d)", "--lmp 2026-01-31")
    return days
