"""From scores to days: the published rule to the letter, and ours."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetalclip.clinical.age_prompts import DAYS
from fetalclip.clinical.growth import chart
from fetalclip.config import Checker
from fetalclip.errors import BadValue
from fetalclip.tasks.age_rule import AgeRule, corrected, posterior, published_days, summarise

SCORES = Path(__file__).resolve().parents[3] / "shared" / "reference" / "ga_scores"
PLAIN = AgeRule("age-5", 1.0, ((98.0, 98.0), (272.0, 272.0)), (5.0, 0.0, 0.0), 2.0)


def peaks(days, width=6.0, height=8.0):
    """Scores that peak at each of the given days: (n, 175)."""
    return height * np.exp(-0.5 * ((np.array(DAYS) - np.asarray(days)[:, None]) / width) ** 2)


def literally(row, days, top):
    best = sorted(range(len(days)), key=lambda i: -row[i])[:top]
    return sorted(days[i] for i in best)[top // 2]


@given(st.integers(0, 10_000), st.sampled_from([1, 2, 14, 15]))
def test_the_published_rule_is_that_of_the_words(seed, top):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(3, 40))
    days = list(range(100, 140))
    assert published_days(scores, days, top).tolist() == [literally(row, days, top) for row in scores]


def test_the_published_rule_needs_no_scale_and_takes_the_middle_of_two_peaks():
    scores = peaks([120, 200, 271])
    np.testing.assert_array_equal(published_days(scores), [120, 200, 265])  # the last 15 days end at 272
    np.testing.assert_array_equal(published_days(0.01 * scores + 3), published_days(scores))
    split = peaks([120]) + 0.999 * peaks([180])
    assert published_days(split)[0] in (123, 124, 177)  # eighth of two halves: an edge of one


@pytest.mark.skipif(not SCORES.is_dir(), reason="no published scores at ../shared/reference")
def test_the_published_rule_on_the_published_scores():
    with np.load(SCORES / "scores.npz") as table, (SCORES / "truth.csv").open() as rows:
        found = published_days(table["scores"], table["days"])
        hc = np.array([float(row["head circumference (mm)"]) for row in csv.DictReader(rows)])
    who, counted = chart("who-2017-v3-hc"), (hc >= 100) & (hc <= 342)
    low, high = (who.size(found.astype(float), centile) for centile in (2.5, 97.5))
    assert counted.sum() == 226
    assert ((low <= hc) & (hc <= high))[counted].sum() == 186


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        (np.zeros((2, 174)), "2 x 174"),
        (np.zeros(175), "shape 175"),
        (0.0, "single number"),
        (np.where(np.arange(350).reshape(2, 175) == 180, np.nan, 1.0), r"nan in row 1 .*day 103"),
        (np.full((1, 175), np.inf), "inf in row 0"),
    ],
)
def test_wrong_scores_are_told_with_their_row(scores, told):
    with pytest.raises(BadValue, match=told):
        published_days(scores)
    with pytest.raises(BadValue, match=told):
        PLAIN(scores)


def test_more_best_days_than_days_are_refused():
    with pytest.raises(BadValue, match="best 15 of 3 days"):
        published_days(np.zeros((1, 3)), [1, 2, 3])


def test_no_pictures_no_ages():
    assert published_days(np.zeros((0, 175))).shape == (0,)
    assert PLAIN(np.zeros((0, 175))).doubts == ()


def test_a_posterior_is_a_softmax_and_its_summary_is_its_moments():
    scores = peaks([140, 220])
    shares = posterior(scores, 0.5)
    np.testing.assert_allclose(shares, np.exp(2 * scores) / np.exp(2 * scores).sum(axis=1, keepdims=True))
    found = summarise(scores, 0.5)
    np.testing.assert_allclose(found.mean, [140, 220], atol=0.7)
    assert (found.sd > 0).all()
    assert (summarise(scores, 50.0).sd > found.sd).all()
    np.testing.assert_allclose(summarise(np.zeros((1, 175)), 1.0).edge, 7 / 175)


def test_knots_are_straight_between_and_beyond_and_end_with_the_chart():
    knots = ((120.0, 110.0), (140.0, 140.0), (200.0, 190.0))
    found = corrected(np.array([120.0, 130, 140, 170, 200, 224, 110, 100, 400]), knots)
    np.testing.assert_allclose(found, [110, 125, 140, 165, 190, 210, 98, 98, 280])


def test_the_interval_is_the_quantile_of_the_expected_error_and_stays_on_the_chart():
    found = PLAIN(peaks([140, 100, 270], height=50))
    np.testing.assert_allclose(found.days, [140, 100, 270], atol=1)
    np.testing.assert_allclose(found.low, [found.days[0] - 10, 98, found.days[2] - 10])
    np.testing.assert_allclose(found.high, np.minimum(found.days + 10, 280))
    grown = replace(PLAIN, spread=(1.0, 2.0, 0.1))(peaks([140], height=50))
    sd = summarise(peaks([140], height=50), 1.0).sd[0]
    assert grown.high[0] - grown.low[0] == pytest.approx(4 * (1 + 2 * sd + 0.1 * (grown.days[0] - 98)))


def test_flat_and_outlying_posteriors_are_doubted():
    rule = replace(PLAIN, max_sd=20.0, max_edge=0.6)
    sure, flat, edge = rule(np.concatenate([peaks([150]), np.zeros((1, 175)), peaks([98], 2.0, 30)])).doubts
    assert sure == ""
    assert "likelier" in flat
    assert "14 to 38 weeks" in edge


def test_a_rule_is_written_and_read_whole():
    rule = AgeRule("age-5", 0.4, ((100.0, 101.5), (200.0, 190.0)), (1.0, 0.5, 0.01), 1.9, 0.8, 25.0, 0.7)
    config = {"age": rule.to_config()}
    assert AgeRule.from_config(config) == rule
    assert AgeRule.from_config({}) is None
    Checker(config, "config.json").knots("age.knots")
