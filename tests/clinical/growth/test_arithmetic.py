"""One number and arrays: the same functions, against Python's own normal distribution."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetalclip.clinical.growth.arithmetic import ONE, many, polynomial, power


@given(st.floats(1e-300, 1, exclude_max=True))
def test_quantile(p: float) -> None:
    expected = NormalDist().inv_cdf(p)
    assert ONE.quantile(p) == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert many().quantile(np.array([p]))[0] == pytest.approx(expected, rel=1e-12, abs=1e-15)


@given(st.floats(-38, 38))
def test_cdf(z: float) -> None:
    assert ONE.cdf(z) == 0.5 * math.erfc(-z / math.sqrt(2))
    assert many().cdf(np.array([[z]]))[0, 0] == ONE.cdf(z)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, 1.1, math.nan])
def test_no_quantile_outside_zero_to_one(p: float) -> None:
    assert math.isnan(ONE.quantile(p))
    assert np.isnan(many().quantile(np.array([p, 0.5]))).tolist() == [True, False]


@pytest.mark.parametrize("x", [-3.0, 0.0, 0.3, 1.0, 7.0])
def test_both_alike(x: float) -> None:
    column = np.array([x])
    for name in ("clip", "nonzero", "positive"):
        assert getattr(many(), name)(column)[0] == getattr(ONE, name)(x)
    assert many().where(column > 0, column)[0] == pytest.approx(ONE.where(x > 0, x), nan_ok=True)


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0, 4.0, 0.5, -2.0, 5.0])
def test_power(exponent: float) -> None:
    assert power(20.5, exponent) == pytest.approx(20.5**exponent, rel=1e-15)


def test_polynomial() -> None:
    assert polynomial((2.0, 3.0, 5.0), 10.0) == 235.0
