"""Scores of answers: confusion, F1, accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.errors import UsageError

Counts = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


def encode(names: Sequence[str], labels: Sequence[str]) -> Index:
    """Position of every name in ``labels``, (n,).

    Raises:
        UsageError: a name is not among them.
    """
    where = {label: position for position, label in enumerate(labels)}
    strange = next((name for name in names if name not in where), None)
    if strange is not None:
        raise UsageError(f"the class {strange!r}", "one of " + ", ".join(labels))
    return np.fromiter((where[name] for name in names), dtype=np.int64, count=len(names))


def confusion_matrix(truth: Index, predicted: Index, classes: int) -> Counts:
    """Counts of (truth, predicted) pairs.

    Args:
        truth: class numbers 0 to ``classes`` - 1, (n,).
        predicted: likewise, (n,).
        classes: number of classes K.

    Returns:
        (K, K): rows are the truth, columns what was predicted.

    Raises:
        UsageError: the arrays differ in length or hold a number out of range.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise UsageError(f"truth of shape {truth.shape}, answers of shape {predicted.shape}", "(n,) twice")
    both = np.concatenate([truth, predicted])
    if both.size and (both.min() < 0 or both.max() >= classes):
        raise UsageError(f"class numbers from {both.min()} to {both.max()}", f"0 to {classes - 1}")
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def f1_scores(confusion: Counts) -> Reals:
    """F1 of every class, (K,): 2 TP / (2 TP + FP + FN); NaN for a class that does not occur in the truth.

    Source: van Rijsbergen, Information Retrieval, 1979; the harmonic mean of precision and recall.
    """
    hits = np.diagonal(confusion).astype(np.float64)
    truth, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    scores = np.full(hits.shape, np.nan)
    there = truth > 0
    scores[there] = 2 * hits[there] / (truth[there] + predicted[there])
    return scores


def macro_f1(confusion: Counts) -> float:
    """Plain mean of F1 over the classes that occur in the truth; NaN when none does.

    A prediction outside those classes is a miss of its true class and adds no class of its own, so distractor
    candidates can lower the score and never dilute it.
    """
    scores = f1_scores(confusion)
    there = ~np.isnan(scores)
    return float(scores[there].mean()) if there.any() else math.nan


def accuracy(confusion: Counts) -> float:
    """Share of pictures given their true class; NaN without pictures."""
    total = int(confusion.sum())
    return float(np.trace(confusion) / total) if total else math.nan


def middle_of_best(scores: Reals, values: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    """Of the ``count`` values with the largest score, in rising order, element ``count // 2``.

    Args:
        scores: (n, values).
        values: the value of each column, rising.
        count: how many.

    Returns:
        (n,), of the values' type. Of equal scores the earlier column counts as larger.
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    return np.asarray(values[np.sort(best, axis=1)[:, count // 2]])
