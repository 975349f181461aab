"""Results in words: the one spelling of names, shares and spacings for terminal, page and drawing."""

from __future__ import annotations

import math
from pathlib import PurePath

from fetalclip.clinical.age import age_text
from fetalclip.result import NOT_A_HEAD, AgeEstimate, Analysis, PlaneScores

WITH_SPREAD, MODEL_ALONE = "with the spread of healthy heads", "the model alone"
"""What the two intervals of an age are called."""


def printable(text: object) -> str:
    """Text that moves no cursor: control characters and undecodable bytes become visible escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text))


def sentence(text: object) -> str:
    """A message as one printable line: every run of white space is one space."""
    return printable(" ".join(str(text).split()))


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


def dated(analysis: Analysis) -> AgeEstimate | None:
    """The age, unless there is none or it abstained."""
    return None if analysis.age is None or analysis.age.abstained else analysis.age


def span(low: float | None, high: float | None) -> str:
    """An interval of ages, such as "18w5d to 22w0d"; a missing bound is "?"."""
    return " to ".join("?" if days is None else age_text(days) for days in (low, high))


def age(analysis: Analysis) -> tuple[str, ...]:
    """The age with the interval a user needs, and the model's own, each by its name; empty where there is no age.

    Example: "age 20w2d, 18w5d to 22w0d with the spread of healthy heads", "19w2d to 21w2d the model alone (90 %)"
    """
    found = dated(analysis)
    if found is None or found.days is None:
        return ()
    model = f"{span(found.model_low, found.model_high)} {MODEL_ALONE} ({100 * found.level:.0f} %)"
    return f"age {age_text(found.days)}, {span(found.low, found.high)} {WITH_SPREAD}", model


def other_warnings(analysis: Analysis) -> list[str]:
    """The warnings for the eye, each once: without the one that repeats the reason for abstaining, and without the
    one that a plane other than the head has no age, where the plane is there to be read."""
    said = reason(analysis.plane) if analysis.plane else ""
    told = [w for w in dict.fromkeys(sentence(w) for w in analysis.warnings) if w and w != said]
    return [w for w in told if analysis.plane is None or not w.startswith(f"no age: {NOT_A_HEAD}")]


def finding(analysis: Analysis) -> str:
    """What was found, in one line without the file's name."""
    if analysis.error is not None:
        return f"failed: {sentence(analysis.error)}"
    plane = analysis.plane
    if plane is None or not plane.scores:
        return "; ".join(age(analysis)) or "no plane asked for"
    if plane.abstained:
        return f"abstained: {reason(plane)} (closest: {_candidates(plane, 0, 1)})"
    others = _candidates(plane, 1, 3)
    first = _candidates(plane, 0, 1) + (f" (then {others})" if others else "")
    return "; ".join([first + (f", {sub}" if (sub := subplane(analysis)) else ""), *age(analysis)])


def line(analysis: Analysis) -> str:
    """One line about one file, for a terminal: path, finding, warnings. Plain text, no colour, no line break.

    Example: ``scans/a.png: brain 98.0 % (then abdomen 1.1 %, thorax 0.6 %)``
    """
    where = printable(analysis.input.path) or "picture"
    warnings = "".join(f" [warning: {warning}]" for warning in other_warnings(analysis))
    return f"{where}: {finding(analysis)}{warnings}"


def _candidates(plane: PlaneScores, start: int, stop: int) -> str:
    return ", ".join(f"{plane_name(name)} {percent(share)}" for name, share in plane.top(stop)[start:])
