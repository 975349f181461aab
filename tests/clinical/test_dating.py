"""The interval a user sees: the model's own, widened by how far healthy heads of one age differ."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetalclip.clinical.dating import widen
from fetalclip.clinical.growth import chart, hc_equivalent_age, median_hc

WHO = chart("who-2017-v3-hc")


@pytest.mark.parametrize(("day", "before", "after"), [(140, 8.1, 9.5), (168, 9.7, 12.1), (224, 18.7, 27.6)])
def test_a_head_of_certain_size_has_the_spread_of_the_chart(day, before, after):
    wide = widen(day, day)
    assert wide.low - day == pytest.approx(-before, abs=0.1)
    assert wide.high - day == pytest.approx(after, abs=0.1)
    assert wide.notes == ()
    assert WHO.size(wide.low, 97.5) == pytest.approx(median_hc(day), abs=1e-6)
    assert WHO.size(wide.high, 2.5) == pytest.approx(median_hc(day), abs=1e-6)


def test_at_36_weeks_it_starts_26_days_before_and_ends_with_the_chart():
    wide = widen(252, 252)
    assert wide.low - 252 == pytest.approx(-25.7, abs=0.1)
    assert wide.high == 280
    (note,) = wide.notes
    assert "40w0d" in note
    assert "higher" in note


def test_at_15_weeks_it_starts_with_the_chart():
    wide = widen(100, 104)
    assert wide.low == 98
    (note,) = wide.notes
    assert "14w0d" in note
    assert "lower" in note


def test_beyond_the_chart_it_is_the_charts_end():
    assert widen(20, 400) == widen(98, 280)
    assert len(widen(98, 280).notes) == 2


@given(low=st.floats(98, 280), width=st.floats(0, 60))
def test_it_holds_the_bounds_and_grows_with_them(low, width):
    high = min(low + width, 280.0)
    wide = widen(low, high)
    assert 98 <= wide.low <= low <= high <= wide.high <= 280
    wider = widen(max(98, low - 1), min(280, high + 1))
    assert wider.low <= wide.low + 1e-9
    assert wider.high >= wide.high - 1e-9


@pytest.mark.parametrize("day", [126, 140, 182, 224])
def test_true_ages_lie_in_it_as_often_as_is_said(day):
    """Healthy heads of one age, read by a model whose own interval holds 90 %."""
    rng, half = random.Random(day), 8.0  # days
    inside, tried = 0, 0
    for _ in range(400):
        head = WHO.size(float(day), min(max(100 * rng.random(), 1.01), 98.99))
        equivalent = hc_equivalent_age(head)
        if equivalent is None:
            continue
        guess = rng.gauss(equivalent, half / 1.645)
        wide = widen(guess - half, guess + half)
        tried += 1
        inside += wide.low <= day <= wide.high
    assert tried > 390
    assert inside / tried > 0.95
