"""Agreement against hand counts and the published formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fetalclip import metrics
from fetalclip.errors import UsageError

TRUTH = np.array([100.0, 120.0, 140.0, 160.0])
ESTIMATE = np.array([102.0, 121.0, 143.0, 158.0])  # differences 2, 1, 3, -2
GROUPS = ["a", "b", "c", "d"]


def test_by_hand() -> None:
    found = metrics.bland_altman(ESTIMATE, TRUTH, GROUPS)
    sd = math.sqrt((1 + 0 + 4 + 9) / 3)
    assert found.bias.value == 1.0
    assert found.sd == pytest.approx(sd)
    assert found.low.value == pytest.approx(1 - 1.959964 * sd, abs=1e-6)
    assert found.high.value == pytest.approx(1 + 1.959964 * sd, abs=1e-6)
    slope = np.polyfit((ESTIMATE + TRUTH) / 2, ESTIMATE - TRUTH, 1)[0]
    assert found.slope.value == pytest.approx(slope)
    assert metrics.mean_absolute_error(ESTIMATE, TRUTH, GROUPS).value == 2.0


def test_intervals_of_independent_rows_are_those_of_the_formulas() -> None:
    # SE of the bias SD/sqrt(n); of a limit SD * sqrt(1/n + 1.96^2 / (2 (n - 1)))
    n, rng = 400, np.random.default_rng(3)
    truth = rng.uniform(100, 270, n)
    found = metrics.bland_altman(truth + rng.normal(4, 10, n), truth, list(range(n)), n=2000)
    half = 1.96 * found.sd / math.sqrt(n)
    assert (found.bias.high - found.bias.low) / 2 == pytest.approx(half, rel=0.1)
    wide = 1.96 * found.sd * math.sqrt(1 / n + 1.96**2 / (2 * (n - 1)))
    for limit in (found.low, found.high):
        assert (limit.high - limit.low) / 2 == pytest.approx(wide, rel=0.12)
    assert found.slope.low < 0 < found.slope.high


def test_patients_widen_the_intervals_and_a_proportional_bias_is_seen() -> None:
    rng = np.random.default_rng(4)
    truth = np.repeat(rng.uniform(100, 270, 40), 5)
    off = np.repeat(rng.normal(0, 10, 40), 5)  # all pictures of a patient are off by the same
    single, grouped = (
        metrics.bland_altman(truth + off, truth, groups) for groups in (range(200), np.repeat(range(40), 5).tolist())
    )
    assert grouped.bias.high - grouped.bias.low > 1.7 * (single.bias.high - single.bias.low)
    assert grouped.low.high - grouped.low.low > 1.4 * (single.low.high - single.low.low)
    tilted = metrics.bland_altman(1.1 * truth - 17, truth, range(200))
    assert tilted.slope.low > 0


def test_coverage_and_width() -> None:
    low, high = np.array([90.0, 121.0, 130.0, np.nan]), np.array([100.0, 130.0, 150.0, np.nan])
    assert metrics.covered(TRUTH, low, high).tolist() == [True, False, True, False]
    found = metrics.interval_coverage(TRUTH, low, high, GROUPS)
    assert (found.value, found.n, found.groups) == (0.5, 4, 4)
    assert metrics.interval_width(low[:3], high[:3], GROUPS[:3]).value == pytest.approx((10 + 9 + 20) / 3)
    always = metrics.interval_coverage(TRUTH, TRUTH, TRUTH, GROUPS)
    assert (always.value, always.high) == (1.0, 1.0)
    assert always.low < 0.6  # four patients prove little


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: metrics.covered(TRUTH, TRUTH + 1, TRUTH), "row 0"),
        (lambda: metrics.covered(TRUTH, TRUTH, TRUTH[:2]), "shape"),
        (lambda: metrics.bland_altman(ESTIMATE, TRUTH[:3], GROUPS), "shape"),
        (lambda: metrics.bland_altman(np.array([np.nan]), np.array([1.0]), ["a"]), "no number"),
        (lambda: metrics.bland_altman(ESTIMATE, TRUTH, GROUPS[:2]), "2 groups"),
    ],
)
def test_what_does_not_fit_is_told(call, says) -> None:
    with pytest.raises(UsageError, match=says):
        call()


def test_one_patient_or_one_row_has_no_interval_and_no_warning() -> None:
    one = metrics.bland_altman(ESTIMATE[:1], TRUTH[:1], ["a"])
    assert one.bias.value == 2.0
    assert math.isnan(one.sd)
    assert math.isnan(one.bias.low)
    same = metrics.bland_altman(np.array([3.0, 3.0]), np.array([1.0, 1.0]), ["a", "b"])
    assert (same.low.value, same.high.value) == (2.0, 2.0)
    assert math.isnan(same.slope.value)
