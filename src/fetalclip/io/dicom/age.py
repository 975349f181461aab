"""Gestational age by what a header says of the pregnancy's dates: known without the picture, so fit for a centile.

Told by Last Menstrual Date, and by the acquisition context (PS3.3 C.7.6.14) under the LOINC codes of PS3.16 CID 12003
and 12019. An age or a date that came of an ultrasound measurement is never taken: a centile with it would be circular.
Dates and texts of the header are in no warning.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from fetalclip.clinical.age import HEADER_SOURCES, LATEST, TOLERANCE, IndependentAge
from fetalclip.errors import BadValue
from fetalclip.io.dicom import values

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

LMP, EDD, AGE = HEADER_SOURCES

_MEASURED = frozenset(("11888-5", "11884-4", "11781-2"))  # composite and average ultrasound age, EDD by it
_CODES = {
    "8665-2": LMP,
    "11955-2": LMP,
    "11779-6": EDD,  # by the LMP
    "11780-4": EDD,  # by the day of ovulation
    "53692-0": EDD,  # by the day of conception
    "11778-8": EDD,
    "11885-1": AGE,  # by the LMP
    "11886-9": AGE,  # by the day of ovulation
    "18185-9": AGE,
}
_UNSAID = frozenset(("11778-8", "18185-9"))  # codes that do not say what the date or age was reckoned from
_UNITS = {"d": 1.0, "wk": 7.0}  # UCUM, in days
_SCANNED = ("AcquisitionDate", "AcquisitionDateTime", "ContentDate", "SeriesDate", "StudyDate")
_MOST_ITEMS = 256
_TIME = r"\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?"
DAY = re.compile(rf"(\d{{4}})\.?(\d\d)\.?(\d\d)(?P<rest>(?:{_TIME})?(?:[+-](?:0\d|1[0-4])[0-5]\d)?)", re.ASCII)
"""A day (with points before DICOM 3), the time of day and the offset from UTC that may follow; not a range of days."""

_CIRCULAR = "an age or due date of the header is by ultrasound, or may be: not taken, a centile by it would be circular"
_UNSURE = "the header does not say what the {} it tells was reckoned from: it may be by ultrasound"
_WORDS = {LMP: "LMP", EDD: "EDD", AGE: "gestational age"}


@dataclass(frozen=True)
class HeaderAge:
    """What a header says of the age.

    Attributes:
        age: on the day of the scan; None where it is not told, impossible or contradicted.
        warnings: what was not taken, and why.
    """

    age: IndependentAge | None = None
    warnings: tuple[str, ...] = ()


def age_of(dataset: Dataset) -> HeaderAge:
    """The independent age of a file, by LMP, else EDD, else an age that is told; of several the most trusted.

    One that does not say what it was reckoned from comes after all others, with a warning where it is taken.
    """
    scanned = scan_day(dataset)
    told = list(_told(dataset))
    warnings, found = dict[str, None](), list[tuple[bool, IndependentAge]]()
    measured = any(code in _MEASURED for code, _, _ in told)
    for code, item, keywords in told:
        if code in _MEASURED or (measured and code in _UNSAID):
            warnings[_CIRCULAR] = None
            continue
        age, why = _aged(_CODES[code], item) if _CODES[code] == AGE else _dated(code, item, keywords, scanned)
        if age is None:
            warnings[why] = None
        else:
            found.append((code in _UNSAID, age))
    found.sort(key=lambda pair: (pair[0], HEADER_SOURCES.index(pair[1].source)))
    ages = [age for _, age in found]
    apart = max(age.days for age in ages) - min(age.days for age in ages) if ages else 0
    if apart > TOLERANCE:
        sources = " and ".join(_WORDS[source] for source in HEADER_SOURCES if source in {age.source for age in ages})
        warnings[f"no age: {sources} of the header lie {apart} days apart"] = None
        return HeaderAge(None, tuple(warnings))
    if found and found[0][0]:
        warnings[_UNSURE.format(_WORDS[ages[0].source])] = None
    return HeaderAge(ages[0] if ages else None, tuple(warnings))


def scan_day(dataset: Dataset) -> date | None:
    """The day of the acquisition, else of content, series, study. It identifies: never to be shown."""
    return _first_day(dataset, _SCANNED)


def _told(dataset: Dataset) -> Iterator[tuple[str, Dataset, tuple[str, ...]]]:
    """Code, item and fields of its value, of all that a header says of ages and dates of the pregnancy."""
    if values.get(dataset, "LastMenstrualDate") not in (None, ""):
        yield "8665-2", dataset, ("LastMenstrualDate",)
    for item in _items(dataset, "AcquisitionContextSequence"):
        code = _code(item, "ConceptNameCodeSequence", "LN")
        if code in _MEASURED or code in _CODES:
            yield code, item, ("Date", "DateTime")


def _aged(source: str, item: Dataset) -> tuple[IndependentAge | None, str]:
    """The age that an item tells in whole days, weeks to the nearest; or None and why not, without its value."""
    words = f"the {_WORDS[source]} of the header"
    unit = _UNITS.get(_code(item, "MeasurementUnitsCodeSequence", "UCUM"))
    number = (values.numbers(item, "NumericValue") or [math.nan])[0]
    if unit is None or not math.isfinite(number):
        return None, f"{words} is no number of days or weeks: not taken"
    days = number if unit == 1 else number * unit + 0.5  # 20.857 weeks are 146 days
    if not 1 <= days < LATEST + 1:
        return None, f"{words} cannot be meant: not taken"
    return IndependentAge(math.floor(days), source), ""


def _dated(
    code: str, item: Dataset, keywords: tuple[str, ...], scanned: date | None
) -> tuple[IndependentAge | None, str]:
    """The age that a date tells on the day of the scan, or None and why not, without the date."""
    source = _CODES[code]
    day = _first_day(item, keywords)
    if day is None:
        return None, f"the {_WORDS[source]} of the header is no date: not taken"
    if scanned is None:
        return None, f"the header has an {_WORDS[source]} but no day of the scan: no age of it"
    reckon = IndependentAge.from_lmp if source == LMP else IndependentAge.from_edd
    try:
        return IndependentAge(reckon(day, scanned).days, source), ""
    except BadValue:  # its text has the dates
        return None, f"the {_WORDS[source]} of the header does not fit the day of the scan: not taken"


def _first_day(dataset: Dataset, keywords: tuple[str, ...]) -> date | None:
    return next((day for keyword in keywords if (day := day_of(dataset, keyword)) is not None), None)


def day_of(dataset: Dataset, keyword: str) -> date | None:
    """The day of a date or of a date and time; None where there is none, or half of one."""
    value: Any = values.get(dataset, keyword)
    if isinstance(value, date):  # as pydicom gives it where somebody asked it to
        return date(value.year, value.month, value.day)
    match = DAY.fullmatch(value.strip(" \0")) if isinstance(value, str) else None
    try:
        found = None if match is None else date(*map(int, match.groups()[:3]))
    except ValueError:
        return None
    return found if found is not None and 1900 <= found.year <= 2200 else None


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence, as many as are looked at."""
    found = values.get(dataset, keyword)
    if isinstance(found, (str, bytes)) or not hasattr(found, "__iter__"):
        return []
    return [item for item, _ in zip(found, range(_MOST_ITEMS), strict=False) if hasattr(item, "get_item")]


def _code(dataset: Dataset, keyword: str, scheme: str) -> str:
    """The code value of the first item of a code sequence; empty where it is of another scheme."""
    for item in _items(dataset, keyword)[:1]:
        if values.text(item, "CodingSchemeDesignator") == scheme:
            return values.text(item, "CodeValue")
    return ""
