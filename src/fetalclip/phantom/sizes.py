"""Sizes of the simulated fetus at a gestational age, and ellipse geometry. Lengths in mm.

Medians: WHO fetal growth charts (Kiserud et al., PLoS Med 2017;14:e1002220, revised coefficients V3 of
13 March 2023), ln y = sum of b_i t^i, t in weeks, 14 to 40. They set the scale of the drawings only; what a
drawing shows is told exactly in its ``truth``.
"""

from __future__ import annotations

import math

_MEDIAN = {
    "hc": (2.09924879247164, 0.253373656106037, -0.00605647816678282, 5.14256072059917e-5),
    "ac": (1.58552931028045, 0.289936781915424, -0.00732651929135797, 6.9261631643994e-5),
    "fl": (-5.54922620776446, 1.09559990166124, -0.0501310925949098, 0.0010678072569586, -8.63970606288493e-6),
}


def median(measure: str, weeks: float) -> float:
    """The 50th centile of "hc", "ac" or "fl" at an age of 14 to 40 weeks, mm."""
    return math.exp(sum(b * weeks**i for i, b in enumerate(_MEDIAN[measure])))


def perimeter(d1: float, d2: float) -> float:
    """Perimeter of an ellipse with diameters d1 and d2 (Ramanujan's second formula)."""
    a, b = d1 / 2, d2 / 2
    h = ((a - b) / (a + b)) ** 2
    return math.pi * (a + b) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))


def diameters(around: float, ratio: float) -> tuple[float, float]:
    """The (long, short) diameters of an ellipse of a given perimeter with short / long = ``ratio``."""
    long = around / perimeter(1.0, ratio)
    return long, long * ratio
