"""Formulas as data: what they say, and what is no formula."""

from __future__ import annotations

import math

import pytest

from fetalclip.clinical.growth.arithmetic import ONE
from fetalclip.clinical.growth.formula import Formula


@pytest.mark.parametrize(
    ("data", "values", "expected"),
    [
        ({"terms": {"1": 2.0, "t^2": 3.0, "t^3 ln(t)^2": -0.5}}, {"t": 2.0}, 2 + 12 - 4 * math.log(2) ** 2),
        ({"terms": {"HC FL": 0.07}, "scale": {"HC": 0.1, "FL": 0.1}}, {"HC": 175.0, "FL": 32.0}, 0.07 * 17.5 * 3.2),
        ({"terms": {"1": 1.0}, "link": "exp"}, {}, math.e),
        ({"terms": {"x^0.5": 1.0}, "link": "log10"}, {"x": 4.0}, 100.0),
        ({"terms": {"ln(x)": 2.0}, "scale": {"x": 0.01}}, {"x": 250.0}, 2 * math.log(2.5)),
        ({"terms": {"t^-2": 8.0}}, {"t": 2.0}, 2.0),
    ],
)
def test_value(data: dict, values: dict[str, float], expected: float) -> None:
    formula = Formula.read(data)
    assert formula(values, ONE) == pytest.approx(expected, rel=1e-14)
    assert formula.variables == set(values)


@pytest.mark.parametrize("terms", [{"t**2": 1.0}, {"ln t": 1.0, "ln(t": 1.0}, {"t^x": 1.0}, {"__import__('os')": 1.0}])
def test_no_term(terms: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="unreadable term"):
        Formula.read({"terms": terms})


def test_no_link() -> None:
    with pytest.raises(ValueError, match="unknown link"):
        Formula.read({"terms": {"1": 1.0}, "link": "eval"})
