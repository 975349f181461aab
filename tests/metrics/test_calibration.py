"""Calibration against hand counts, and against drawn answers whose calibration is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetalclip import metrics
from fetalclip.errors import UsageError

EMPTY = np.array([]), np.array([], dtype=bool)


def drawn(rng: np.random.Generator, n: int, off: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Top answers of three classes; each is right with its own probability less ``off``."""
    p = 1 / 3 + 2 / 3 * rng.beta(2.0, 1.5, n)
    return p, rng.random(n) < p - off


def test_calibration_by_hand() -> None:
    p = np.array([0.9, 0.9, 0.9, 0.9, 0.5, 0.5])
    right = np.array([True, True, True, False, True, False])
    # bin of 0.9: |0.75 - 0.9| * 4/6; bin of 0.5: 0
    assert metrics.expected_calibration_error(p, right) == pytest.approx(0.1)
    assert metrics.expected_calibration_error(np.array([1.0, 1.0]), np.array([True, True])) == 0.0
    assert metrics.expected_calibration_error(np.array([1.0]), np.array([False])) == 1.0
    assert metrics.expected_calibration_error(np.array([0.0]), np.array([False])) == 0.0


def test_nothing_gives_nan_and_no_warning() -> None:
    assert math.isnan(metrics.expected_calibration_error(*EMPTY))
    assert math.isnan(metrics.corrected_calibration_error(*EMPTY))
    assert math.isnan(metrics.brier_score(np.zeros((0, 3)), np.zeros(0, dtype=int)))
    assert metrics.reliability_curve(*EMPTY) == ()


def test_calibration_takes_probabilities_only() -> None:
    with pytest.raises(UsageError, match="probability"):
        metrics.expected_calibration_error(np.array([1.5]), np.array([True]))
    with pytest.raises(UsageError, match="probability"):
        metrics.corrected_calibration_error(np.array([-0.1]), np.array([True]))
    with pytest.raises(UsageError, match="shape"):
        metrics.reliability_curve(np.array([0.5]), np.array([True, False]))


def test_calibration_bins_do_not_cancel_across() -> None:
    # over-confident high, under-confident low: the plain mean gap is 0, the error is not
    p = np.array([0.9] * 10 + [0.3] * 10)
    right = np.array([True] * 7 + [False] * 3 + [True] * 5 + [False] * 5)
    assert metrics.expected_calibration_error(p, right) == pytest.approx(0.2)


@pytest.mark.parametrize("n", [60, 126, 376])
def test_the_correction_takes_bias_away_where_calibration_is_perfect(n: int) -> None:
    rng = np.random.default_rng(n)
    answers = [drawn(rng, n) for _ in range(200)]
    plain = np.mean([metrics.expected_calibration_error(*a) for a in answers])
    corrected = np.mean([metrics.corrected_calibration_error(*a) for a in answers])
    # The true error is 0, so both means are bias.
    assert 0 <= corrected < 0.75 * plain


def test_the_correction_does_not_take_a_real_error_away() -> None:
    rng = np.random.default_rng(1)
    answers = [drawn(rng, 376, off=0.12) for _ in range(100)]
    plain = np.mean([metrics.expected_calibration_error(*a) for a in answers])
    corrected = np.mean([metrics.corrected_calibration_error(*a) for a in answers])
    assert corrected == pytest.approx(0.12, abs=0.01)
    assert abs(corrected - 0.12) <= abs(plain - 0.12)


def test_corrected_calibration_by_hand() -> None:
    p = np.array([0.4, 0.5, 0.8, 0.9])
    # One bin; then two, of accuracy 0 and 1/2, rise; three, of 1, 1 and 2 answers: 0, 0, 1/2, rise; four fall.
    right = np.array([False, False, True, False])
    assert metrics.corrected_calibration_error(p, right) == pytest.approx((0.4 + 0.5 + 0.7) / 4)
    # Falling at once: one bin.
    assert metrics.corrected_calibration_error(p, ~right) == pytest.approx(abs(3 - 2.6) / 4)
    # Rising to the end: a bin for each answer.
    rising = np.array([False, False, True, True])
    assert metrics.corrected_calibration_error(p, rising) == pytest.approx((0.4 + 0.5 + 0.2 + 0.1) / 4)
    assert metrics.corrected_calibration_error(np.array([0.7]), np.array([True])) == pytest.approx(0.3)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(0, 10**6))
def test_the_order_of_the_answers_plays_no_part(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, right = np.round(rng.uniform(0.3, 1.0, n), 1), rng.random(n) < 0.7  # many ties
    turned = rng.permutation(n)
    for score in (metrics.expected_calibration_error, metrics.corrected_calibration_error):
        assert score(p[turned], right[turned]) == pytest.approx(score(p, right), abs=1e-12)
        assert 0 <= score(p, right) <= 1


def test_brier_by_hand() -> None:
    table = np.array([[0.7, 0.2, 0.1], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    truth = np.array([0, 2, 0])
    # 0.09 + 0.04 + 0.01; a sure hit 0; a sure miss 2
    assert metrics.brier_score(table, truth) == pytest.approx((0.14 + 0 + 2) / 3)
    assert metrics.brier_score(np.full((5, 4), 0.25), np.zeros(5, dtype=int)) == pytest.approx(0.75)
    # A truth that was no candidate: 1 beside the squares of what was said.
    assert metrics.brier_score(np.array([[0.6, 0.4]]), np.array([-1])) == pytest.approx(1 + 0.36 + 0.16)


def test_brier_is_best_at_the_true_chance() -> None:
    rng = np.random.default_rng(3)
    chance = rng.dirichlet([1.0, 1.0, 1.0], 20_000)
    truth = (rng.random((20_000, 1)) > np.cumsum(chance, axis=1)[:, :2]).sum(axis=1)
    honest = metrics.brier_score(chance, truth)
    for power in (0.5, 2.0):  # less sure, more sure
        other = chance**power
        assert metrics.brier_score(other / other.sum(axis=1, keepdims=True), truth) > honest + 0.005


@pytest.mark.parametrize(
    ("table", "truth"),
    [
        (np.array([0.5, 0.5]), np.array([0])),
        (np.array([[0.5, 0.5]]), np.array([0, 1])),
        (np.array([[1.5, -0.5]]), np.array([0])),
        (np.array([[0.5, 0.5]]), np.array([2])),
        (np.array([[0.5, 0.5]]), np.array([-2])),
        (np.array([[np.nan, 0.5]]), np.array([0])),
    ],
)
def test_brier_takes_probabilities_and_classes_only(table: np.ndarray, truth: np.ndarray) -> None:
    with pytest.raises(UsageError):
        metrics.brier_score(table, truth)


def test_the_curve_is_what_the_calibration_error_sums() -> None:
    p, right = drawn(np.random.default_rng(4), 300)
    curve = metrics.reliability_curve(p, right)
    assert sum(point.n for point in curve) == 300
    error = sum(point.n * abs(point.accuracy - point.confidence) for point in curve) / 300
    assert error == pytest.approx(metrics.expected_calibration_error(p, right))
    for point in curve:
        assert point.low < point.confidence <= point.high
        assert 0 <= point.accuracy_low <= point.accuracy <= point.accuracy_high <= 1
    assert [point.low for point in curve] == sorted(point.low for point in curve)


def test_the_points_of_a_curve_by_hand() -> None:
    right = np.array([True, False, True])
    first, last = metrics.reliability_curve(np.array([0.5, 0.45, 0.98]), right, bins=2)
    assert (first.low, first.high, first.n, first.accuracy) == (0.0, 0.5, 2, 0.5)
    assert first.confidence == pytest.approx(0.475)
    assert (first.accuracy_low, first.accuracy_high) == pytest.approx(metrics.wilson(1, 2))
    assert (last.n, last.accuracy, last.confidence) == (1, 1.0, pytest.approx(0.98))
    assert last.to_dict()["accuracy_high"] == 1.0


def test_bins_of_equal_count_by_hand() -> None:
    p = np.array([0.9, 0.6, 0.8, 0.7])
    right = np.array([True, False, True, False])
    # two bins: |0 - 0.65| and |1 - 0.85|, half of the answers each
    assert metrics.adaptive_calibration_error(p, right, bins=2) == pytest.approx((0.65 + 0.15) / 2)
    # as many bins as answers: the mean distance
    assert metrics.adaptive_calibration_error(p, right) == pytest.approx((0.1 + 0.6 + 0.2 + 0.7) / 4)
    assert math.isnan(metrics.adaptive_calibration_error(*EMPTY))


def test_equal_counts_see_what_one_wide_bin_hides() -> None:
    # 0.99 is right in 90 %, 0.96 in 100 % of the answers: in one bin of 1/15 the two gaps cancel
    p = np.array([0.99] * 100 + [0.96] * 100)
    right = np.array([True] * 95 + [False] * 5 + [True] * 100)
    assert metrics.expected_calibration_error(p, right) == pytest.approx(0.0, abs=1e-9)
    assert metrics.adaptive_calibration_error(p, right, bins=2) == pytest.approx(0.04)


@given(st.permutations(range(12)))
@settings(max_examples=20)
def test_the_order_of_equal_answers_plays_no_part(order: list[int]) -> None:
    p = np.array([0.5] * 6 + [0.8] * 6)
    right = np.array([True, False, True, False, False, True] + [True] * 5 + [False])
    wanted = metrics.adaptive_calibration_error(p, right, bins=4)
    assert metrics.adaptive_calibration_error(p[order], right[order], bins=4) == pytest.approx(wanted)
