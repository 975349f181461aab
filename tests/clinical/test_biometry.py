"""Ellipses and ratios, against the integral and the reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetalclip.clinical import growth
from fetalclip.clinical.biometry import (
    BIOMETRICS,
    cephalic_index,
    ellipse_circumference,
    ellipse_circumference_1,
    fl_ac,
    hc_ac,
    mean_diameter_circumference,
    ratio,
)
from fetalclip.errors import BadValue


def integral(first: float, second: float, steps: int = 4096) -> float:
    """Circumference by the trapezoid rule, which converges faster than any power on a closed curve."""
    t = np.arange(steps) * 2 * math.pi / steps
    return float(np.hypot(first / 2 * np.sin(t), second / 2 * np.cos(t)).sum() * 2 * math.pi / steps)


def error(found: float, index: float = 78.0) -> float:
    true = integral(index, 100.0)
    return found / true - 1.0


def test_ramanujan_at_the_shape_of_a_head() -> None:
    assert abs(error(ellipse_circumference(78.0, 100.0))) < 1e-13  # published: -6e-15
    assert error(ellipse_circumference_1(78.0, 100.0)) == pytest.approx(-7e-9, rel=0.1)


@pytest.mark.parametrize(("index", "percent"), [(70.0, -0.77), (78.0, -0.38), (86.0, -0.14)])
def test_the_mean_diameter_falls_short(index: float, percent: float) -> None:
    assert 100 * error(mean_diameter_circumference(index, 100.0), index) == pytest.approx(percent, abs=0.006)


@given(st.floats(5, 150), st.floats(5, 150))
def test_axes_may_be_swapped_and_a_circle_is_one(first: float, second: float) -> None:
    assert ellipse_circumference(first, second) == pytest.approx(ellipse_circumference(second, first), rel=1e-14)
    assert ellipse_circumference(first, first) == pytest.approx(math.pi * first, rel=1e-14)
    assert ellipse_circumference(first, second) >= mean_diameter_circumference(first, second) * (1 - 1e-14)


def test_ratios() -> None:
    assert cephalic_index(78.0, 100.0) == 78.0
    assert hc_ac(175.0, 150.0) == pytest.approx(1.1667, abs=5e-5)
    assert fl_ac(32.0, 150.0) == pytest.approx(0.2133, abs=5e-5)
    assert ratio(32.0, 47.0) == pytest.approx(0.681, abs=5e-4)


def test_a_cephalic_index_needs_outer_outer() -> None:
    with pytest.raises(BadValue, match="outer-inner"):
        cephalic_index(78.0, 100.0, "outer-inner")


@pytest.mark.parametrize("size", [0.0, -1.0, math.nan, math.inf])
def test_sizes_above_zero(size: float) -> None:
    with pytest.raises(BadValue, match="above zero"):
        ellipse_circumference(size, 100.0)


def test_measures_with_charts_are_those_of_the_charts() -> None:
    charted = {name: one for name, one in BIOMETRICS.items() if name in growth.MEASURES}
    assert charted.keys() == {"HC", "BPD", "OFD", "AC", "FL"}
    for name, one in charted.items():
        chart = growth.MEASURES[name]
        assert (one.low, one.high, one.unit, one.title) == (chart.low, chart.high, chart.unit, chart.title)
        assert one.definition in chart.definitions


def test_columns() -> None:
    found = ellipse_circumference(np.array([78.0, 100.0]), np.array([100.0, 100.0]))
    assert found == pytest.approx([ellipse_circumference(78.0, 100.0), math.pi * 100.0])
