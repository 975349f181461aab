"""Scores of a yes-or-no question: areas under curves, sensitivity at a specificity, conformal sets of two answers."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fetalclip.errors import UsageError
from fetalclip.metrics.scores import Reals

Flags = npt.NDArray[np.bool_]


def auroc(score: Reals, there: Flags) -> float:
    """Area under the receiver operating characteristic: the chance that a positive scores above a negative.

    Equal scores count half. Source: Hanley & McNeil, Radiology 1982;143:29-36 (the Mann-Whitney form).

    Args:
        score: the higher, the likelier, (n,).
        there: whether it is there, (n,).

    Returns:
        0 to 1; NaN unless both kinds are there.

    Raises:
        UsageError: the arrays differ in length, or a score is no number.
    """
    score, there = _pairs(score, there)
    positives = int(there.sum())
    negatives = there.size - positives
    if not positives or not negatives:
        return math.nan
    _, where, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - 0.5 * (counts - 1))[where]  # mean rank of equal scores, from 1
    return float((ranks[there].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(score: Reals, there: Flags) -> float:
    """Area under the precision-recall curve as average precision: sum of precision times the step in recall.

    Equal scores are one step. Without skill it is the share of positives. Source: Davis & Goadrich, ICML 2006, without
    their interpolation. Arguments and errors as `auroc`; NaN without a positive.
    """
    score, there = _pairs(score, there)
    positives = int(there.sum())
    if not positives:
        return math.nan
    hits, taken = _steps(score, there)
    return float((np.diff(hits, prepend=0) / positives * (hits / taken)).sum())


def sensitivity_at(score: Reals, there: Flags, specificity: float = 0.9) -> float:
    """The largest share of positives found by a threshold that leaves at least ``specificity`` of the negatives alone.

    Arguments and errors as `auroc`; NaN unless both kinds are there.
    """
    score, there = _pairs(score, there)
    positives = int(there.sum())
    negatives = there.size - positives
    if not positives or not negatives:
        return math.nan
    hits, taken = _steps(score, there)
    allowed = taken - hits <= math.floor((1 - specificity) * negatives + 1e-9)
    return float(hits[allowed].max(initial=0) / positives)


def conformal_quantile(nonconformity: Reals, level: float) -> float:
    """The bound that a further value stays under with a chance of at least ``level``; infinite for too few values.

    The ceil((n + 1) level)-th smallest of n. Source: Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World,
    2005; Lei et al., J Am Stat Assoc 2018;113:1094-1111 (split conformal).

    Args:
        nonconformity: of held-out cases, (n,).
        level: the chance, 0 to 1.
    """
    n = len(nonconformity)
    place = math.ceil((n + 1) * level - 1e-9)
    return math.inf if place > n else float(np.sort(nonconformity)[max(place, 1) - 1])


def _steps(score: Reals, there: Flags) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Positives found and cases taken at each threshold that parts the scores, the highest first."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # last case of each score
    return np.cumsum(there[order].astype(np.int64))[ends], ends.astype(np.int64) + 1


def _pairs(score: Reals, there: Flags) -> tuple[Reals, Flags]:
    score, there = np.asarray(score, dtype=np.float64), np.asarray(there, dtype=bool)
    if score.shape != there.shape or score.ndim != 1:
        raise UsageError(f"scores of shape {score.shape} for answers of shape {there.shape}", "(n,) twice")
    if not np.isfinite(score).all():
        raise UsageError("a score that is no number", "numbers")
    return score, there
