"""Calibration: a known temperature is found, and few planes or heads are refused."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.fit.calibrate import CERTAIN_SHARE, KEPT_SHARE, calibrate, subplane_scores
from fetalclip.fit.heldout import HeldOut

NAMES = ("abdomen", "brain", "femur", "thorax")
SUBNAMES = ("x", "y", "z")


def held(n: int, temperature: float = 1.0, seed: int = 0, heads: int = 400, rejects: int = 400) -> HeldOut:
    """Planes whose labels are drawn from softmax(logits / temperature); heads and rejects by outlier score."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0, 2.0, (n, 4))
    p = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    label = np.array([rng.choice(4, p=row) for row in p], int)
    logits = np.concatenate([honest * temperature, rng.normal(0, 50, (heads + rejects, 4))])
    outlier = np.concatenate([rng.beta(1, 12, n), rng.beta(1, 9, heads), rng.beta(9, 1.5, rejects)])
    source = np.array(["planes"] * n + ["hc18"] * heads + ["reject"] * rejects)
    label = np.concatenate([label, np.repeat([1, -1], [heads, rejects])])
    sublogits, sublabel = subplanes(rng, len(source), temperature)
    sublabel[::3] = -1  # of a third it is not known
    sublabel[n:] = -1
    return HeldOut(logits, outlier, label, source, NAMES, sublogits, sublabel, SUBNAMES)


def subplanes(rng: np.random.Generator, n: int, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Sub-planes drawn from softmax(logits / temperature)."""
    honest = rng.normal(0, 1.5, (n, 3))
    p = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    return honest * temperature, (rng.random((n, 1)) > np.cumsum(p, axis=1)[:, :2]).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_a_known_temperature_is_found(temperature):
    folds = [held(1500, temperature, seed) for seed in range(2)]
    found = calibrate(folds)
    assert found.temperature == pytest.approx(temperature, rel=0.08)
    assert found.loss_after <= found.loss_before + 1e-9
    if temperature != 1.0:
        assert found.loss_after < found.loss_before - 0.02
    sub = found.subplanes
    assert sub.temperature == pytest.approx(temperature, rel=0.15)
    assert sub.loss_after <= sub.loss_before + 1e-9


def test_only_real_planes_set_the_temperature():
    one = calibrate([held(400, 2.0, heads=10, rejects=10)])
    other = calibrate([held(400, 2.0, heads=900, rejects=900)])
    assert one.temperature == other.temperature


@pytest.mark.parametrize("n", [1, 7, 50, 99, 100, 101, 333, 1000, 1429])
@pytest.mark.parametrize("heads", [0, 30, 1000])
def test_no_more_planes_or_heads_are_refused_than_said(n, heads):
    fold = held(n, seed=n, heads=heads)
    found = calibrate([fold])
    for source in ("planes", "hc18"):
        outlier = fold.outlier[fold.source == source]
        if len(outlier):
            assert (outlier <= found.outlier_threshold).mean() >= KEPT_SHARE
    p = np.exp(fold.logits[fold.real] / found.temperature)
    certain = (p / p.sum(axis=1, keepdims=True)).max(axis=1)
    assert (certain >= found.min_probability - 1e-12).mean() >= CERTAIN_SHARE
    assert 0 < found.min_probability <= 0.5
    if not fold.subreal.any():
        assert found.subplanes is None
        return
    p = np.exp(fold.sublogits[fold.subreal] / found.subplanes.temperature)
    certain = (p / p.sum(axis=1, keepdims=True)).max(axis=1)
    assert (certain >= found.subplanes.min_probability - 1e-12).mean() >= CERTAIN_SHARE
    assert 1 / 3 <= found.subplanes.min_probability <= 0.5


def test_the_threshold_rises_to_where_the_two_part_best():
    fold = held(1000)
    found = calibrate([fold]).outlier_threshold
    planes, rejects = (fold.outlier[fold.source == s] for s in ("planes", "reject"))

    def balance(cut: float) -> float:
        return (planes <= cut).mean() + (rejects > cut).mean()

    floor = max(np.quantile(fold.outlier[fold.source == s], KEPT_SHARE) for s in ("planes", "hc18"))
    assert balance(found) >= max(balance(cut) for cut in np.linspace(floor, 0.99, 57)) - 0.01
    assert (rejects > found).mean() > 0.9


def test_rejects_that_look_like_planes_do_not_cost_planes():
    fold = held(1000)
    fold.outlier[fold.source == "reject"] = 0.0
    found = calibrate([fold])
    assert (fold.outlier[fold.real] <= found.outlier_threshold).mean() >= KEPT_SHARE


def test_without_rejects_there_is_still_a_threshold():
    fold = held(500, rejects=0)
    found = calibrate([fold]).outlier_threshold
    assert 0.98 <= (fold.outlier[fold.real] <= found).mean() <= 1


def test_folds_are_joined():
    parts = [held(200, 2.0, seed) for seed in range(3)]
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("logits", "outlier", "label", "source", "sublogits", "sublabel")
    }
    assert calibrate(parts) == calibrate([HeldOut(**columns, names=NAMES, subnames=SUBNAMES)])


def test_held_subplanes_are_scored_at_the_temperature_of_the_other_folds():
    parts = [held(600, 3.0, seed, heads=5, rejects=5) for seed in range(3)]
    found = subplane_scores(parts)
    assert found["n"] == sum(int(part.subreal.sum()) for part in parts)
    hits = sum(int((p.sublogits.argmax(axis=1) == p.sublabel)[p.subreal].sum()) for p in parts)
    assert 0.4 < hits / found["n"] < 0.9
    assert found["macro_f1"] == pytest.approx(hits / found["n"], abs=0.05)  # even classes
    assert found["ece"] < 0.06
    assert 0 <= found["ece_corrected"] <= found["ece"]
    # A fold of another temperature is not calibrated by the others.
    odd = subplane_scores([*parts, held(600, 30.0, 9, heads=5, rejects=5)])
    assert odd["ece"] > found["ece"] + 0.02


def test_without_subplanes_there_is_nothing_to_score():
    fold = held(50)
    fold.sublabel[:] = -1
    assert subplane_scores([fold]) is None
    assert calibrate([fold]).subplanes is None
