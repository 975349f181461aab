"""What abstention would buy: the share of wrong answers among the surest ones, for every share that is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.metrics.calibration import pairs, ranked
from fetalclip.metrics.scores import Reals

POINTS = 100  # of a curve, at most


@dataclass(frozen=True)
class RiskPoint:
    """One point of a risk-coverage curve.

    Attributes:
        threshold: answers of this probability or more are kept.
        coverage: share of answers kept.
        risk: share of wrong ones among them.
    """

    threshold: float
    coverage: float
    risk: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return dict(self.__dict__)


def risk_coverage_curve(
    probability: Reals, correct: npt.NDArray[np.bool_], points: int = POINTS
) -> tuple[RiskPoint, ...]:
    """Risk of the answers kept, at each probability that could be the threshold; coverage rises to 1.

    Source: El-Yaniv & Wiener, J Mach Learn Res 2010;11:1605-1641; Geifman & El-Yaniv, NeurIPS 2017.

    Args:
        probability: probability of the answer given, 0 to 1, (n,).
        correct: whether that answer was right, (n,).
        points: at most so many, evenly taken; the last one keeps every answer.

    Raises:
        UsageError: the arrays differ in length, or a probability is not within 0 and 1.
    """
    p, right = pairs(probability, correct)
    if p.size == 0:
        return ()
    p, wrong = _surest_first(p, right)
    ends = np.flatnonzero(np.append(p[1:] != p[:-1], True))  # last answer of each probability
    if ends.size > points:
        ends = ends[np.round(np.linspace(0, ends.size - 1, points)).astype(np.int64)]
    kept, risk = (ends + 1) / p.size, np.cumsum(wrong)[ends] / (ends + 1)
    return tuple(RiskPoint(float(t), float(k), float(r)) for t, k, r in zip(p[ends], kept, risk, strict=True))


def area_under_risk_coverage(probability: Reals, correct: npt.NDArray[np.bool_]) -> float:
    """Area under the risk-coverage curve (AURC): mean over k of the share of wrong ones among the k surest answers.

    0 is best; answers in random order have the share of wrong answers. Answers of one probability count with the
    mean of every order they could stand in, so that their order plays no part. NaN without answers. Source: Geifman,
    Uziel & El-Yaniv, ICLR 2019.

    Arguments and errors as `risk_coverage_curve`.
    """
    p, right = pairs(probability, correct)
    if p.size == 0:
        return math.nan
    _, wrong = _surest_first(p, right)
    return float((np.cumsum(wrong) / np.arange(1, p.size + 1)).mean())


def _surest_first(p: Reals, right: Reals) -> tuple[Reals, Reals]:
    """Probabilities, falling, and how wrong each answer is, 0 to 1."""
    p, right = ranked(p, right)
    return p[::-1], 1.0 - right[::-1]
