"""The one age of an exam by the headers of its files, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from fetalclip.clinical.age import HEADER_SOURCES, TOLERANCE, IndependentAge
from fetalclip.result import Analysis, Study

SPAN = 1
"""Days over which the scans of an exam may be spread, for one age: a head grows by its own spread in a week."""


def spread(studies: Iterable[Study]) -> int:
    """Days from the first scan of all these exams to the last; 0 where headers tell of one day at most."""
    ends = [(one.first, one.first + timedelta(max(one.days.values(), default=0))) for one in studies if one.first]
    return (max(last for _, last in ends) - min(first for first, _ in ends)).days if ends else 0


def refused_age(days: int) -> str:
    """Why an age that was given is not taken for scans that are spread over so many days; empty where it is."""
    return f"no age: the one that was given cannot be that of scans {days} days apart" if days > SPAN else ""


def header_age(analyses: Sequence[Analysis], days: Mapping[str, int]) -> tuple[IndependentAge | None, str]:
    """The age on the day of the exam's first scan, by the most trusted source; or None and why.

    Args:
        analyses: of its files.
        days: path of a file to the days from the first scan to its own; a file that is not named counts as of that day.

    Returns:
        None with an empty reason where no header tells an age.
    """
    told = [(one.input.age, days.get(one.input.path, 0)) for one in analyses if one.input.age is not None]
    if not told:
        return None, ""
    first = [age.days - day for age, day in told]
    if (apart := max(first) - min(first)) > TOLERANCE:
        return None, f"no age: the headers of its files tell ages {apart} days apart"
    if (span := max(days.values(), default=0)) > SPAN:
        return None, f"no age: its files were scanned over {span} days"
    age, day = min(told, key=lambda pair: (*HEADER_SOURCES, pair[0].source).index(pair[0].source))
    if age.days - day < 1:
        return None, "no age: the headers of its files tell one before the first day"
    return IndependentAge(age.days - day, age.source), ""
