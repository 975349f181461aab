"""Sizes of the simulated fetus at a gestational age, and ellipse geometry. Lengths in mm.

Medians of the WHO chart (``fetalclip.clinical.growth``). They set the scale of the drawings only; what a drawing
shows is told exactly in its ``truth``.
"""

from __future__ import annotations

from fetalclip.clinical.biometry import ellipse_circumference
from fetalclip.clinical.growth import chart


def median(measure: str, weeks: float) -> float:
    """The 50th centile of "hc", "ac" or "fl" at an age of 14 to 40 weeks, mm."""
    size = chart(f"who-2017-v3-{measure}").size(7.0 * weeks)
    if size is None:
        raise ValueError(f"{weeks} weeks is outside the WHO chart")
    return float(size)


def perimeter(d1: float, d2: float) -> float:
    """Perimeter of an ellipse with diameters d1 and d2 (Ramanujan's second formula)."""
    return float(ellipse_circumference(d1, d2))


def diameters(around: float, ratio: float) -> tuple[float, float]:
    """The (long, short) diameters of an ellipse of a given perimeter with short / long = ``ratio``."""
    long = around / perimeter(1.0, ratio)
    return long, long * ratio
