"""What is counted of estimated ages, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fetalclip.bench import ages as module
from fetalclip.bench.ages import Ages, age_metrics, by_band, in_range, published_rule, valid
from fetalclip.bench.ages_null import by_spacing, null_rows
from fetalclip.clinical.growth import chart

WHO = chart("who-2017-v3-hc")


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESAMPLES", 40)


def head(days: float, centile: float = 50.0) -> float:
    return float(WHO.size(days, centile))


def test_the_published_rule_takes_the_middle_day_of_the_fifteen_best() -> None:
    scores = np.zeros((3, 175))
    scores[0, 10:25] = 1.0  # days 108 to 122
    scores[1, [0, 1, 2, 3, 4, 5, 6, 100, 101, 102, 103, 104, 105, 106, 107]] = 1.0  # two humps
    scores[2] = np.linspace(0, 1, 175)  # the last fifteen
    assert published_rule(scores).tolist() == [115.0, 198.0, 265.0]
    noise = np.random.default_rng(0).normal(size=(1, 175))
    best = np.sort(np.argsort(noise[0])[-15:])
    assert published_rule(noise)[0] == 98 + best[7]


def test_valid_is_within_the_centiles_at_the_predicted_day() -> None:
    edge = np.array([head(140, 2.5) + 0.01, head(140, 2.5) - 0.01, head(140, 97.5) - 0.01, head(140, 97.5) + 0.01])
    assert valid(edge, np.full(4, 140.0)).tolist() == [True, False, True, False]
    assert valid(np.full(3, head(140)), np.array([97.0, 281.0, np.nan])).tolist() == [False] * 3
    assert in_range(np.array([99.99, 100.0, 342.0, 342.01])).tolist() == [False, True, True, False]


def made(off: list[float], **more: np.ndarray) -> Ages:
    days = np.linspace(130, 250, len(off))
    hc = np.array([head(day) for day in days])
    return Ages(hc, tuple(str(i // 2) for i in range(len(off))), days + np.array(off), **more)


def test_rows_by_hand() -> None:
    rows = {m.name: m for m in age_metrics(made([2.0, -1.0, 40.0, 3.0]), "s")}
    assert rows["valid_prediction_rate"].found.value == 0.75
    assert rows["mae"].found.value == pytest.approx(46 / 4)
    assert rows["bias"].found.value == pytest.approx(11.0)
    sd = np.std([2.0, -1.0, 40.0, 3.0], ddof=1)
    assert rows["limit_low"].found.value == pytest.approx(11 - 1.959964 * sd, abs=1e-4)
    assert rows["limit_high"].found.value == pytest.approx(11 + 1.959964 * sd, abs=1e-4)
    assert (rows["mae"].found.n, rows["mae"].found.groups, rows["mae"].measured_in) == (4, 2, "days")
    assert rows["mae"].unit == "examinations"
    assert not {"answered", "interval_coverage"} & set(rows)


def test_no_estimate_is_no_valid_prediction_and_no_error() -> None:
    rows = {m.name: m.found for m in age_metrics(made([2.0, math.nan, 1.0, 3.0]), "s")}
    assert (rows["valid_prediction_rate"].value, rows["valid_prediction_rate"].n) == (0.75, 4)
    assert (rows["mae"].value, rows["mae"].n) == (pytest.approx(2.0), 3)
    assert rows["answered"].value == 0.75
    nothing = age_metrics(made([math.nan] * 4), "s")
    assert [m.name for m in nothing] == ["valid_prediction_rate", "answered"]
    abstained = made([2.0, 1.0, 1.0, 3.0], abstained=np.array([True, False, False, False]))
    rows = {m.name: m.found for m in age_metrics(abstained, "s")}
    assert (rows["answered"].value, rows["valid_prediction_rate"].value) == (0.75, 1.0)  # scored all the same


def test_intervals_are_held_against_the_equivalent_age() -> None:
    days = np.linspace(130, 250, 4)
    ages = made(
        [0.0] * 4, low=days - np.array([5.0, -1.0, 5.0, np.nan]), high=days + np.array([5.0, 9.0, 15.0, np.nan])
    )
    rows = {m.name: m.found for m in age_metrics(ages, "s")}
    assert (rows["interval_coverage"].value, rows["interval_coverage"].n) == (pytest.approx(2 / 3), 3)
    assert (rows["interval_width"].value, rows["interval_width"].n) == (pytest.approx((10 + 8 + 20) / 3), 3)


def test_bands_take_every_head_once() -> None:
    days = np.array([98.5, 125.9, 126.1, 154.1, 195.9, 196.1, 279.9])
    hc = np.array([head(day) for day in days])
    parts = by_band(Ages(hc, tuple("abcdefg"), days + 2.0))
    assert [(part.name, part.metrics[0].found.n) for part in parts] == [
        ("14w0d to 17w6d", 2),
        ("18w0d to 21w6d", 1),
        ("22w0d to 27w6d", 2),
        ("28w0d to 40w0d", 2),
    ]
    assert [m.name for m in parts[0].metrics] == ["valid_prediction_rate", "mae", "bias"]
    assert parts[1].metrics[1].found.value == pytest.approx(2.0)


def test_the_spacing_tells_an_age_only_through_other_examinations() -> None:
    spacing = np.array([0.1, 0.2, 0.3, 0.4])
    age = np.array([100.0, 150.0, 140.0, 200.0])
    found = by_spacing(spacing, list("abcd"), (spacing, age, list("abcd")))
    # each left out in turn; where two are out of order they share their mean
    assert found.tolist() == pytest.approx([145.0, 120.0, 175.0, 145.0])
    alone = by_spacing(spacing, list("aaaa"), (spacing, age, list("aaaa")))
    assert np.isnan(alone).all()
    other = by_spacing(spacing[:1], ["z"], (spacing, age, list("abcd")))
    assert other.tolist() == [100.0]


def test_null_rows() -> None:
    rng = np.random.default_rng(1)
    days = rng.uniform(110, 250, 60)
    ages = Ages(np.array([head(day) for day in days]), tuple(map(str, range(60))), np.full(60, np.nan))
    plain = null_rows(ages, None)
    assert list(plain) == ["constant age"]
    median = round(float(np.median(days)))
    assert plain["constant age"]["days"] == median
    assert plain["constant age"]["mae"] == pytest.approx(np.abs(days - median).mean(), abs=0.01)
    telling, blind = (
        null_rows(ages, spacing)["pixel spacing alone"] for spacing in (days / 1000, rng.uniform(size=60))
    )
    assert telling["mae"] < 5 < 25 < blind["mae"]
    assert telling["valid_prediction_rate"] > 0.9 > blind["valid_prediction_rate"]
