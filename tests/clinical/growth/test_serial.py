"""Crossings: where the line between two scans meets a centile line."""

from __future__ import annotations

import pytest

from fetalclip.clinical import growth
from fetalclip.clinical.growth import crossings

CHART = growth.chart("intergrowth-21st-hc")


def on(centile: float, *days: float) -> list[tuple[float, float]]:
    return [(day, CHART.size(day, centile)) for day in days]


def test_along_a_centile_nothing_is_crossed() -> None:
    assert crossings(CHART, on(30, 140, 168, 196, 224)) == []


def test_falling_from_60_to_2() -> None:
    visits = on(60, 168) + on(2, 224)
    found = crossings(CHART, visits)
    assert [(one.centile, one.falling) for one in found] == [(50.0, True), (10.0, True), (3.0, True)]
    for one in found:
        assert 168 < one.days < 224
        assert CHART.size(one.days, one.centile) == pytest.approx(one.size, abs=1e-6)
        share = (one.days - 168) / 56
        assert visits[0][1] + share * (visits[1][1] - visits[0][1]) == pytest.approx(one.size, abs=1e-6)


def test_rising_and_unsorted() -> None:
    found = crossings(CHART, (on(5, 168) + on(20, 224))[::-1])
    assert [(one.centile, one.falling, one.between) for one in found] == [(10.0, False, (168, 224))]
    assert found[0].to_dict()["direction"] == "up"


def test_visits_outside_the_chart_are_left_out() -> None:
    early = [(90.0, 60.0)]
    assert crossings(CHART, early + on(60, 168)) == []
    assert crossings(CHART, early) == []
    assert crossings(CHART, on(60, 168) + on(2, 168)) == []
