"""Ages that are given to ``analyze``, and what is told of a file they do not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fetalclip.errors import UsageError

if TYPE_CHECKING:
    from fetalclip.clinical.age import IndependentAge
    from fetalclip.result import Analysis

OTHER_DAY = "the scan is not of today, to which --lmp counts: give its age by --ga"


def known_age(ga: str | None, lmp: str | None) -> IndependentAge | None:
    """The age given by --ga or, for today, by --lmp; None where neither is.

    Raises:
        UsageError: both.
        BadValue: an age or a date that is none.
    """
    from datetime import date

    from fetalclip.clinical.age import IndependentAge, parse_date

    if ga is not None and lmp is not None:
        raise UsageError("both --ga and --lmp", "one of them")
    if lmp is not None:
        return IndependentAge.from_lmp(parse_date(lmp, "--lmp"), date.today())
    return None if ga is None else IndependentAge.given(ga)


def warned_of_day(analysis: Analysis) -> Analysis:
    """The analysis of a DICOM file with a warning where its scan is of another day than today, which is not told."""
    from datetime import date

    from fetalclip.io.deid.origin import header_of
    from fetalclip.io.dicom.age import scan_day

    header = None if analysis.error is not None else header_of(Path(analysis.input.path))
    day = None if header is None else scan_day(header.dataset)
    if day is None or day == date.today():
        return analysis
    return replace(analysis, warnings=(*analysis.warnings, OTHER_DAY))
