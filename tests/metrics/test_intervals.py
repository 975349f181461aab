"""Intervals against what clustering must do to them."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from fetalclip import metrics
from fetalclip.errors import UsageError


def test_resamples_hold_whole_groups() -> None:
    groups = ["p", "q", "p", "r", "q", "p"]
    members = [{0, 2, 5}, {1, 4}, {3}]
    seen: list[np.ndarray] = []

    def look(rows: np.ndarray) -> float:
        seen.append(rows)
        return float(rows.size)

    metrics.group_bootstrap(look, groups, n=50)
    assert seen[0].tolist() == [0, 1, 2, 3, 4, 5]  # the value itself comes from every row once
    times: set[int] = set()
    for rows in seen[1:]:
        counts = np.bincount(rows, minlength=6)
        drawn = [{int(counts[row]) for row in member} for member in members]
        assert all(len(one) == 1 for one in drawn), "a group was torn apart"
        assert sum(one.pop() for one in drawn) == 3
        times |= set(counts.tolist())
    assert {0, 1, 2} <= times


def test_clustered_errors_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    patients = np.repeat(np.arange(40), 10)
    bad = np.repeat(rng.random(40) < 0.3, 10)  # all pictures of a patient fail together
    clustered = metrics.rate(bad, patients.tolist())
    single = metrics.rate(bad, list(range(400)))
    assert clustered.value == single.value
    assert clustered.high - clustered.low > 2 * (single.high - single.low)
    assert (clustered.n, clustered.groups, single.groups) == (400, 40, 400)


@pytest.mark.slow
def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(200):
        chance = rng.beta(8, 2, 60)  # mean 0.8, patients differ
        groups = np.repeat(np.arange(60), 3)
        found = metrics.rate(rng.random(180) < chance[groups], groups.tolist(), n=300)
        covered += found.low <= 0.8 <= found.high
    assert 0.89 <= covered / 200 <= 0.99


def test_same_seed_same_interval() -> None:
    x = np.random.default_rng(5).random(60)
    groups = [i // 3 for i in range(60)]
    one = metrics.group_bootstrap(lambda rows: x[rows].mean(), groups, seed=3)
    assert one == metrics.group_bootstrap(lambda rows: x[rows].mean(), groups, seed=3)
    assert one != metrics.group_bootstrap(lambda rows: x[rows].mean(), groups, seed=4)


def test_always_and_never_keep_a_width_that_counts_groups() -> None:
    always = metrics.rate([True] * 100, ["p"] * 50 + ["q"] * 50)
    assert always.value == always.high == 1.0
    assert always.low == pytest.approx(2 / (2 + 1.959964**2))  # Wilson at 2 of 2, not at 100 of 100
    never = metrics.rate([False] * 20, list(range(20)))
    assert (never.value, never.low) == (0.0, 0.0)
    assert 0.1 < never.high < 0.2


def test_wilson_against_a_published_value() -> None:
    low, high = metrics.wilson(81, 263)  # Newcombe, Stat Med 1998;17:857, table I, method 3
    assert (low, high) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_one_group_has_no_interval() -> None:
    found = metrics.rate([True, False], ["p", "p"])
    assert found.value == 0.5
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_paired_difference_is_tighter_than_two_intervals() -> None:
    rng = np.random.default_rng(2)
    groups = [i // 2 for i in range(300)]
    first = rng.random(300) < 0.8
    second = first.copy()
    second[:6] = False  # nearly the same answers
    found = metrics.paired_difference(lambda r: first[r].mean(), lambda r: second[r].mean(), groups)
    assert found.value == pytest.approx(first.mean() - second.mean())
    alone = metrics.rate(first, groups)
    assert found.high - found.low < 0.5 * (alone.high - alone.low)
    same = metrics.paired_difference(lambda r: first[r].mean(), lambda r: first[r].mean(), groups)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_undefined_resamples_are_left_out() -> None:
    truth = np.array([0] * 9 + [1])  # the only picture of class 1 is often not drawn

    def recall_of_one(rows: np.ndarray) -> float:
        there = truth[rows] == 1
        return float(there.mean()) if there.any() else math.nan

    found = metrics.group_bootstrap(recall_of_one, list(range(10)))
    assert 0 < found.low <= found.high < 1


def test_no_resamples_is_an_error() -> None:
    with pytest.raises(UsageError, match="resamples"):
        metrics.group_bootstrap(lambda rows: 0.0, ["p", "q"], n=0)


def test_one_group_for_every_answer() -> None:
    assert math.isnan(metrics.rate([], []).value)
    with pytest.raises(UsageError):
        metrics.rate([True], ["p", "q"])


def test_four_hundred_pictures_a_thousand_times_is_quick() -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 4, 400), rng.integers(0, 9, 400)
    groups = rng.integers(0, 205, 400).tolist()
    begin = time.process_time()
    metrics.group_bootstrap(
        lambda rows: metrics.macro_f1(metrics.confusion_matrix(truth[rows], predicted[rows], 9)), groups
    )
    assert time.process_time() - begin < 2.0
