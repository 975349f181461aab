"""The age rule fitted: unbiased, honest about its error, and refusing what cannot be fitted."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.clinical.age_prompts import DAYS
from fetalclip.config import check_config
from fetalclip.errors import BadValue
from fetalclip.fit.age import conformal, fit_age_rule
from fetalclip.models.tiny import build_tiny

GRID = np.array(DAYS, dtype=float)


def simulated(n, seed, per_group=1):
    """Scores that read ages 10 % too old, with an error that grows with age; (n, 175), (n,), groups."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(rng.uniform(105, 265, -(-n // per_group)), per_group)[:n].round()
    groups = [f"{seed}:{i // per_group}" for i in range(n)]
    sd = 3 + 0.06 * (truth - 98)
    shared = np.repeat(rng.normal(size=-(-n // per_group)), per_group)[:n]
    own = rng.normal(size=n)
    seen = 110 + 0.9 * (truth - 98) + sd * (0.8 * shared + 0.6 * own)
    scores = 20 - 0.5 * ((GRID - seen[:, None]) / sd[:, None]) ** 2 / 10 + rng.normal(0, 0.02, (n, len(GRID)))
    return scores, truth, groups


def test_bias_goes_and_the_interval_holds_what_it_says():
    rule = fit_age_rule(*simulated(400, 0))
    scores, truth, _ = simulated(3000, 1)
    found = rule(scores)
    assert abs((found.days - truth).mean()) < 1.0
    inside = (found.low <= truth) & (truth <= found.high)
    assert 0.87 <= inside.mean() <= 0.93
    for low, high in ((105, 150), (150, 200), (200, 265)):
        band = (truth >= low) & (truth < high)
        assert 0.82 <= inside[band].mean() <= 0.97
    young, old = truth < 140, truth > 220
    width = found.high - found.low
    assert width[old].mean() > 1.3 * width[young].mean()
    assert sum(map(bool, found.doubts)) < 0.03 * len(truth)


def test_several_pictures_of_a_group_count_as_one():
    rule = fit_age_rule(*simulated(400, 2, per_group=4))
    scores, truth, _ = simulated(4000, 3, per_group=4)
    found = rule(scores)
    assert 0.86 <= ((found.low <= truth) & (truth <= found.high)).mean() <= 0.96


def test_the_unit_of_the_scores_does_not_matter_and_the_same_data_give_the_same_rule():
    scores, truth, groups = simulated(200, 4)
    rule, again = fit_age_rule(scores, truth, groups), fit_age_rule(0.01 * scores, truth, groups)
    np.testing.assert_allclose(rule(scores).days, again(0.01 * scores).days, atol=1e-6)
    np.testing.assert_allclose(rule(scores).high, again(0.01 * scores).high, atol=1e-6)
    order = np.random.default_rng(0).permutation(200)
    mixed = fit_age_rule(scores[order], truth[order], [groups[i] for i in order])
    np.testing.assert_allclose(rule(scores).days, mixed(scores).days, atol=1e-6)


def test_a_rule_passes_the_check_of_a_models_config():
    config, _, _ = build_tiny()
    words = {"schema": "fetalclip.model/1", "name": "mine", "summary": "", "license": "CC0-1.0"}
    rest = {"weights": {"file": "a", "sha256": "0" * 64}, "training": {}, "results": {}}
    check_config({**words, **config, **rest, "age": fit_age_rule(*simulated(100, 5)).to_config()})


def test_the_conformal_number_leaves_room_for_a_new_group():
    ratios = np.arange(1.0, 20.0)
    assert conformal(ratios, np.ones(19), 0.9) == 18  # of 20 with the new one, 18 are nine tenths
    assert conformal(ratios[::-1], np.ones(19), 0.5) == 10
    assert conformal(np.repeat(ratios, 2), np.full(38, 0.5), 0.9) == 18
    with pytest.raises(BadValue, match=r"19 groups for a level of 0\.99"):
        conformal(ratios, np.ones(19), 0.99)


def test_what_cannot_be_fitted_is_told():
    scores, truth, groups = simulated(60, 6)
    wrong = truth.copy()
    wrong[7] = 290
    cases = [
        ((scores[:, 1:], truth, groups), "60 x 174"),
        ((scores, truth[1:], groups), "60 rows of scores, 59 ages, 60 groups"),
        ((scores, truth, groups[1:]), "59 groups"),
        ((scores, wrong, groups), "290 days in row 7"),
        ((scores, np.where(truth == truth[3], np.nan, truth), groups), "nan days in row 3"),
        ((scores, truth, [g.split(":")[0] for g in groups]), "1 groups"),
        ((np.ones_like(scores), truth, groups), "same for every day"),
        ((np.tile(scores[:1], (60, 1)), truth, groups), "same for every picture"),
    ]
    for args, told in cases:
        with pytest.raises(BadValue, match=told):
            fit_age_rule(*args)
    for level in (0.2, 1.0, float("nan")):
        with pytest.raises(BadValue, match="level"):
            fit_age_rule(scores, truth, groups, level=level)
