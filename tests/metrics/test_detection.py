"""Yes-or-no scores by hand and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fetalclip.errors import UsageError
from fetalclip.metrics import auroc, average_precision, conformal_quantile, sensitivity_at

SCORE = np.array([0.9, 0.8, 0.8, 0.4, 0.1])
THERE = np.array([True, True, False, False, True])


def test_by_hand():
    # Pairs won: 0.9 beats both, 0.8 beats 0.4 and ties 0.8, 0.1 none: 3.5 of 6.
    assert auroc(SCORE, THERE) == pytest.approx(3.5 / 6)
    # Steps: 1 of 1, then 2 of 3 with the tie, none at 0.4, then 3 of 5.
    assert average_precision(SCORE, THERE) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert sensitivity_at(SCORE, THERE, 1.0) == pytest.approx(1 / 3)
    assert sensitivity_at(SCORE, THERE, 0.5) == pytest.approx(2 / 3)
    assert sensitivity_at(SCORE, THERE, 0.0) == 1.0


def test_as_scikit_learn_has_it():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for _ in range(20):
        there = rng.random(60) < 0.3
        score = np.round(rng.normal(there, 1), 1)  # with ties
        assert auroc(score, there) == pytest.approx(metrics.roc_auc_score(there, score))
        assert average_precision(score, there) == pytest.approx(metrics.average_precision_score(there, score))
        fpr, tpr, _ = metrics.roc_curve(there, score, drop_intermediate=False)
        assert sensitivity_at(score, there, 0.9) == pytest.approx(tpr[fpr <= 0.1 + 1e-9].max())


def test_one_kind_only_has_no_score():
    ones = np.ones(3, bool)
    assert math.isnan(auroc(SCORE[:3], ones))
    assert math.isnan(auroc(SCORE[:3], ~ones))
    assert math.isnan(average_precision(SCORE[:3], ~ones))
    assert math.isnan(sensitivity_at(SCORE[:3], ones))


@pytest.mark.parametrize("score", [SCORE[:3], np.append(SCORE[:4], np.nan)])
def test_what_does_not_fit_is_refused(score):
    with pytest.raises(UsageError):
        auroc(score, THERE)


def test_a_conformal_quantile_covers_what_it_says():
    assert conformal_quantile(np.arange(1, 10) / 10, 0.9) == 0.9  # the ninth of nine
    assert conformal_quantile(np.arange(1, 9) / 10, 0.9) == math.inf  # eight are too few
    rng = np.random.default_rng(1)
    held = [rng.random() <= conformal_quantile(rng.random(40), 0.8) for _ in range(4000)]
    assert np.mean(held) == pytest.approx(0.8 + 0.2 / 41 * 0.5, abs=0.02)
