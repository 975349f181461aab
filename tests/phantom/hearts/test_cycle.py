"""The beating: what opens when, and how even the beats are."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.phantom.hearts.cycle import Cycle, Rhythm, atrial, beats, contraction, opening

PHASE = np.linspace(0, 1, 400, endpoint=False)


def test_ventricles_empty_in_systole_and_fill_in_two_waves() -> None:
    e = contraction(PHASE, 0.44, 0.45)
    assert e[0] == 0
    assert PHASE[e.argmax()] == pytest.approx(0.44, abs=0.01)
    assert e.max() == pytest.approx(1, abs=0.01)
    assert (np.diff(e[PHASE < 0.43]) >= 0).all()
    assert (np.diff(e[PHASE > 0.45]) <= 1e-9).all()
    plateau = e[(PHASE > 0.70) & (PHASE < 0.75)]
    assert plateau == pytest.approx(0.55, abs=0.02)


def test_valves_are_shut_in_systole_and_open_twice() -> None:
    o = opening(PHASE, 0.44, 0.2)
    assert (o[PHASE < 0.44] == 0).all()
    peaks = ((o[1:-1] > o[:-2]) & (o[1:-1] >= o[2:]) & (o[1:-1] > 0.7)).sum()
    assert peaks == 2
    assert o[-1] < 0.1
    assert atrial(PHASE, 0.44)[PHASE < 0.6].max() == 1
    assert atrial(PHASE, 0.44)[np.abs(PHASE - 0.55).argmin()] == 0


def test_a_heart_beats_at_its_rate() -> None:
    rng = np.random.default_rng(1)
    cycle = Cycle.of(rng, Rhythm.new(rng, 150.0), np.arange(0, 20, 0.005))
    starts = (np.diff(cycle.phase) < -0.5).sum()
    assert starts == pytest.approx(50, abs=2)
    assert cycle.beats.std() / cycle.beats.mean() < 0.03


@pytest.mark.parametrize("uneven", [0.4, 1.0])
def test_an_uneven_heart_has_early_beats_and_pauses_and_the_same_mean(uneven: float) -> None:
    steady = beats(np.random.default_rng(2), 0.42, 0.0, 400)
    other = beats(np.random.default_rng(2), 0.42, uneven, 400)
    assert steady.std() / steady.mean() < 0.02
    assert other.std() / other.mean() > 0.2 * uneven
    assert other.mean() == pytest.approx(0.42, rel=0.03)
    assert other.min() >= 0.21
    early = other[:-1] < 0.42 * (1 - 0.2 * uneven)  # every second or third
    assert 0.3 < early.mean() < 0.5
    assert np.median(other[1:][early]) > 0.42 * (1 + 0.3 * uneven)
