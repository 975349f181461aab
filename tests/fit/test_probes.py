"""One conformance test over all estimators, and what each promises beside it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from fetalclip.errors import BadValue, UsageError
from fetalclip.fit.probe import LinearProbe, RidgeProbe
from fetalclip.fit.prompted_probe import PromptMean, TipAdapter
from fetalclip.fit.shots import support_set

ALL = [LinearProbe(), LinearProbe("published", epochs=5), RidgeProbe(), PromptMean(), TipAdapter()]
CLASSIFIERS = [LinearProbe(), LinearProbe("published", epochs=200), PromptMean(), TipAdapter()]


def _expected(estimator: object) -> dict[str, str]:
    if isinstance(estimator, LinearProbe) and estimator.method == "published":
        return {"check_classifiers_train": "the published rate and epochs do not fit 150 rows of three numbers"}
    return {}


@parametrize_with_checks(ALL, expected_failed_checks=_expected)
def test_estimators_conform(estimator: object, check: object) -> None:
    check(estimator)  # type: ignore[operator]


def clusters(n: int = 240, d: int = 24, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows about a direction for each class, four to a patient."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    centres = 3 * rng.normal(size=(classes, d)) / np.sqrt(d) * 2
    x = centres[y] + rng.normal(size=(n, d))
    return x.astype(np.float32), np.array(["abdomen", "brain", "femur"])[y], np.arange(n) // 4


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=repr)
def test_held_out_rows_are_told(estimator: object) -> None:
    x, y, groups = clusters()
    made = clone(estimator).fit(x[:160], y[:160], groups[:160])  # type: ignore[attr-defined,type-var]
    assert made.score(x[160:], y[160:]) > 0.9
    chances = made.predict_proba(x[160:])
    assert np.allclose(chances.sum(axis=1), 1)
    assert made.temperature_ > 0


def test_penalty_is_chosen_with_patients_kept_together() -> None:
    # Every patient has a direction of its own and one class: a probe that sees a patient on both sides of a fold learns
    # patients, and finds no penalty too weak.
    rng = np.random.default_rng(0)
    owners = np.repeat(np.arange(40), 6)
    truth = np.repeat(rng.integers(0, 2, 40), 6)
    x = 2 * rng.normal(size=(40, 32))[owners] + 0.3 * rng.normal(size=(240, 32))
    apart = LinearProbe().fit(x, truth, owners)
    mixed = LinearProbe().fit(x, truth)
    assert apart.C_ < mixed.C_
    assert min(apart.losses_.values()) > 0.6  # of chance: 0.69
    assert min(mixed.losses_.values()) < 0.3


def test_groups_pass_through_cross_validation() -> None:
    x, y, groups = clusters()
    found = cross_val_score(LinearProbe(C=100.0), x, y, groups=groups, cv=GroupKFold(4))
    assert found.min() > 0.8


def test_the_published_probe_keeps_the_best_held_out_epoch() -> None:
    x, y, groups = clusters(seed=1)
    made = LinearProbe("published", epochs=30).fit(x, y, groups)
    held = np.isfinite(made.held_).all(axis=1)
    truth = np.searchsorted(made.classes_, y)
    logits = made.held_[held] - made.held_[held].max(axis=1, keepdims=True)
    loss = -(logits[np.arange(held.sum()), truth[held]] - np.log(np.exp(logits).sum(axis=1))).mean()
    assert loss == pytest.approx(min(made.losses_.values()), abs=1e-5)


def test_temperature_makes_held_probabilities_keep_their_word() -> None:
    x, y, groups = clusters(n=600, d=8, seed=3)
    x = x * 0.6 + np.random.default_rng(0).normal(size=x.shape)
    made = LinearProbe(C=1000.0).fit(x[:200], y[:200], groups[:200])
    sure = made.predict_proba(x[200:]).max(axis=1)
    right = made.predict(x[200:]) == y[200:]
    assert abs(sure.mean() - right.mean()) < 0.06


def test_texts_stand_in_where_pictures_are_few() -> None:
    x, y, _ = clusters(seed=4)
    names = np.unique(y)
    texts = {name: x[y == name].mean(axis=0) for name in names}
    few = np.concatenate([np.flatnonzero(y == name)[:1] for name in names])
    noisy = x[few] + 2.5 * np.random.default_rng(1).normal(size=x[few].shape)
    for estimator in (PromptMean, TipAdapter):
        alone, helped = estimator().fit(noisy, y[few]), estimator(texts).fit(noisy, y[few])
        assert helped.score(x, y) > alone.score(x, y)


def test_a_class_without_a_text_is_told() -> None:
    x, y, _ = clusters()
    with pytest.raises(BadValue, match="no text for the class 'femur'"):
        PromptMean({"brain": x[0], "abdomen": x[1]}).fit(x, y)
    with pytest.raises(BadValue, match="of width 24"):
        TipAdapter({name: np.ones(3) for name in np.unique(y)}).fit(x, y)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("estimator", ALL, ids=repr)
def test_embeddings_that_are_not_finite(estimator: object, value: float) -> None:
    x, y, _ = clusters()
    truth = np.arange(len(y)) if isinstance(estimator, RidgeProbe) else y
    bad = x.copy()
    bad[3, 2] = value
    with pytest.raises(BadValue, match="embeddings with"):
        clone(estimator).fit(bad, truth)  # type: ignore[attr-defined,type-var]
    made = clone(estimator).fit(x, truth)  # type: ignore[attr-defined,type-var]
    with pytest.raises(BadValue, match="embeddings with"):
        made.predict(bad)


def test_unknown_method() -> None:
    x, y, _ = clusters()
    with pytest.raises(UsageError, match="method 'forest'"):
        LinearProbe("forest").fit(x, y)


def test_ridge_interval_holds_new_patients() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 16))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    days = 150 + 60 * x @ rng.normal(size=16) / 4 + rng.normal(size=900) * 5
    made = RidgeProbe().fit(x[:400], days[:400], np.arange(400) // 2)
    inside = np.abs(made.predict(x[400:]) - days[400:]) <= made.width_
    assert 0.85 < inside.mean() < 0.95


def test_support_sets_are_whole_patients_of_each_class() -> None:
    labels = ["a"] * 12 + ["b"] * 12
    groups = [f"p{i // 2}" for i in range(24)]
    found = support_set(labels, groups, 3, seed=5)
    assert len(found) == 12
    for name in "ab":
        assert len({groups[i] for i in found if labels[i] == name}) == 3
    assert np.array_equal(found, support_set(labels, groups, 3, seed=5))
    assert not np.array_equal(found, support_set(labels, groups, 3, seed=6))
    with pytest.raises(UsageError, match=r"7 patients a class, of 'a' there are 6.*--shots 6"):
        support_set(labels, groups, 7, seed=0)


@pytest.mark.parametrize("estimator", [*CLASSIFIERS, RidgeProbe()], ids=repr)
def test_what_is_unlike_all_is_known(estimator: object) -> None:
    x, y, groups = clusters(n=600)
    truth = np.arange(400) if isinstance(estimator, RidgeProbe) else y[:400]
    made = clone(estimator).fit(x[:400], truth, groups[:400])  # type: ignore[attr-defined,type-var]

    def likeness(rows: np.ndarray) -> np.ndarray:
        return (rows @ made.means_.T).max(axis=1) / np.linalg.norm(rows, axis=1)

    assert (likeness(x[400:]) < made.least_likeness_).mean() < 0.05
    if not isinstance(estimator, RidgeProbe):
        assert (likeness(-x[400:]) < made.least_likeness_).mean() > 0.5
