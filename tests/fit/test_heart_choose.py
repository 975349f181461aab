"""What held-out scores decide, on scores whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.fit.heart_choose import Held, believed, calibrated, choose
from fetalclip.metrics import expected_calibration_error


def sample(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """True logits and what came of them."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-1, 2, count)
    return z, rng.random(count) < 1 / (1 + np.exp(-z))


def test_logits_that_are_too_sure_and_shifted_are_mended():
    z, there = sample(4000, 0)
    temperature, offset = calibrated(3 * z + 2, there)
    assert temperature == pytest.approx(3, rel=0.1)
    assert offset == pytest.approx(-2 / 3, abs=0.15)
    new, true = sample(4000, 1)
    raw = 1 / (1 + np.exp(-(3 * new + 2)))
    mended = 1 / (1 + np.exp(-((3 * new + 2) / temperature + offset)))
    assert expected_calibration_error(mended, true) < 0.03 < expected_calibration_error(raw, true)


def test_scores_that_part_the_clips_do_not_become_certain():
    temperature, offset = calibrated(np.array([-1.0, -2.0, 1.0, 2.0]), np.array([False, False, True, True]))
    p = 1 / (1 + np.exp(-(1.0 / temperature + offset)))
    assert 0.6 < p < 0.95


def test_the_true_answer_is_believed_as_often_as_it_should_be():
    z, there = sample(8000, 2)
    p = 1 / (1 + np.exp(-z))
    absent, present = believed(p[None], there, 0.9)
    new, true = sample(5000, 3)
    q = 1 / (1 + np.exp(-new))
    covered = np.where(true, 1 - q <= present, q <= absent)
    assert covered[true].mean() == pytest.approx(0.9, abs=0.025)
    assert covered[~true].mean() == pytest.approx(0.9, abs=0.025)


def test_few_clips_of_a_kind_leave_its_answer_open():
    assert believed(np.array([[0.9, 0.1, 0.2]]), np.array([True, False, False]), 0.9) == (1.0, 1.0)


def test_the_better_way_of_joining():
    z, there = sample(200, 4)
    labels = np.stack([there.astype(float), np.full(200, np.nan)], axis=1)
    labels[:60, 1] = there[:60]
    good, bad = np.stack([z, z], axis=1)[:, None], np.random.default_rng(0).normal(size=(200, 1, 2))
    held = [Held({"mean": bad, "log-mean-exp": good}) for _ in range(2)]
    found = choose(held, labels, ("a", "b"), 0.9)
    assert found.join == "log-mean-exp"
    assert found.results["findings"]["b"]["n"] == 60
    assert found.probability.shape == (200, 2)
    assert found.results["auroc"] > 0.8
