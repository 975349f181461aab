"""The factor that makes of a spread an interval holds the truth as often as it says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fetalclip.caliper import FLOOR, calibrate_widen, spread_of
from fetalclip.errors import BadValue


def test_spread_is_the_distance_from_the_measure_itself() -> None:
    assert spread_of(100.0, [101.0, 103.0]) == pytest.approx(math.sqrt(5.0))
    assert spread_of(100.0, [100.0, 100.0]) == FLOOR
    assert spread_of(100.0, [101.0]) is None


def test_coverage_on_new_pictures() -> None:
    rng = np.random.default_rng(1)
    wide = rng.uniform(0.3, 3.0, 4000)
    off = wide * rng.standard_t(3, 4000)  # heavy tails: no normal theory
    for level in (0.5, 0.9):
        factor = calibrate_widen(wide[:2000].tolist(), off[:2000].tolist(), level)
        assert np.mean(np.abs(off[2000:]) <= factor * wide[2000:]) == pytest.approx(level, abs=0.03)


def test_the_rank_is_the_conformal_one() -> None:
    spreads, errors = [1.0] * 9, [float(k) for k in range(-9, 0)]
    assert calibrate_widen(spreads, errors, 0.9) == 9.0  # the 9th of 9: ceil(10 * 0.9)
    assert calibrate_widen(spreads, errors, 0.5) == 5.0


def test_views_that_agree_fully_do_not_give_an_endless_factor() -> None:
    assert calibrate_widen([0.0] * 20, [0.5] * 20) == pytest.approx(0.5 / FLOOR)


@pytest.mark.parametrize(
    ("spreads", "errors", "level", "what"),
    [
        ([1.0] * 8, [1.0] * 8, 0.9, "at least 9"),
        ([1.0] * 9, [1.0] * 8, 0.9, "one error for each"),
        ([1.0] * 9, [math.nan] * 9, 0.9, "not a number"),
        ([-1.0] * 9, [1.0] * 9, 0.9, "not a number"),
        ([1.0] * 9, [1.0] * 9, 1.0, "below 1"),
    ],
)
def test_what_cannot_be_calibrated(spreads: list[float], errors: list[float], level: float, what: str) -> None:
    with pytest.raises(BadValue, match=what):
        calibrate_widen(spreads, errors, level)
