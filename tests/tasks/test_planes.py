"""The planes task, over an encoder whose texts are known vectors: what is computed can be said by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetalclip.clinical.prompts import load_prompts
from fetalclip.clinical.vocabulary import REJECTS
from fetalclip.tasks import TASKS, PlaneRule, PlaneTask
from fetalclip.tasks.planes import softmax

DIM = 16
NINE = list(load_prompts("planes-9"))
GROUPS = {**load_prompts("planes-9"), **{name: list(texts) for name, texts in REJECTS.items()}}
AXIS = {name: i for i, name in enumerate(GROUPS)}


class Known:
    """An encoder that points every text of a group along the group's own axis, others by their letters."""

    scale = 10.0

    def texts(self, texts):
        return np.stack([self._one(text) for text in texts])

    def _one(self, text: str) -> np.ndarray:
        for name, prompts in GROUPS.items():
            if text in prompts:
                return 3.0 * np.eye(DIM, dtype=np.float32)[AXIS[name]]
        return np.random.default_rng(list(text.encode())).normal(size=DIM).astype(np.float32)


def picture(**shares: float) -> np.ndarray:
    """One raw embedding (1, d) leaning to these groups."""
    found = np.zeros((1, DIM), np.float32)
    for name, share in shares.items():
        found[0, AXIS[name.replace("_", " ") if name in ("not_ultrasound", "no_anatomy") else name]] = share
    return found


def task(**rule) -> PlaneTask:
    return PlaneTask(Known(), PlaneRule(**rule))


def random_pictures(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, DIM)).astype(np.float32)


def test_the_name_is_a_known_task():
    assert PlaneTask.name in TASKS


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 5), st.integers(0, 10**6), st.floats(0.05, 20.0))
def test_probabilities_sum_to_one(n, seed, temperature):
    found = task(temperature=temperature)(random_pictures(n, seed))
    assert len(found) == n
    for scores in found:
        assert list(scores.scores) == NINE
        assert sum(scores.scores.values()) == pytest.approx(1)
        assert all(0 <= p <= 1 for p in scores.scores.values())
        assert 0 <= scores.outlier <= 1


def test_the_picture_gets_the_plane_it_leans_to():
    for name in NINE:
        scores = task()(picture(**{name: 2.0}))[0]
        assert scores.label == name
        # One cosine of 1 and eight of 0, scale 10.
        assert scores.probability == pytest.approx(np.exp(10) / (np.exp(10) + 8), rel=1e-4)


def test_the_length_of_an_embedding_plays_no_part():
    x = random_pictures(3)
    for one, other in zip(task()(x), task()(x * 100), strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-5)
        assert one.outlier == pytest.approx(other.outlier, abs=1e-5)


def test_the_temperature_divides_the_logits():
    x = picture(brain=1.0, femur=0.5)
    one, two = (task(temperature=t)(x)[0] for t in (1.0, 2.0))

    def odds(scores):
        return np.log(scores["brain"] / scores["femur"])

    assert odds(one) == pytest.approx(2 * odds(two), rel=1e-4)
    assert odds(one) == pytest.approx(10 * 0.5 / np.hypot(1, 0.5), rel=1e-4)


def test_prompts_are_normalised_averaged_and_normalised():
    class Two(Known):
        def texts(self, texts):
            return np.array([{"x": [8.0, 0.0], "y": [0.0, 0.5], "z": [-1.0, 0.0]}[t] for t in texts], np.float32)

    found = PlaneTask(Two(), PlaneRule()).class_embeddings({"a": ["x", "y"], "b": ["z"]})
    np.testing.assert_allclose(found, [[2**-0.5, 2**-0.5], [-1, 0]], rtol=1e-6)


def test_the_order_of_candidates_and_prompts_plays_no_part():
    prompts = {f"class {i}": [f"prompt {i} {j}" for j in range(3)] for i in range(5)}
    turned = {name: texts[::-1] for name, texts in reversed(prompts.items())}
    for one, other in zip(task()(random_pictures(4), prompts), task()(random_pictures(4), turned), strict=True):
        assert list(one.scores) == list(prompts)
        assert list(other.scores) == list(turned)
        assert dict(one.scores) == pytest.approx(dict(other.scores), abs=1e-6)
        assert one.outlier == other.outlier


def test_a_picture_is_scored_alone():
    x = random_pictures(5)
    together = task()(x)
    for i in range(5):
        assert task()(x[i : i + 1])[0].scores == pytest.approx(together[i].scores, abs=1e-6)


def test_outlier_is_the_share_of_the_rejects_among_known_planes_and_rejects():
    assert task().outlier(picture(brain=1.0))[0] < 1e-3
    assert task().outlier(picture(not_ultrasound=1.0))[0] > 0.999
    assert task().outlier(picture(no_anatomy=1.0))[0] > 0.999
    # Level with one known plane and one reject: half.
    level = picture(brain=1.0, not_ultrasound=1.0)
    assert task().outlier(level)[0] == pytest.approx(0.5, abs=0.01)


def test_outlier_is_asked_of_the_models_planes_whatever_the_candidates():
    x = random_pictures(3)
    few = {"a cat": ["a cat"], "a dog": ["a dog"]}
    rule = {"temperature": 0.3}
    for one, other in zip(task(**rule)(x, few), task()(x), strict=True):
        assert one.outlier == pytest.approx(other.outlier)


@pytest.mark.parametrize("threshold", [0.2, 0.4, 0.6, 0.8])
def test_above_the_outlier_threshold_it_abstains(threshold):
    for share in (0.0, 0.9, 0.95, 1.0, 1.05, 1.1, 2.0):
        x = picture(brain=1.0, not_ultrasound=share)
        scores = task(outlier_threshold=threshold, min_probability=0.0)(x)[0]
        assert scores.abstained == (scores.outlier > threshold)
        assert bool(scores.reason) == scores.abstained
        assert scores.label == "brain"  # kept when abstained


def test_below_the_least_probability_it_abstains():
    x = picture(brain=1.0, femur=0.99)
    p = task()(x)[0].probability
    assert 0.4 < p < 0.6
    shy = task(min_probability=p + 1e-6, outlier_threshold=1.0)(x)[0]
    bold = task(min_probability=p - 1e-6, outlier_threshold=1.0)(x)[0]
    assert shy.abstained
    assert "likely enough" in shy.reason
    assert not bold.abstained
    assert (bold.reason, bold.label) == ("", "brain")


def test_not_a_plane_is_the_reason_told_first():
    x = picture(not_ultrasound=1.0)
    scores = task(min_probability=0.99, outlier_threshold=0.5)(x)[0]
    assert "does not look like" in scores.reason


def test_the_rules_own_prompt_set_is_the_default():
    assert list(task(prompts="planes-4")(random_pictures(1))[0].scores) == list(load_prompts("planes-4"))


def test_a_supervised_models_projection_is_its_answer():
    rule = {"classes": ("abdomen", "brain"), "outlier_threshold": 0.0, "min_probability": 0.99, "temperature": 2.0}
    found = task(**rule)(np.array([[0.0, 2.0], [4.0, 0.0]], np.float32))
    assert [s.label for s in found] == ["brain", "abdomen"]
    assert found[0]["brain"] == pytest.approx(1 / (1 + np.exp(-1)))
    assert [(s.abstained, s.outlier) for s in found] == [(False, None)] * 2


def test_the_rule_comes_from_the_config():
    planes = {"prompts": "planes-4", "temperature": 2, "outlier_threshold": 0.25, "min_probability": 0.125}
    assert PlaneRule.from_config({"planes": planes}) == PlaneRule("planes-4", 2.0, 0.25, 0.125)
    named = PlaneRule.from_config({"planes": {**planes, "classes": ["a", "b"]}})
    assert named.classes == ("a", "b")


def test_softmax_of_huge_numbers_is_finite():
    table = softmax(np.array([[1e30, 0.0], [-1e30, -1e30], [5.0, 5.0]], np.float32))
    np.testing.assert_allclose(table, [[1, 0], [0.5, 0.5], [0.5, 0.5]])
    assert softmax(np.zeros((0, 3), np.float32)).shape == (0, 3)
