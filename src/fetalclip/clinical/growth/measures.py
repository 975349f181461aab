"""The measures: their units, what can be meant, and the ways they are taken."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from fetalclip.errors import BadValue


@dataclass(frozen=True)
class Measure:
    """One size of the fetus.

    Attributes:
        name: short, as in ``HC``.
        title: in words.
        unit: ``mm`` or ``g``.
        low, high: what can be meant at all, in that unit; far outside every chart on both sides.
        definitions: the ways it is taken; centiles are never given across them.
    """

    name: str
    title: str
    unit: str
    low: float
    high: float
    definitions: tuple[str, ...]


MEASURES: Mapping[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("HC", "head circumference", "mm", 40, 450, ("outer",)),
        Measure("BPD", "biparietal diameter", "mm", 11, 130, ("outer-inner", "outer-outer")),
        Measure("OFD", "occipitofrontal diameter", "mm", 15, 160, ("outer-outer",)),
        Measure("AC", "abdominal circumference", "mm", 35, 500, ("outer",)),
        Measure("FL", "femur length", "mm", 4, 100, ("diaphysis",)),
        Measure("HL", "humerus length", "mm", 4, 90, ("diaphysis",)),
        Measure("TCD", "transcerebellar diameter", "mm", 7, 75, ("outer-outer",)),
        Measure("CRL", "crown-rump length", "mm", 2, 130, ("crown-rump",)),
        Measure("EFW", "estimated fetal weight", "g", 10, 7000, ()),  # its definition is the formula
    )
}

_FACTOR = {"": 1.0, "mm": 1.0, "cm": 10.0, "g": 1.0, "kg": 1000.0}
_SIZE = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf|-inf)\s*(?P<unit>mm|cm|g|kg)?", re.I)


@dataclass(frozen=True)
class Size:
    """One size as given: in mm (g for EFW), with the way it was taken where that was said."""

    measure: str
    value: float
    definition: str | None = None

    @property
    def unit(self) -> str:
        """``mm`` or ``g``."""
        return MEASURES[self.measure].unit


def find(name: str) -> Measure:
    """The measure of that name, in upper or lower case.

    Raises:
        BadValue: there is none.
    """
    known = MEASURES.get(name.strip().upper())
    if known is None:
        near = get_close_matches(name.strip().upper(), MEASURES, n=1)
        fix = f"{near[0]}=..." if near else "HC=175"
        raise BadValue(f"unknown measure {name.strip()[:40]!r}", f"one of {', '.join(MEASURES)}", fix)
    return known


def parse_size(text: str) -> Size:
    """A size written as ``HC=175``, ``HC=17.5cm`` or ``BPD=47:outer-outer``.

    Raises:
        BadValue: it is not of that form, or cannot be meant.
    """
    name, equals, rest = text.partition("=")
    if not equals:
        raise BadValue(f"{text[:40]!r} is not a measure with its size", "NAME=MM", "HC=175 FL=32")
    measure = find(name)
    number, colon, definition = rest.partition(":")
    said = definition.strip().lower()
    if colon and said not in measure.definitions:
        ways = " or ".join(measure.definitions) or "no definition with this measure"
        raise BadValue(f"{measure.name} taken {said!r}", ways, f"{measure.name}={number}")
    return Size(measure.name, parse_number(measure, number), said or None)


def parse_number(measure: Measure, text: str) -> float:
    """mm (g for EFW) of ``175``, ``175mm`` or ``17.5cm``.

    Raises:
        BadValue: no number, or one that cannot be meant.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise BadValue(
            f"{measure.name}={text.strip()[:40]} is not a number",
            f"a size in {measure.unit}, with a decimal point",
            f"{measure.name}={_typical(measure)}",
        )
    unit = (match["unit"] or "").lower()
    if unit and (unit in ("g", "kg")) != (measure.unit == "g"):
        raise BadValue(f"{measure.name} in {unit}", f"{measure.unit}", f"{measure.name}={_typical(measure)}")
    value = float(match["number"]) * _FACTOR[unit]
    check(measure, value)
    return value


def check(measure: Measure, value: float) -> None:
    """Stop at a size that cannot be meant, and ask about the unit where another would explain it.

    Raises:
        BadValue: not a number, not positive, or outside ``low`` to ``high``.
    """
    if measure.low <= value <= measure.high:
        return
    name, unit = measure.name, measure.unit
    larger, factor = ("kilograms", 1000.0) if unit == "g" else ("centimetres", 10.0)
    found = f"{name} = {value:g} {unit}"
    expected = f"{measure.low:g} to {measure.high:g} {unit}"
    fix = f"{name}={_typical(measure)}"
    if not math.isfinite(value):
        found = f"{name} = {value:g} is not a size"
    elif value <= 0:
        found += " is not above zero"
    elif measure.low <= value * factor <= measure.high and value < measure.low:
        found += f" is too small for {unit} (were {larger} meant?)"
        fix = f"{name}={value * factor:g}"
    elif value < measure.low:
        found += " is too small"
    else:
        found += " is too large"
        if unit == "mm" and measure.low <= value / 10.0 <= measure.high:
            found += " (were tenths of a millimetre meant?)"
            fix = f"{name}={value / 10.0:g}"
    raise BadValue(found, expected, fix)


def _typical(measure: Measure) -> str:
    """An example to type."""
    return {"HC": "175", "BPD": "47", "OFD": "60", "AC": "150", "FL": "32", "HL": "31", "TCD": "21", "CRL": "60"}.get(
        measure.name, "1200"
    )
