"""A new header, built from what may stay of an old one. Nothing is taken over that no rule names.

The patient is told by the Patient ID (else by name and birth date, else by the study); the issuer is not looked at, so
that files with and without it belong together: archives whose numbers clash need a key each. Dates go back by the
same number of days for all files of a patient. Times of day are removed: with the date moved they order nothing, and a
time stands on many a printed sheet. Frame times stay.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from fetalclip.errors import UnreadableInput
from fetalclip.io.deid.actions import Choices, Rules, rules
from fetalclip.io.deid.codes import known_code
from fetalclip.io.deid.key import Key
from fetalclip.io.deid.secrets import DEPTH, NUMBERS, Search, leaves, printed, raw_bytes, strings
from fetalclip.io.dicom.age import DAY, age_of

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

PATIENT = ("PatientName", "PatientID")  # both become the pseudonym
TYPE_2 = ("AccessionNumber", "Manufacturer", "PatientBirthDate", "PatientSex", "ReferringPhysicianName",
          "StudyDate", "StudyID", "StudyTime", "SeriesNumber", "InstanceNumber")  # fmt: skip
"""What a file must have, if only empty (PS3.3, patient, study, series, equipment and image modules)."""

_LMP = "LastMenstrualDate"
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_AGE = re.compile(r"\d{3}[DWMY]")
_TEXT_VRS = frozenset(["AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT"])
_MOST_NUMBERS = 65536  # values of one element
_MOST_COUNT = 999_999
_TAKEN = frozenset(("number", "count", "age", "text", "items", "codes"))  # actions that take a value over as it is


@dataclass
class Cleaned:
    """A header that is clean as far as the rules go.

    Attributes:
        dataset: the new header, without pixels and without the words that say it is de-identified.
        pseudonym: of the patient.
        removed, replaced: how many elements, by keyword; ``private`` and ``unknown`` stand for those without one.
        secrets: the strings of what was removed or replaced.
        others: strings from elsewhere in the file that must not be in it.
        made: the values this package put in.
    """

    dataset: Dataset
    pseudonym: str
    removed: Counter[str] = field(default_factory=Counter)
    replaced: Counter[str] = field(default_factory=Counter)
    secrets: set[str] = field(default_factory=set, repr=False)
    others: set[str] = field(default_factory=set, repr=False)
    made: set[str] = field(default_factory=set, repr=False)


def clean(dataset: Dataset, key: Key, choices: Choices, others: Iterable[str] = ()) -> Cleaned:
    """The clean header of a data set, which is left as it is.

    Args:
        dataset: the old header.
        key: that makes the pseudonyms.
        choices: what is kept.
        others: strings from elsewhere in the file that count as removed, but where a text says them that is kept.

    Raises:
        UnreadableInput: it has no UID of its own, its study or its series.
    """
    from pydicom.dataset import Dataset as New

    patient = patient_of(dataset)
    work = _Work(key, rules(choices), key.days(patient), Cleaned(New(), key.pseudonym(patient)))
    work.fill(dataset, work.done.dataset, 0)
    work.forget_refused(dataset)
    work.identify(dataset)
    kept = [word.casefold() for word in work.texts()]
    work.done.others = {text for text in others if not any(text.casefold() in word for word in kept)}
    work.scrub()
    return work.done


def patient_of(dataset: Dataset) -> str:
    """What a patient is told by; never shown."""
    for keywords in (("PatientID",), ("PatientName", "PatientBirthDate"), ("StudyInstanceUID",)):
        told = [_text(dataset, keyword) for keyword in keywords]
        if told[0]:
            return "\n".join(told)
    return ""


def _text(dataset: Dataset, keyword: str) -> str:
    try:
        value = dataset.get(keyword)
    except Exception:  # pydicom decodes a value when it is asked for, and raises what it likes
        return ""
    return "" if value is None else str(value).strip(" \0")


@dataclass
class _Work:
    key: Key
    rules: Rules
    days: int
    done: Cleaned

    def fill(self, source: Dataset, target: Dataset, depth: int) -> None:
        """Put what may stay of one data set, or one item of a sequence, into a new one."""
        for tag in list(source.keys()):
            if tag.group == 0x0002 or tag in _PIXELS:
                continue
            try:
                element = source[tag]
            except Exception:
                self.done.removed[_name(tag)] += 1
                self.done.secrets |= printed(raw_bytes(source, tag))
                continue
            keyword = "" if tag.is_private else element.keyword
            if keyword in PATIENT and depth == 0:
                new: Any = self.done.pseudonym
            elif keyword in _CONSTANT:
                continue
            else:
                new = self._new(element, keyword, depth)
            self._put(element, keyword, new, target)

    def _put(self, element: DataElement, keyword: str, new: Any, target: Dataset) -> None:
        name = keyword or _name(element.tag)
        if new is None:
            if element.is_empty:
                return
            self.done.removed[name] += 1
            self._remember(element)
            return
        setattr(target, keyword, new)
        action = self.rules.action(keyword)
        if action == "codes":
            self._remember(element)
        if action in _TAKEN and keyword not in PATIENT:
            return
        self.done.made.update(_words(new))
        if _words(element.value) != _words(new):
            self.done.replaced[name] += 1
            self._remember(element)

    def _new(self, element: DataElement, keyword: str, depth: int) -> Any:
        """The value that stands in the new header; None for none."""
        action = self.rules.action(keyword)
        if (element.VR == "SQ") != (action in ("items", "codes")):
            return None
        if action in ("items", "codes"):
            return self._items(element, action, depth)
        value = element.value
        if action == "term":
            words = [word for word in _words(value) if word in self.rules.terms[keyword]]
            return words or None
        if action in ("number", "count"):
            return _numbers(element, action == "count")
        if action == "age":
            return value if _AGE.fullmatch(str(value)) else None
        if action == "text":
            return value if element.VR in _TEXT_VRS else None
        if action == "date":
            return _earlier(str(value), self.days, element.VR == "DT")
        if action == "uid":
            return self.key.uid(str(value)) if element.VR == "UI" and value and isinstance(value, str) else None
        if action == "empty":
            return ""
        return "REMOVED" if action == "dummy" and element.VR in _TEXT_VRS else None

    def _items(self, element: DataElement, action: str, depth: int) -> Any:
        from pydicom.dataset import Dataset as New
        from pydicom.sequence import Sequence

        items = []
        for item in element.value or ():
            if action == "codes":
                code = known_code(item)
                if code is not None:
                    items.append(code)
                    self.done.made.update(_words([code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning]))
            elif depth < DEPTH:
                new = New()
                self.fill(item, new, depth + 1)
                items.append(new)
        return Sequence(items) if items else None

    def _remember(self, element: DataElement) -> None:
        if element.VR != "SQ":
            self.done.secrets |= strings(element)
            return
        for item in element.value or ():
            for leaf, raw in leaves(item, 1):
                self.done.secrets |= printed(raw) if leaf is None else strings(leaf)

    def forget_refused(self, source: Dataset) -> None:
        """Take out the last period where the old header speaks against it and the new one, which tells less, would not.

        Due dates, ages that are told and their codes do not stay: without them an age that was refused would come back.
        """
        new = self.done.dataset
        if _LMP in new and not set(age_of(source).warnings) <= set(age_of(new).warnings):
            del new[_LMP]
            self.done.replaced -= Counter([_LMP])
            self.done.removed[_LMP] += 1

    def identify(self, source: Dataset) -> None:
        """Fill in what every file must have."""
        new = self.done.dataset
        for keyword in _UIDS:
            if not _text(new, keyword):
                raise UnreadableInput(f"the header has no {keyword}", "a picture of a study", "export it again")
        for keyword in PATIENT:
            setattr(new, keyword, self.done.pseudonym)
        for keyword in TYPE_2:
            if keyword not in new:
                setattr(new, keyword, None if keyword in ("SeriesNumber", "InstanceNumber") else "")
        self.done.made |= {self.done.pseudonym, *map(str.strip, self.done.made)}

    def scrub(self) -> None:
        """Take out what was kept but holds a string that was removed elsewhere."""
        public = {*self.rules.public, *self.done.made}
        self.done.secrets -= public
        self.done.others -= public
        search = Search(self.done.secrets, public - self.texts(), self.done.others)
        _scrub(self.done.dataset, search, self.done.removed)

    def texts(self) -> set[str]:
        """Values that were taken over as they are and could hold anything."""
        new = self.done.dataset
        names = [name for name, action in self.rules.by_keyword.items() if action == "text" and name in new]
        return {word for name in names for word in _words(new[name].value)}


def _scrub(dataset: Dataset, search: Search, removed: Counter[str]) -> None:
    for element in list(dataset):
        if element.VR == "SQ":
            for item in element.value:
                _scrub(item, search, removed)
        elif any(search.in_text(word, element.VR in NUMBERS) for word in _words(element.value)):
            removed[element.keyword] += 1
            if element.keyword in TYPE_2:
                element.value = None
            else:
                del dataset[element.tag]


def _numbers(element: DataElement, count: bool) -> Any:
    """The numbers of an element, written anew; None when one of them is no number."""
    value = element.value
    if element.VR == "SH":  # a number that the standard stores as text
        value = _number(str(value))
        return None if value is None else f"{value:g}"
    if element.VR not in NUMBERS or value is None:
        return None
    many = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    found = [_number(one) for one in many[:_MOST_NUMBERS]]
    good = [one for one in found if one is not None]
    if not good or len(good) < len(many) or (count and not all(0 <= one <= _MOST_COUNT for one in good)):
        return None
    told: list[Any] = list(good)
    if element.VR not in ("FL", "FD", "DS"):
        told = [int(one) for one in good]
    elif element.VR == "DS":
        told = [f"{one:.10g}" for one in good]  # at most 16 characters
    return told[0] if len(told) == 1 else told


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _earlier(text: str, days: int, with_time: bool) -> str | None:
    """A date so many days before, without its time of day; None of what is no date, or a range of dates."""
    match = DAY.fullmatch(text.strip(" \0"))
    if match is None or (not with_time and match["rest"]):
        return None
    try:
        return (date(*map(int, match.groups()[:3])) - timedelta(days)).strftime("%Y%m%d").rjust(8, "0")
    except (ValueError, OverflowError):
        return None


def _words(value: Any) -> list[str]:
    """The values of an element as text."""
    if value is None:
        return []
    many = value if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) and not hasattr(
        value, "original_string") else [value]  # fmt: skip
    return [str(one).strip(" \0") for one in many]


def _name(tag: BaseTag) -> str:
    """What an element without a value is called in the log."""
    from pydicom.datadict import keyword_for_tag

    if tag.is_private:
        return "private"
    if tag.group & 0xFF00 in (0x5000, 0x6000):
        return "curve" if tag.group & 0xFF00 == 0x5000 else "overlay"
    return keyword_for_tag(tag) or "unknown"


_PIXELS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))  # float, double, integer pixels: written by `pixels`
_CONSTANT = frozenset((
    "SOPClassUID", "SpecificCharacterSet", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "Rows", "Columns", "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "FrameIncrementPointer", "BurnedInAnnotation", "PatientIdentityRemoved", "DeidentificationMethod",
    "DeidentificationMethodCodeSequence", "LongitudinalTemporalInformationModified",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
))  # fmt: skip
"""Written anew by `write`, from the pixels and from what was done."""
