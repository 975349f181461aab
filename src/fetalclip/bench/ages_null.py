"""What an age gets without looking at the picture: one age for all, and the pixel spacing alone.

Sonographers set the depth to the size of the fetus, so the spacing by itself tells much of the age. A model is worth
what it adds to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fetalclip.bench.ages import Ages
from fetalclip.metrics import Reals

Fitted = tuple[Reals, Reals, Sequence[str]]  # spacing (mm per pixel), age (days), examination; (m,) each


def null_rows(ages: Ages, spacing: Reals | None, known: Fitted | None = None) -> dict[str, dict[str, Any]]:
    """Valid predictions, mean absolute error and bias of both.

    Args:
        ages: the heads of the protocol; their estimates are not used.
        spacing: mm per native pixel of each, (n,), or None where it is not known.
        known: heads that the curve of the spacing may be fitted on; None takes the given ones. No head is ever
            estimated by a curve fitted on its own examination.
    """
    if not len(ages):
        return {}
    median = float(np.round(np.median(ages.age)))
    found = {"constant age": {"days": median, **_scores(ages, np.full(len(ages), median))}}
    if spacing is not None:
        fitted = known if known is not None else (spacing, ages.age, ages.group)
        estimated = by_spacing(spacing, ages.group, fitted)
        if np.isfinite(estimated).any():
            found["pixel spacing alone"] = _scores(ages, estimated)
    return found


def by_spacing(spacing: Reals, group: Sequence[str], known: Fitted) -> Reals:
    """Age by spacing: a rising curve (isotonic regression) fitted on every other examination; days, (n,).

    Source: Barlow et al., Statistical Inference under Order Restrictions, 1972 (pool adjacent violators). It has
    nothing to choose, so nothing of it was chosen on the heads it is tried on.

    Args:
        spacing: mm per native pixel, (n,).
        group: examination of each, (n,).
        known: heads to fit on; those of the examination in question are left out, so one alone gives NaN.
    """
    x, y, groups = np.asarray(known[0]), np.asarray(known[1]), np.asarray(known[2])
    mine = np.asarray(group)
    found = np.full(len(spacing), np.nan)
    for name in dict.fromkeys(group):
        others, here = groups != name, mine == name
        if others.any():
            found[here] = _isotonic(x[others], y[others], spacing[here])
    return found


def _isotonic(x: Reals, y: Reals, at: Reals) -> Reals:
    """The rising curve of least squares through (x, y), straight between its points, read off at ``at``."""
    places, where, counts = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(where, weights=y) / counts
    levels: list[list[float]] = []  # mean, weight, number of places
    for mean, weight in zip(means.tolist(), counts.tolist(), strict=True):
        levels.append([mean, float(weight), 1])
        while len(levels) > 1 and levels[-2][0] > levels[-1][0]:
            last, before = levels.pop(), levels.pop()
            both = before[1] + last[1]
            levels.append([(before[0] * before[1] + last[0] * last[1]) / both, both, before[2] + last[2]])
    curve = np.repeat([level[0] for level in levels], [int(level[2]) for level in levels])
    return np.interp(at, places, curve)


def _scores(ages: Ages, days: Reals) -> dict[str, float]:
    said = Ages(ages.hc, ages.group, days)
    off = (days - ages.age)[said.given]
    return {
        "valid_prediction_rate": float(said.valid.mean()),
        "mae": float(np.abs(off).mean()),
        "bias": float(off.mean()),
    }
