"""Calibrate the age rule on pictures the model was not trained on: bias, expected error, conformal interval.

What is measured is measured by cross-fitting over groups, so that no picture is judged by a correction that saw it.
The interval is split-conformal with the groups as the exchangeable units: a group's pictures share one weight
(Lee, Barber and Willett 2023, arXiv 2306.06342).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import combinations

import numpy as np
import numpy.typing as npt

from fetalclip.clinical.age_prompts import DAYS, DEFAULT_TEMPLATES
from fetalclip.clinical.growth import FIRST_DAY, LAST_DAY
from fetalclip.errors import BadValue
from fetalclip.tasks.age_rule import AgeRule, Floats, Summary, check_scores, corrected, expected_error, summarise

_KNOTS = 5
_FOLDS = 5
_LEAST = 20  # groups; fewer tell nothing of a tail of a tenth
_TEMPERATURES = np.geomspace(0.02, 3.0, 24)  # of the scores' spread about their row's mean
_TAIL = 0.005  # share of the calibration pictures beyond each threshold of doubt
_FLOOR = 0.5  # days; no error is expected to be smaller


@dataclass(frozen=True)
class _Sample:
    """Scores (n, days), true ages (n,), weights (n,) that sum to 1 within a group, folds (n,)."""

    scores: Floats
    truth: Floats
    weights: Floats
    folds: npt.NDArray[np.int64]


def fit_age_rule(
    scores: npt.ArrayLike,
    truth: npt.ArrayLike,
    groups: Sequence[Hashable],
    templates: str = DEFAULT_TEMPLATES,
    level: float = 0.9,
    days: Sequence[int] = DAYS,
) -> AgeRule:
    """The rule that answers new pictures best, with an interval that holds ``level`` of them.

    The temperature is the one whose corrected estimates err least; the correction is piecewise straight, by least
    squares; the expected error is a sum of what the posterior's spread and the age tell, none of them negative.

    Args:
        scores: (n, days) of pictures held out from training, in the units the rule will be used with.
        truth: (n,) true ages in days, 98 to 280.
        groups: (n,) patient or examination of each picture.
        templates: name of the bundled set the scores come from.
        level: coverage of the interval, 0.5 to below 1.
        days: the candidate of each column.

    Raises:
        BadValue: shapes that do not agree, an age that is none, fewer than 20 groups or too few for the level, or
            scores that do not change with the picture.
    """
    sample = _sample(scores, truth, groups, level, days)
    unit = float(np.median(sample.scores.std(axis=1)))
    if not unit > 0:
        raise BadValue("scores that are the same for every day", "scores of a model that tells days apart")
    tried = [summarise(sample.scores, float(t) * unit, days) for t in _TEMPERATURES]
    fitted = [_crossfit(one.mean, sample) for one in tried]
    errors = [float(np.average(np.abs(one - sample.truth), weights=sample.weights)) for one in fitted]
    best = int(np.argmin(errors))
    summary, residuals = tried[best], np.abs(fitted[best] - sample.truth)
    spread, expected = _spread(summary, fitted[best], residuals, sample)
    return AgeRule(
        templates=templates,
        temperature=float(_TEMPERATURES[best]) * unit,
        knots=_knots(summary.mean, sample.truth, sample.weights),
        spread=spread,
        quantile=conformal(residuals / expected, sample.weights, level),
        level=level,
        max_sd=1.25 * float(np.quantile(summary.sd, 1 - _TAIL)),
        max_edge=max(0.5, float(np.quantile(summary.edge, 1 - _TAIL))),
    )


def conformal(ratios: Floats, weights: Floats, level: float) -> float:
    """The number that the ratio of a new picture of a new group stays below with probability ``level``.

    Args:
        ratios: (n,).
        weights: (n,), 1 a group in all.
        level: 0 to 1.

    Raises:
        BadValue: too few groups for the level.
    """
    groups = float(weights.sum())
    order = np.argsort(ratios)
    reached = np.cumsum(weights[order])
    wanted = level * (groups + 1) - 1e-9  # one more for the new group, which may be larger than all
    place = int(np.searchsorted(reached, wanted))
    if place >= len(order):
        raise BadValue(f"{groups:.0f} groups for a level of {level:g}", f"{math.ceil(level / (1 - level))} or more")
    return float(ratios[order][place])


def _sample(
    scores: npt.ArrayLike, truth: npt.ArrayLike, groups: Sequence[Hashable], level: float, days: Sequence[int]
) -> _Sample:
    table, ages = check_scores(scores, days), np.asarray(truth, dtype=np.float64)
    if ages.shape != (len(table),) or len(groups) != len(table):
        found = f"{len(table)} rows of scores, {ages.size} ages, {len(groups)} groups"
        raise BadValue(found, "one age and one group for each row")
    wrong = np.flatnonzero(~((ages >= FIRST_DAY) & (ages <= LAST_DAY)))
    if len(wrong):
        raise BadValue(f"an age of {ages[wrong[0]]:g} days in row {wrong[0]}", f"{FIRST_DAY} to {LAST_DAY} days")
    if not 0.5 <= level < 1:
        raise BadValue(f"a level of {level:g}", "0.5 to below 1, such as 0.9")
    names, which, sizes = np.unique([str(group) for group in groups], return_inverse=True, return_counts=True)
    if len(names) < _LEAST:
        raise BadValue(f"{len(names)} groups to calibrate an age on", f"{_LEAST} or more patients or examinations")
    # By a hash: the numbers of HC18's examinations are sorted by the size of the head.
    order = sorted(range(len(names)), key=lambda i: sha256(str(names[i]).encode()).digest())
    fold = np.empty(len(names), dtype=np.int64)
    fold[order] = np.arange(len(names)) % _FOLDS
    return _Sample(table, ages, 1.0 / sizes[which], fold[which])


def _knots(mean: Floats, truth: Floats, weights: Floats) -> tuple[tuple[float, float], ...]:
    """Piecewise straight and rising least squares of the truth on the posterior mean."""
    steps = np.linspace(0, 1, _KNOTS)
    # Halfway between even steps, which leave the rare ages little, and quantiles, which leave them a long last piece.
    x = 0.5 * (np.quantile(mean, steps) + mean.min() + steps * np.ptp(mean))
    x = x[np.append(True, np.diff(x) > 0.1)]  # days; a shorter piece has no slope worth the name
    if len(x) < 2:
        raise BadValue("scores that are the same for every picture", "scores of a model that tells ages apart")
    hats = np.stack([np.interp(mean, x, row) for row in np.eye(len(x))], axis=1)
    root = np.sqrt(weights)
    y = np.maximum.accumulate(np.linalg.lstsq(hats * root[:, None], truth * root, rcond=None)[0])
    return tuple(zip(x.tolist(), y.tolist(), strict=True))


def _crossfit(mean: Floats, sample: _Sample) -> Floats:
    """Corrected ages (n,), each by knots from the other folds."""
    made = np.empty_like(mean)
    for fold in range(_FOLDS):
        out = sample.folds == fold
        made[out] = corrected(mean[out], _knots(mean[~out], sample.truth[~out], sample.weights[~out]))
    return made


def _spread(
    summary: Summary, ages: Floats, residuals: Floats, sample: _Sample
) -> tuple[tuple[float, float, float], Floats]:
    """The expected error's coefficients, and its cross-fitted values (n,)."""
    expected = np.empty_like(residuals)
    for fold in range(_FOLDS):
        out = sample.folds == fold
        part = _positive_least_squares(summary.sd[~out], ages[~out], residuals[~out], sample.weights[~out])
        expected[out] = expected_error(part, summary.sd[out], ages[out])
    return _positive_least_squares(summary.sd, ages, residuals, sample.weights), expected


def _positive_least_squares(sd: Floats, age: Floats, residuals: Floats, weights: Floats) -> tuple[float, float, float]:
    """Least squares of the residuals on (1, sd, age - 98) without negative coefficients: the best of all subsets."""
    columns, root = np.stack([np.ones_like(sd), sd, age - FIRST_DAY], axis=1), np.sqrt(weights)
    best, least = np.array([max(float(np.average(residuals, weights=weights)), _FLOOR), 0.0, 0.0]), math.inf
    for size in (1, 2, 3):
        for chosen in map(list, combinations(range(3), size)):
            part = np.linalg.lstsq(columns[:, chosen] * root[:, None], residuals * root, rcond=None)[0]
            found = np.zeros(3)
            found[chosen] = part
            loss = float((weights * (columns @ found - residuals) ** 2).sum())
            if (part >= 0).all() and (columns @ found).min() >= _FLOOR and loss < least:
                best, least = found, loss
    return float(best[0]), float(best[1]), float(best[2])
