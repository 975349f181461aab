"""From scores of days to an age: the published rule, and ours. Arrays only: no model, no torch.

Scores are 100 times the cosine of a picture with the texts of each candidate day, averaged over templates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.clinical.age_prompts import DAYS
from fetalclip.clinical.growth import FIRST_DAY, LAST_DAY
from fetalclip.errors import BadValue
from fetalclip.metrics import middle_of_best

Floats = npt.NDArray[np.float64]

TOP = 15  # days of the published rule
_EDGE = 7  # outermost candidates at each end that count as the edge


def published_days(scores: npt.ArrayLike, days: Sequence[int] = DAYS, top: int = TOP) -> npt.NDArray[np.int64]:
    """The published rule: of the ``top`` days with the largest scores, sorted by day, element ``top // 2``.

    Args:
        scores: (n, days).
        days: the candidate of each column.
        top: how many days.

    Returns:
        (n,) days.

    Raises:
        BadValue: another number of columns than days, fewer days than ``top``, or a score that is no number.
    """
    table, candidates = check_scores(scores, days), np.asarray(days, dtype=np.int64)
    if not 1 <= top <= len(candidates):
        raise BadValue(f"the best {top} of {len(candidates)} days", "at least as many days")
    return middle_of_best(table, candidates, top)


def check_scores(scores: npt.ArrayLike, days: Sequence[int] = DAYS) -> Floats:
    """Scores as (n, days) float64.

    Raises:
        BadValue: another shape, or a score that is no number; the message names the row.
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(days):
        shape = " x ".join(map(str, table.shape)) or "a single number"
        raise BadValue(f"scores of shape {shape}", f"one row a picture and {len(days)} columns, one a day")
    rows, columns = np.nonzero(~np.isfinite(table))
    if len(rows):
        row, column = int(rows[0]), int(columns[0])
        found = f"the score {table[row, column]} in row {row} (counted from 0), day {list(days)[column]}"
        raise BadValue(found, "finite numbers")
    return table


def posterior(scores: Floats, temperature: float) -> Floats:
    """Scores (n, days) as probabilities of the days: a likelihood under a flat prior."""
    shifted = (scores - scores.max(axis=1, keepdims=True)) / temperature
    powers = np.exp(shifted)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Summary:
    """Posteriors in three numbers each, (n,): mean and standard deviation in days, share of the outermost week."""

    mean: Floats
    sd: Floats
    edge: Floats


def summarise(scores: Floats, temperature: float, days: Sequence[int] = DAYS) -> Summary:
    """Mean, spread and edge of the posterior of each row of (n, days) scores."""
    shares, candidates = posterior(scores, temperature), np.asarray(days, dtype=np.float64)
    mean = shares @ candidates
    variance = (shares * (candidates - mean[:, None]) ** 2).sum(axis=1)
    edge = np.maximum(shares[:, :_EDGE].sum(axis=1), shares[:, -_EDGE:].sum(axis=1))
    return Summary(mean, np.sqrt(variance), edge)


@dataclass(frozen=True)
class Ages:
    """Estimates of n pictures.

    Attributes:
        days: (n,) days, not rounded.
        low, high: (n,) the model's own interval, days.
        doubts: why a row should not be given an age; empty where it should.
    """

    days: Floats
    low: Floats
    high: Floats
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class AgeRule:
    """Our rule: posterior mean, corrected for its bias, with a conformal interval; kept in ``config.json`` as ``age``.

    Attributes:
        templates: name of the bundled set the scores come from.
        temperature: divides the scores.
        knots: (posterior mean, corrected age) in days; straight between, and beyond the outer two.
        spread: the error to expect in days is ``spread[0] + spread[1] * sd + spread[2] * (age - 98)``, with the
            posterior's standard deviation and the corrected age.
        quantile: half of the interval over the expected error (split conformal).
        level: the interval's coverage.
        max_sd: flatter posteriors get no age, days.
        max_edge: a larger share of the outermost seven days at one end gets no age.
    """

    templates: str
    temperature: float
    knots: tuple[tuple[float, float], ...]
    spread: tuple[float, float, float]
    quantile: float
    level: float = 0.9
    max_sd: float = 40.0
    max_edge: float = 1.0

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> AgeRule | None:
        """From a checked ``config.json``; None when it has no ``age``."""
        found = config.get("age")
        if found is None:
            return None
        numbers = {name: float(found[name]) for name in ("temperature", "quantile", "level", "max_sd", "max_edge")}
        knots = tuple((float(raw), float(corrected)) for raw, corrected in found["knots"])
        a, b, c = (float(number) for number in found["spread"])
        return cls(templates=found["templates"], knots=knots, spread=(a, b, c), **numbers)

    def to_config(self) -> dict[str, Any]:
        """The value of ``age`` in ``config.json``."""
        return {**asdict(self), "knots": [list(knot) for knot in self.knots], "spread": list(self.spread)}

    def __call__(self, scores: npt.ArrayLike, days: Sequence[int] = DAYS) -> Ages:
        """Ages of (n, days) scores.

        Raises:
            BadValue: scores of another shape, or one that is no number.
        """
        found = summarise(check_scores(scores, days), self.temperature, days)
        age = corrected(found.mean, self.knots)
        half = self.quantile * expected_error(self.spread, found.sd, age)
        doubts = tuple(map(self._doubt, found.sd, found.edge))
        return Ages(age, np.maximum(age - half, FIRST_DAY), np.minimum(age + half, LAST_DAY), doubts)

    def _doubt(self, sd: float, edge: float) -> str:
        if sd > self.max_sd:
            return "no age is much likelier than the others"
        if edge > self.max_edge:
            return f"the head seems to lie outside the {DAYS[0] // 7} to {DAYS[-1] // 7} weeks that are told apart"
        return ""


def corrected(mean: Floats, knots: Sequence[tuple[float, float]]) -> Floats:
    """Posterior means (n,) through the knots, within the chart's days."""
    x, y = (np.array(values, dtype=np.float64) for values in zip(*knots, strict=True))
    slopes = np.diff(y) / np.diff(x)
    place = np.clip(np.searchsorted(x, mean, side="right") - 1, 0, len(slopes) - 1)
    return np.asarray(np.clip(y[place] + slopes[place] * (mean - x[place]), FIRST_DAY, LAST_DAY))


def expected_error(spread: Sequence[float], sd: Floats, age: Floats) -> Floats:
    """Error to expect, (n,) days; see ``AgeRule.spread``."""
    return np.asarray(spread[0] + spread[1] * sd + spread[2] * (age - FIRST_DAY))
