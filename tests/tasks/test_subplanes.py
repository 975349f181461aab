"""The sub-planes task, over an encoder whose texts are known vectors."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.clinical.prompts import load_prompts, prompt_sets
from fetalclip.clinical.vocabulary import SUBPLANES
from fetalclip.data.readers.planes_db import SUBPLANES as PUBLISHED
from fetalclip.result import PlaneScores
from fetalclip.tasks import SubplaneRule, SubplaneTask

THREE = load_prompts("brain-3")


class Known:
    """An encoder that points every text of a sub-plane along an axis of its own; others along a fourth."""

    scale = 10.0

    def texts(self, texts):
        axis = [next((i for i, prompts in enumerate(THREE.values()) if text in prompts), 3) for text in texts]
        return 2.0 * np.eye(4, dtype=np.float32)[axis]


def task(**rule) -> SubplaneTask:
    return SubplaneTask(Known(), SubplaneRule(**rule))


def test_the_prompts_are_five_of_each_subplane_in_the_vocabularys_words():
    assert "brain-3" in prompt_sets()
    assert list(THREE) == list(SUBPLANES) == [name for name in PUBLISHED.values() if name]
    for name, texts in THREE.items():
        assert len(texts) == len(set(texts)) == 5
        assert all(any(words in text for words in SUBPLANES[name]) for text in texts)
        others = [words for other, phrases in SUBPLANES.items() if other != name for words in phrases]
        assert not any(words in text for text in texts for words in others)


def test_each_subplane_is_found():
    found = task()(np.eye(4, dtype=np.float32)[:3])
    assert [scores.label for scores in found] == list(THREE)
    for scores in found:
        assert sum(scores.scores.values()) == pytest.approx(1)
        assert (scores.abstained, scores.reason, scores.outlier) == (False, "", None)


def test_the_temperature_divides_the_logits():
    x = np.array([[1.0, 0.5, 0.0, 0.0]], np.float32)
    one, two = (task(temperature=t)(x)[0] for t in (1.0, 2.0))

    def odds(scores):
        return np.log(scores["trans-thalamic"] / scores["trans-cerebellum"])

    assert odds(one) == pytest.approx(2 * odds(two), rel=1e-4)
    assert odds(one) == pytest.approx(10 * 0.5 / np.hypot(1, 0.5), rel=1e-4)


def test_below_the_least_probability_it_abstains_and_keeps_its_scores():
    x = np.array([[1.0, 0.99, 0.0, 0.0]], np.float32)
    p = task()(x)[0].probability
    shy, bold = (task(min_probability=p + step)(x)[0] for step in (1e-6, -1e-6))
    assert (shy.abstained, bold.abstained) == (True, False)
    assert "likely enough" in shy.reason
    assert bold.reason == ""
    assert (shy.label, shy.probability) == (bold.label, bold.probability) == ("trans-thalamic", p)


def test_own_candidates():
    found = task()(np.eye(4, dtype=np.float32)[3:], {"a": ["x"], "b": THREE["trans-thalamic"]})[0]
    assert found.label == "a"
    assert list(found.scores) == ["a", "b"]
    assert task()(np.zeros((0, 4), np.float32)) == []


def test_it_is_asked_of_brains_that_were_not_refused():
    brain = {"brain": 0.9, "femur": 0.1}
    assert task().applies(PlaneScores(brain))
    assert not task().applies(PlaneScores(brain, abstained=True))
    assert not task().applies(PlaneScores({"brain": 0.1, "femur": 0.9}))
    assert task(of="femur").applies(PlaneScores({"brain": 0.1, "femur": 0.9}))


def test_the_rule_comes_from_the_config():
    assert SubplaneRule.from_config({"planes": {}}) is None
    found = SubplaneRule.from_config({"subplanes": {"prompts": "mine", "temperature": 2, "min_probability": 0.25}})
    assert found == SubplaneRule("mine", 2.0, 0.25, "brain")
