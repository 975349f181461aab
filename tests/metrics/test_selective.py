"""Risk and coverage by hand, and against drawn answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fetalclip import metrics
from fetalclip.errors import UsageError

P = np.array([0.5, 0.9, 0.7, 0.6])
RIGHT = np.array([True, True, False, True])


def test_the_curve_by_hand() -> None:
    curve = metrics.risk_coverage_curve(P, RIGHT)
    assert [point.threshold for point in curve] == [0.9, 0.7, 0.6, 0.5]
    assert [point.coverage for point in curve] == [0.25, 0.5, 0.75, 1.0]
    assert [point.risk for point in curve] == pytest.approx([0, 1 / 2, 1 / 3, 1 / 4])
    assert curve[-1].to_dict() == {"threshold": 0.5, "coverage": 1.0, "risk": pytest.approx(0.25)}
    assert metrics.area_under_risk_coverage(P, RIGHT) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)


def test_answers_of_one_probability_are_kept_together() -> None:
    p, right = np.array([0.8, 0.8, 0.4]), np.array([False, True, True])
    curve = metrics.risk_coverage_curve(p, right)
    assert [(point.coverage, point.risk) for point in curve] == [(2 / 3, 0.5), (1.0, 1 / 3)]
    area = metrics.area_under_risk_coverage(p, right)
    assert area == metrics.area_under_risk_coverage(p[[1, 0, 2]], right[[1, 0, 2]])
    assert area == pytest.approx((0.5 + 0.5 + 1 / 3) / 3)


def test_a_good_order_is_worth_something_and_a_random_one_nothing() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0, 1, 4000)
    right = rng.random(4000) < p
    wrong = 1 - right.mean()
    assert metrics.area_under_risk_coverage(p, right) < 0.6 * wrong
    assert metrics.area_under_risk_coverage(rng.permutation(p), right) == pytest.approx(wrong, abs=0.03)


def test_a_long_curve_is_thinned_and_keeps_its_end() -> None:
    rng = np.random.default_rng(1)
    p = rng.uniform(0, 1, 1000)
    right = rng.random(1000) < p
    curve = metrics.risk_coverage_curve(p, right, points=50)
    assert len(curve) == 50
    assert (curve[-1].coverage, curve[-1].risk) == (1.0, pytest.approx(1 - right.mean()))
    coverage = [point.coverage for point in curve]
    assert coverage == sorted(coverage)


def test_nothing_and_what_is_no_probability() -> None:
    nothing = np.array([]), np.array([], dtype=bool)
    assert metrics.risk_coverage_curve(*nothing) == ()
    assert math.isnan(metrics.area_under_risk_coverage(*nothing))
    with pytest.raises(UsageError, match="probability"):
        metrics.risk_coverage_curve(np.array([1.2]), np.array([True]))
    with pytest.raises(UsageError, match="shape"):
        metrics.area_under_risk_coverage(P, RIGHT[:2])
