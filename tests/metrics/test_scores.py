"""Scores against hand counts and slow definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetalclip import metrics
from fetalclip.errors import UsageError

LABELS = ["a", "b", "c", "d"]


def _confusion(truth: str, predicted: str) -> metrics.Counts:
    return metrics.confusion_matrix(
        metrics.encode(list(truth), LABELS), metrics.encode(list(predicted), LABELS), len(LABELS)
    )


def test_confusion_has_truth_in_rows() -> None:
    counts = _confusion("aab", "abb")
    assert counts[0].tolist() == [1, 1, 0, 0]
    assert counts[1].tolist() == [0, 1, 0, 0]


def test_f1_by_hand() -> None:
    counts = _confusion("aaabb", "aabbb")  # a: P 1, R 2/3; b: P 2/3, R 1
    scores = metrics.f1_scores(counts)
    assert scores[:2] == pytest.approx([0.8, 0.8])
    assert np.isnan(scores[2:]).all()
    assert metrics.accuracy(counts) == pytest.approx(0.8)


def test_a_prediction_outside_the_truth_is_a_miss_and_no_class() -> None:
    assert metrics.macro_f1(_confusion("ab", "ac")) == pytest.approx(0.5)  # a 1, b 0; c does not count
    assert metrics.macro_f1(_confusion("ab", "ab")) == 1.0


def test_constant_answer_on_four_even_classes() -> None:
    # F1 of the answered class 2/5, the others 0
    assert metrics.macro_f1(_confusion("abcd", "aaaa")) == pytest.approx(0.1)


def test_nothing_gives_nan_and_no_warning() -> None:
    empty = _confusion("", "")
    assert math.isnan(metrics.macro_f1(empty))
    assert math.isnan(metrics.accuracy(empty))


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=40))
def test_macro_f1_equals_its_slow_definition(pairs: list[tuple[str, str]]) -> None:
    truth, predicted = "".join(t for t, _ in pairs), "".join(p for _, p in pairs)
    scores = []
    for label in sorted(set(truth)):
        hit = sum(t == p == label for t, p in pairs)
        wrong = sum(p == label != t for t, p in pairs)
        missed = sum(t == label != p for t, p in pairs)
        scores.append(2 * hit / (2 * hit + wrong + missed))
    assert metrics.macro_f1(_confusion(truth, predicted)) == pytest.approx(sum(scores) / len(scores))


def test_unknown_class_and_unequal_length_are_errors() -> None:
    with pytest.raises(UsageError, match="'x'"):
        metrics.encode(["x"], LABELS)
    with pytest.raises(UsageError):
        metrics.confusion_matrix(np.array([0]), np.array([0, 1]), 2)
    with pytest.raises(UsageError, match="class numbers"):
        metrics.confusion_matrix(np.array([0]), np.array([4]), 4)


def test_the_middle_of_the_best_is_by_value_and_of_equals_the_earlier():
    values = np.array([10, 20, 30, 40, 50])
    scores = np.array([[0.0, 5.0, 4.0, 0.0, 3.0], [1.0, 1.0, 1.0, 1.0, 1.0], [9.0, 0.0, 0.0, 8.0, 7.0]])
    assert metrics.middle_of_best(scores, values, 3).tolist() == [30, 20, 40]
    assert metrics.middle_of_best(scores, values, 1).tolist() == [20, 10, 10]
