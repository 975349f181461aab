"""Measures taken of a picture, and the arithmetic of ellipses and ratios that turns diameters into them.

The arithmetic works on numbers, numpy arrays and pandas Series alike: nothing else is done to them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fetalclip.errors import BadValue

RATIOS: Mapping[str, tuple[str, str]] = {
    "HC/AC": ("HC", "AC"),
    "FL/AC": ("FL", "AC"),
    "FL/BPD": ("FL", "BPD"),
    "FL/HC": ("FL", "HC"),
}


@dataclass(frozen=True)
class Biometric:
    """One measure taken of the structures in one picture.

    Attributes:
        name: its symbol.
        title: in words.
        structures: what must be seen; the first is what is measured.
        kind: ``circumference``, ``long`` or ``short`` (diameter of the ellipse), ``front-back`` or ``across`` (the
            ellipse's diameter nearer to that direction), ``length`` (between the two ends of a shaft), ``index``
            (short over long diameter) or ``share`` (circumference of the first over that of the second).
        definition: from where to where.
        low, high: what can be meant, in ``unit``; of a measure with charts the same as theirs.
        unit: ``mm``, or ``%`` of an index.
        guides: structures of which one must be seen as well: they tell the direction.
    """

    name: str
    title: str
    structures: tuple[str, ...]
    kind: str
    definition: str
    low: float
    high: float
    unit: str = "mm"
    guides: tuple[str, ...] = ()


_ABDOMEN = (10.0, 170.0, "mm", ("spine", "stomach"))

BIOMETRICS: Mapping[str, Biometric] = {
    one.name: one
    for one in (
        Biometric("HC", "head circumference", ("head",), "circumference", "outer", 40, 450),
        Biometric("BPD", "biparietal diameter", ("head",), "short", "outer-outer", 11, 130),
        Biometric("OFD", "occipitofrontal diameter", ("head",), "long", "outer-outer", 15, 160),
        Biometric("CI", "cephalic index", ("head",), "index", "outer-outer", 55, 100, "%"),
        Biometric("AC", "abdominal circumference", ("abdomen",), "circumference", "outer", 35, 500),
        Biometric("TAD", "transverse abdominal diameter", ("abdomen",), "across", "outer-outer", *_ABDOMEN),
        Biometric("APAD", "anteroposterior abdominal diameter", ("abdomen",), "front-back", "outer-outer", *_ABDOMEN),
        Biometric("FL", "femur length", ("femur",), "length", "diaphysis", 4, 100),
        Biometric("TC", "thoracic circumference", ("thorax",), "circumference", "outer", 35, 450),
        Biometric("CC", "cardiac circumference", ("heart",), "circumference", "outer", 15, 300),
        Biometric("CTR", "cardiothoracic ratio", ("heart", "thorax"), "share", "circumferences, outer", 20, 95, "%"),
    )
}
"""Every measure that can be taken of masks, by symbol. BPD and OFD are the diameters of the ellipse about the head."""


def ellipse_circumference(first: Any, second: Any) -> Any:
    """Circumference of an ellipse from its two full diameters, in their unit, by Ramanujan's second formula.

    The relative error is below 1e-14 at the shape of a head (against the integral). Ramanujan, "Modular equations
    and approximations to pi", Quart. J. Math. 1914;45:350-372.

    Raises:
        BadValue: a single diameter that is not above zero.
    """
    _above_zero(first, second)
    a, b = first / 2.0, second / 2.0  # semi-axes
    h = ((a - b) / (a + b)) ** 2
    return math.pi * (a + b) * (1.0 + 3.0 * h / (10.0 + (4.0 - 3.0 * h) ** 0.5))


def ellipse_circumference_1(first: Any, second: Any) -> Any:
    """The same by Ramanujan's first formula: 7e-9 short at the shape of a head."""
    _above_zero(first, second)
    a, b = first / 2.0, second / 2.0
    return math.pi * (3.0 * (a + b) - ((3.0 * a + b) * (a + 3.0 * b)) ** 0.5)


def mean_diameter_circumference(first: Any, second: Any) -> Any:
    """pi times the mean diameter, as printed on many machines: 0.38 % short at a cephalic index of 78."""
    _above_zero(first, second)
    return math.pi * (first + second) / 2.0


def cephalic_index(bpd: Any, ofd: Any, bpd_definition: str = "outer-outer") -> Any:
    """100·BPD/OFD, both outer-outer.

    Raises:
        BadValue: the BPD was taken otherwise, or a single diameter is not above zero.
    """
    if bpd_definition != "outer-outer":
        raise BadValue(f"a cephalic index of a BPD taken {bpd_definition}", "a BPD taken outer-outer")
    _above_zero(bpd, ofd)
    return 100.0 * bpd / ofd


def hc_ac(hc: Any, ac: Any) -> Any:
    """HC/AC, a plain ratio."""
    return ratio(hc, ac)


def fl_ac(fl: Any, ac: Any) -> Any:
    """FL/AC, a plain ratio; about 0.20 to 0.24 after 22 weeks."""
    return ratio(fl, ac)


def ratio(first: Any, second: Any) -> Any:
    """One size over another.

    Raises:
        BadValue: a single size that is not above zero.
    """
    _above_zero(first, second)
    return first / second


def _above_zero(*sizes: Any) -> None:
    for size in sizes:
        if isinstance(size, (int, float)) and not 0.0 < size < math.inf:
            raise BadValue(f"a size of {size:g}", "a number above zero, mm")
