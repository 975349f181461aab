"""Goals, and what JSON and text say of them."""

from __future__ import annotations

import math

import pytest

from fetalclip.bench.table import BenchResult, Goal, Metric, Subgroup
from fetalclip.metrics import Estimate


@pytest.mark.parametrize(
    ("goal", "reached", "missed", "words", "direction"),
    [
        (Goal(0.9), 0.9, 0.89, ">= 0.9", "at least"),
        (Goal(7.0, at_most=True), 7.0, 7.1, "<= 7", "at most"),
        (Goal(1.5, at_most=True, absolute=True), -1.5, -1.6, "within ±1.5", "at most"),
        (Goal(0.87, upto=0.93), 0.9, 0.94, "0.87 to 0.93", "between"),
    ],
)
def test_a_goal_is_met_by_the_value(goal: Goal, reached: float, missed: float, words: str, direction: str) -> None:
    assert goal.met(reached) is True
    assert goal.met(missed) is False
    assert goal.met(math.nan) is None
    assert str(goal) == words
    assert goal.to_dict()["direction"] == direction


def test_days_have_two_decimals_and_shares_three() -> None:
    share = Metric("a", "a share", "s", Estimate(0.5, 0.4, 0.6, 10, 5))
    days = Metric("b", "some days", "s", Estimate(7.123, 6.0, 8.0, 10, 5), measured_in="days")
    result = BenchResult("ga", 10, (share, days), subgroups=(Subgroup("age band", "old [young]", (days,)),))
    text = str(result)
    assert "0.400 to 0.600" in text
    assert "7.12" in text
    assert "7.12 (6.00 to 8.00)" in text
    assert "old [young]" in text  # a name is no markup
    assert result.to_dict()["metrics"]["b"]["value"] == 7.123
    assert result.to_dict()["metrics"]["a"]["measured_in"] is None
