"""What held-out scores decide, on scores whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.fit.heart_choose import Held, _mix, believed, calibrated, choose
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


def branches(count: int = 600, seeds: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Three branches for one finding: one knows, one guesses, one says the opposite; (seeds, n, 3, 1) and labels."""
    z, there = sample(count, 6)
    rng = np.random.default_rng(7)
    table = np.stack([np.stack([z, rng.normal(0, 2, count), -z], axis=1) for _ in range(seeds)])
    return table[..., None], there[:, None].astype(float)


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_useless_branch_weighs_nothing(seeds):
    table, labels = branches(seeds=seeds)
    labels[::7] = np.nan
    mix = _mix(table, labels)
    assert mix.shape == (3, 1)
    assert mix[0, 0] == pytest.approx(1, abs=0.2)  # its logits are the true ones
    assert mix[1, 0] < 0.1
    assert mix[2, 0] == pytest.approx(0, abs=0.01)  # never below 0: a branch is left out, not turned round


def test_branches_that_know_different_things_both_count():
    rng = np.random.default_rng(8)
    x = rng.normal(0, 1, (4000, 2))
    there = rng.random(4000) < 1 / (1 + np.exp(-(2 * x[:, 0] + 1 * x[:, 1] - 1)))
    mix = _mix(x[None, :, :, None], there[:, None].astype(float))
    assert mix[:, 0] == pytest.approx([2, 1], abs=0.25)


def test_each_finding_has_weights_of_its_own():
    table, labels = branches()
    other = np.concatenate([table, table[:, :, [1, 0, 2]], table], axis=3)  # the second knows by its second branch
    three = np.concatenate([labels, labels, np.full_like(labels, np.nan)], axis=1)
    three[:5, 2] = 1.0  # of one kind only
    mix = _mix(other, three)
    assert mix[:, 0].argmax() == 0
    assert mix[:, 1].argmax() == 1
    assert mix[:, 2].tolist() == [1, 1, 1]
    assert _mix(other[:, :, :1], three).tolist() == [[1, 1, 1]]


def test_the_choice_says_what_each_branch_is_worth():
    table, labels = branches(seeds=2)
    held = [Held({"mean": one, "log-mean-exp": one[:, [1, 1, 2]]}) for one in table]
    found = choose(held, labels, ("a",), 0.9)
    assert found.join == "mean"
    assert found.mix.shape == (3, 1)
    assert found.results["auroc"] > 0.8
    assert found.results["branches"] == pytest.approx(
        [found.results["auroc"], 0.5, 1 - found.results["auroc"]], abs=0.06
    )
    p, true = found.probability[:, 0], labels[:, 0] > 0.5
    assert expected_calibration_error(p, true) < 0.06
