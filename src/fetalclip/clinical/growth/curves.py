"""The three ways a chart is published: mean and SD, LMS, quantile curves. Each answers size ↔ share at an age."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fetalclip.clinical.growth.arithmetic import Number, polynomial
from fetalclip.clinical.growth.formula import Formula

_SLACK = 1e-9  # of a share: what rounding may add beyond the outermost quantile


class Curve(Protocol):
    """Sizes against age ``t`` in the chart's own unit of time; ``on`` is the arithmetic."""

    def z(self, size: Number, t: Number, on: Any) -> Number:
        """z-score of a size; NaN where the chart has no answer."""

    def share(self, size: Number, t: Number, on: Any) -> Number:
        """Share of the population below a size, 0 to 1; NaN where the chart has no answer."""

    def size(self, share: Number, t: Number, on: Any) -> Number:
        """The size below which that share lies; NaN where the chart has no answer."""


@dataclass(frozen=True)
class Normal:
    """Normal about a mean; ``sd`` is a formula, or a fraction of the mean."""

    mean: Formula
    sd: Formula | float

    def _both(self, t: Number, on: Any) -> tuple[Number, Number]:
        mean = self.mean({"t": t}, on)
        return mean, self.sd({"t": t}, on) if isinstance(self.sd, Formula) else self.sd * mean

    def z(self, size: Number, t: Number, on: Any) -> Number:
        """See ``Curve``."""
        mean, sd = self._both(t, on)
        return (size - mean) / sd

    def share(self, size: Number, t: Number, on: Any) -> Number:
        """See ``Curve``."""
        return on.cdf(self.z(size, t, on))

    def size(self, share: Number, t: Number, on: Any) -> Number:
        """See ``Curve``."""
        mean, sd = self._both(t, on)
        return mean + sd * on.quantile(share)


@dataclass(frozen=True)
class Lms:
    """Cole's LMS on the logarithm of the size: Y = ln y, z = ((Y/mu)^lambda − 1)/(lambda·sigma)."""

    lam: Formula
    mu: Formula
    sigma: Formula

    def _all(self, t: Number, on: Any) -> tuple[Number, Number, Number]:
        at = {"t": t}
        # lambda passes through zero between 22 and 40 weeks; so near it the limit ln(Y/mu)/sigma is the same number.
        return on.nonzero(self.lam(at, on)), self.mu(at, on), self.sigma(at, on)

    def z(self, size: Number, t: Number, on: Any) -> Number:
        """See ``Curve``."""
        lam, mu, sigma = self._all(t, on)
        logarithm = on.log(size)
        positive = logarithm > 0
        share = on.where(positive, logarithm) / mu
        return on.expm1(lam * on.log(share)) / (lam * sigma)

    def share(self, size: Number, t: Number, on: Any) -> Number:
        """See ``Curve``."""
        return on.cdf(self.z(size, t, on))

    def size(self, share: Number, t: Number, on: Any) -> Number:
        """See ``Curve``."""
        lam, mu, sigma = self._all(t, on)
        step = lam * sigma * on.quantile(share)
        return on.exp(mu * on.exp(on.log1p(on.where(step > -1.0, step)) / lam))


@dataclass(frozen=True)
class Quantiles:
    """Curves of ln(size) as polynomials of age, one for each quantile; between them straight on the log scale.

    Below the lowest and above the highest quantile there is no answer.
    """

    levels: tuple[float, ...]  # rising shares
    coefficients: tuple[tuple[float, ...], ...]  # highest power first, one row for each level

    @classmethod
    def read(cls, table: Mapping[str, list[float]]) -> Quantiles:
        """From ``{"0.5": [b0, b1, ...], ...}``."""
        rows = sorted((float(level), tuple(reversed(row))) for level, row in table.items())
        return cls(tuple(level for level, _ in rows), tuple(row for _, row in rows))

    def z(self, size: Number, t: Number, on: Any) -> Number:
        """See ``Curve``."""
        return on.quantile(self.share(size, t, on))

    def share(self, size: Number, t: Number, on: Any) -> Number:
        """See ``Curve``."""
        return _climb(on.log(size), [polynomial(row, t) for row in self.coefficients], self.levels, on)

    def size(self, share: Number, t: Number, on: Any) -> Number:
        """See ``Curve``."""
        levels, rows = self.levels, self.coefficients
        if isinstance(share, float):  # one share: the two curves about it will do
            i = min(max(bisect_right(levels, share), 1), len(levels) - 1)
            levels, rows = levels[i - 1 : i + 1], rows[i - 1 : i + 1]
        return on.exp(_climb(share, levels, [polynomial(row, t) for row in rows], on, _SLACK))


def _climb(x: Number, steps: Any, values: Any, on: Any, slack: float = 0.0) -> Number:
    """x on the rising ``steps``, read off the ``values``, straight between them; NaN outside them."""
    result = values[0]
    for i in range(len(steps) - 1):
        # Two WHO curves touch at 40 weeks, to the last bit in either order: never a width of zero or below.
        width = on.positive(steps[i + 1] - steps[i])
        result = result + (values[i + 1] - values[i]) * on.clip((x - steps[i]) / width)
    return on.where((x >= steps[0] - slack) & (x <= steps[-1] + slack), result)
