"""Arithmetic of ellipses and ratios: what turns diameters into circumferences, and sizes into proportions.

Works on numbers, numpy arrays and pandas Series alike: nothing but arithmetic is done to them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fetalclip.errors import BadValue

RATIOS: Mapping[str, tuple[str, str]] = {
    "HC/AC": ("HC", "AC"),
    "FL/AC": ("FL", "AC"),
    "FL/BPD": ("FL", "BPD"),
    "FL/HC": ("FL", "HC"),
}


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
