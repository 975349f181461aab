"""Results in words: the one spelling of names, shares and spacings for terminal, page and drawing."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from html import escape
from pathlib import PurePath

from fetalclip.clinical.age import HEADER_SOURCES, IndependentAge, age_text
from fetalclip.result import NOT_A_HEAD, NOT_FOUR_CHAMBERS, AgeEstimate, Analysis, Exam, Measurement, PlaneScores

WITH_SPREAD, MODEL_ALONE, MEASURE_ALONE = "with the spread of healthy heads", "the model alone", "the measure alone"
"""What the intervals of an age are called: both ages have the first, each has its own."""


def printable(text: object) -> str:
    """Text that moves no cursor: control characters and undecodable bytes become visible escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text))


def sentence(text: object) -> str:
    """A message as one printable line: every run of white space is one space."""
    return printable(" ".join(str(text).split()))


def safe(value: object) -> str:
    """Escaped for HTML, without control characters."""
    return escape(printable(value), quote=True)


def percent(share: float) -> str:
    """A share of 0 to 1 as percent with one decimal; never rounded up to 100 % or down to 0 %."""
    if not math.isfinite(share):
        return "unknown"
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"


def plane_name(label: str) -> str:
    """A plane's label in words: ``lips_nose`` is "lips nose"."""
    return sentence(label.replace("_", " "))


def file_name(path: str) -> str:
    """The last part of a path, printable; the whole path where it has no last part."""
    return printable(PurePath(path).name or path)


def spacing(mm_per_pixel: tuple[float, float] | None) -> str:
    """Pixel spacing in words, mm per pixel."""
    if mm_per_pixel is None:
        return "mm per pixel unknown"
    x, y = (f"{value:.3g}" for value in mm_per_pixel)
    return f"{x} mm per pixel" if x == y else f"{x} × {y} mm per pixel"


def size(analysis: Analysis) -> str:
    """Width and height in pixels, and the frames where there are several; empty when unknown."""
    read = analysis.input
    if read.width is None or read.height is None:
        return ""
    frames = f", {read.frames} frames" if read.frames and read.frames > 1 else ""
    return f"{read.width} × {read.height} pixels{frames}"


def reason(plane: PlaneScores) -> str:
    """Why it abstained, with words for a reason that was not given; empty when it did not abstain."""
    if not plane.abstained:
        return ""
    return sentence(plane.reason) or "the picture is too unlike the planes the model knows"


def subplane(analysis: Analysis) -> str:
    """The sub-plane in words, such as "trans-thalamic 70.1 %"; empty where there is none or it abstained."""
    found = analysis.subplane
    return "" if found is None or found.abstained or not found.scores else _candidates(found, 0, 1)


def given(found: AgeEstimate | None) -> AgeEstimate | None:
    """The age, unless there is none or it abstained."""
    return None if found is None or found.abstained else found


def ages(analysis: Analysis) -> list[tuple[str, AgeEstimate, str]]:
    """Every age that was given: what it is called, the age, what its own interval is called.

    The prompted one first. Each bears its name where the other one is there too: they are never made one.
    """
    found = []
    prompted, measured = given(analysis.age), given(analysis.biometry_age)
    if prompted is not None:
        found.append(("age by prompts" if measured else "age", prompted, MODEL_ALONE))
    if measured is not None:
        found.append(("age by measured head", measured, MEASURE_ALONE))
    return found


def span(low: float | None, high: float | None) -> str:
    """An interval of ages, such as "18w5d to 22w0d"; a missing bound is "?"."""
    return " to ".join("?" if days is None else age_text(days) for days in (low, high))


def age(analysis: Analysis) -> tuple[str, ...]:
    """Each age with the interval a user needs, and its own, each by its name; empty where there is no age.

    Example: "age 20w2d, 18w5d to 22w0d with the spread of healthy heads", "19w2d to 21w2d the model alone (90 %)"
    """
    told = []
    for name, found, alone in ages(analysis):
        told.append(f"{name} {age_text(found.days or 0)}, {span(found.low, found.high)} {WITH_SPREAD}")
        if found.model_low is not None or found.model_high is not None:
            told.append(f"{span(found.model_low, found.model_high)} {alone} ({100 * found.level:.0f} %)")
    return tuple(told)


def amount(one: Measurement) -> str:
    """The value with its unit; "not measured" where it was refused.

    mm, pixels and percent to one decimal, g whole, a ratio to three digits.
    """
    if one.value is None:
        return "not measured"
    if not one.unit:
        return f"{one.value:#.3g}"
    return f"{one.value:.{0 if one.unit == 'g' else 1}f} {printable(one.unit)}"


def between(one: Measurement) -> str:
    """The interval in the measure's unit, such as "172.9 to 177.5"; empty where there is none."""
    if one.value is None or one.low is None or one.high is None:
        return ""
    return " to ".join(f"{bound:.{0 if one.unit == 'g' else 1}f}" for bound in (one.low, one.high))


def known_age(found: IndependentAge) -> str:
    """An age known without the pictures and its source, such as "20w3d, DICOM LMP"."""
    return f"{age_text(found.days)}, {found.source}"


def centile(one: Measurement) -> str:
    """The centile and its chart, such as "42nd centile (WHO 2017 V3)"; empty where there is none.

    An age that nobody gave, but a header, is told: "42nd centile (WHO 2017 V3; 20w3d, DICOM LMP)".
    """
    found = one.centile_value
    if one.value is None or found is None or not math.isfinite(found):
        return ""
    by = known_age(one.age) if one.age is not None and one.age.source in HEADER_SOURCES else ""
    words = "; ".join(filter(None, (sentence(one.reference or ""), by)))
    chart = f" ({words})" if words else ""
    if not 1 <= found <= 99:
        return f"{'below the 1st' if found < 1 else 'above the 99th'} centile{chart}"
    whole = round(found)
    end = "th" if whole in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(whole % 10, "th")
    return f"{whole}{end} centile{chart}"


def measure(one: Measurement) -> str:
    """One measure in words, such as "BPD 48.1 mm outer-outer (47.2 to 49.0)".

    Only the BPD says from where to where: it is in use as outer-inner too. The unit says where it is pixels.
    """
    parts = [f"{sentence(one.name)} {amount(one)}"]
    parts += [sentence(one.definition)] if one.name == "BPD" and one.definition else []
    parts += [f"({between(one)})"] if between(one) else []
    return ", ".join(filter(None, (" ".join(parts), centile(one))))


def measures(taken: Sequence[Measurement]) -> tuple[str, ...]:
    """The measures that were not refused, in words, one each; the last says what their intervals hold."""
    found = [one for one in taken if one.value is not None]
    told = [measure(one) for one in found]
    if said := levels(found):
        told[-1] += f" [{said} intervals]"
    return tuple(told)


def levels(taken: Sequence[Measurement]) -> str:
    """What the intervals of the measures hold, such as "90 %"; empty where none has one."""
    return " and ".join(dict.fromkeys(f"{100 * one.level:.0f} %" for one in taken if between(one)))


def limits(taken: Sequence[Measurement]) -> list[str]:
    """Why measures were refused ("no HC, BPD: cut by the sector's edge") and what limits others, each reason once."""
    told: dict[tuple[bool, str], list[str]] = {}
    for one in taken:
        refused = one.value is None
        for why in [sentence(one.note) or "refused"] if refused else sentence(one.note).split("; "):
            if why:
                told.setdefault((refused, why), []).append(sentence(one.name))
    return [f"{'no ' if refused else ''}{', '.join(names)}: {why}" for (refused, why), names in told.items()]


def other_warnings(analysis: Analysis) -> list[str]:
    """The warnings for the eye, each once, and what limits the measures.

    Without the one that repeats the reason for abstaining, and without those that a plane other than the head has no
    age and another than the four-chamber view no heart to judge, where the plane is there to be read.
    """
    said = reason(analysis.plane) if analysis.plane else ""
    taken = analysis.biometry or ()
    known = {sentence(one.name) for one in taken}
    told = [w for w in dict.fromkeys(sentence(w) for w in analysis.warnings) if w and w != said]
    told = [w for w in told if not _of_measures(w, known)]
    shown = (f"no age: {NOT_A_HEAD}", f"no heart: {NOT_FOUR_CHAMBERS}")
    told = [w for w in told if analysis.plane is None or not w.startswith(shown)]
    return told + limits(taken)


def _of_measures(warning: str, known: set[str]) -> bool:
    """Whether a warning only says what the measures themselves say: "no HC: why", "HC, BPD: what limits them"."""
    match = re.match(r"(?:no )?([^:]{1,80}): ", warning)
    return match is not None and bool(known) and set(match[1].split(", ")) <= known


def finding(analysis: Analysis) -> str:
    """What was found, in one line without the file's name."""
    if analysis.error is not None:
        return f"failed: {sentence(analysis.error)}"
    plane = analysis.plane
    more = (*age(analysis), *measures(analysis.measured))
    if plane is None or not plane.scores:
        return "; ".join(more) or "no plane asked for"
    if plane.abstained:
        closest = f"abstained: {reason(plane)} (closest: {_candidates(plane, 0, 1)})"
        return "; ".join((closest, *measures(analysis.measured)))
    others = _candidates(plane, 1, 3)
    first = _candidates(plane, 0, 1) + (f" (then {others})" if others else "")
    return "; ".join([first + (f", {sub}" if (sub := subplane(analysis)) else ""), *more])


def exam_name(found: Exam, short: bool = False) -> str:
    """An exam by its folder, of which ``short`` takes the last part, and by which of its exams it is."""
    folder = file_name(found.path) if short else printable(found.path)
    return ", ".join(filter(None, (folder, found.part)))


def exam(found: Exam) -> list[str]:
    """An exam in lines of words: what it shows, age, measures, ratios, weight, warnings."""
    name = f"exam {exam_name(found) or 'without a name'}"
    if found.refused:
        return [f"{name}: refused", *(f"warning: {sentence(warning)}" for warning in found.warnings)]
    shows = ", ".join(f"{plane_name(plane)} {count}" for plane, count in found.coverage.items())
    taken = [*found.measures, *([found.efw] if found.efw else [])]
    told = [f"{name}: {shows or 'no plane named'}"]
    told += [] if found.age is None else [f"age known without the pictures: {known_age(found.age)}"]
    sizes = [one for one in found.measures if one.unit]
    ratios = [one for one in found.measures if not one.unit]
    told += ["; ".join(words) for words in (measures(sizes), measures(ratios)) if words]
    if found.efw is not None:
        told.append(f"{measure(found.efw)} by {sentence(found.efw.definition)}")
    return told + [f"warning: {warning}" for warning in [*map(sentence, found.warnings), *limits(taken)]]


def line(analysis: Analysis) -> str:
    """One line about one file, for a terminal: path, finding, warnings. Plain text, no colour, no line break.

    Example: ``scans/a.png: brain 98.0 % (then abdomen 1.1 %, thorax 0.6 %)``
    """
    where = printable(analysis.input.path) or "picture"
    warnings = "".join(f" [warning: {warning}]" for warning in other_warnings(analysis))
    return f"{where}: {finding(analysis)}{warnings}"


def _candidates(plane: PlaneScores, start: int, stop: int) -> str:
    return ", ".join(f"{plane_name(name)} {percent(share)}" for name, share in plane.top(stop)[start:])
