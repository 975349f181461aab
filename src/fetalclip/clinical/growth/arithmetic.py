"""The few functions a chart needs, once for one number (``math``) and once for arrays (numpy, loaded when asked for).

One formula serves both: it is handed the arithmetic. So ``fetalclip growth HC=175`` starts without numpy, and a
table of a million rows is as exact as a single case.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

Number = Any  # a float, or an array of float64; every function keeps the kind

_SQRT2 = math.sqrt(2.0)
_NEARLY_ZERO = 1e-12
_TINY = 1e-300

# Wichura 1988, Algorithm AS 241 (PPND16), Applied Statistics 37:477-484: numerators and denominators, highest
# power first.
_CENTRE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457)
    + (13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080),
    (5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867)
    + (5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1.0),
)
_NEAR = (
    (7.7454501427834140764e-4, 2.27238449892691845833e-2, 0.241780725177450611770, 1.27045825245236838258)
    + (3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.4759380849953449460e-4, 1.51986665636164571966e-2, 0.148103976427480074590)
    + (0.689767334985100004550, 1.67638483018380384940, 2.05319162663775882187, 1.0),
)
_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2)
    + (0.296560571828504891230, 1.78482653991729133580, 5.46378491116411436990, 6.65790464350110377720),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4)
    + (1.48753612908506148525e-2, 0.136929880922735805310, 0.599832206555887937690, 1.0),
)


def polynomial(coefficients: Sequence[float], x: Number) -> Number:
    """Horner's rule, highest power first."""
    total = coefficients[0]
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


def power(x: Number, exponent: float) -> Number:
    """x to the exponent; small whole powers by multiplication, which is ten times faster on arrays."""
    if exponent == int(exponent) and 1 <= exponent <= 4:
        result = x
        for _ in range(int(exponent) - 1):
            result = result * x
        return result
    return x**exponent


def _ratio(table: tuple[tuple[float, ...], tuple[float, ...]], r: Number) -> Number:
    return polynomial(table[0], r) / polynomial(table[1], r)


class One:
    """Arithmetic on one float."""

    exp, log = staticmethod(math.exp), staticmethod(math.log)
    expm1, log1p = staticmethod(math.expm1), staticmethod(math.log1p)

    @staticmethod
    def clip(x: float) -> float:
        """x, not below 0 and not above 1."""
        return min(max(x, 0.0), 1.0)

    @staticmethod
    def nonzero(x: float) -> float:
        """x, moved to 1e-12 where it is nearer to zero."""
        return x if abs(x) > _NEARLY_ZERO else _NEARLY_ZERO

    @staticmethod
    def positive(x: float) -> float:
        """x, or the smallest useful number above zero where x is not above zero."""
        return max(x, _TINY)

    @staticmethod
    def where(condition: bool, x: float) -> float:
        """x where the condition holds, else NaN."""
        return x if condition else math.nan

    @staticmethod
    def cdf(z: float) -> float:
        """Share of a standard normal below z."""
        return 0.5 * math.erfc(-z / _SQRT2)

    @staticmethod
    def quantile(p: float) -> float:
        """The z below which the share p of a standard normal lies; NaN unless 0 < p < 1."""
        if not 0.0 < p < 1.0:
            return math.nan
        q = p - 0.5
        if abs(q) <= 0.425:
            return q * _ratio(_CENTRE, 0.180625 - q * q)
        r = math.sqrt(-math.log(min(p, 1.0 - p)))
        return math.copysign(_ratio(_NEAR, r - 1.6) if r <= 5.0 else _ratio(_FAR, r - 5.0), q)


class Many:
    """Arithmetic on arrays of float64; the same names and answers as ``One``."""

    def __init__(self) -> None:
        import numpy

        self._np = numpy
        self.exp, self.log, self.expm1, self.log1p = numpy.exp, numpy.log, numpy.expm1, numpy.log1p

    def clip(self, x: Number) -> Number:
        """x, not below 0 and not above 1."""
        return self._np.minimum(self._np.maximum(x, 0.0), 1.0)

    def nonzero(self, x: Number) -> Number:
        """x, moved to 1e-12 where it is nearer to zero."""
        return self._np.where(self._np.abs(x) > _NEARLY_ZERO, x, _NEARLY_ZERO)

    def positive(self, x: Number) -> Number:
        """x, or the smallest useful number above zero where x is not above zero."""
        return self._np.maximum(x, _TINY)

    def where(self, condition: Number, x: Number) -> Number:
        """x where the condition holds, else NaN."""
        return self._np.where(condition, x, self._np.nan)

    def cdf(self, z: Number) -> Number:
        """Share of a standard normal below z. numpy has no erfc, so each element goes through ``math``."""
        flat = (-z / _SQRT2).ravel().tolist()
        return 0.5 * self._np.fromiter(map(math.erfc, flat), float, len(flat)).reshape(self._np.shape(z))

    def quantile(self, p: Number) -> Number:
        """The z below which the share p of a standard normal lies; NaN unless 0 < p < 1."""
        np = self._np
        q = p - 0.5
        z = q * _ratio(_CENTRE, 0.180625 - q * q)
        tail = np.abs(q) > 0.425
        if tail.any():
            inside = tail & (p > 0.0) & (p < 1.0)
            share = p[inside]
            r = np.sqrt(-np.log(np.minimum(share, 1.0 - share)))
            far = np.where(r <= 5.0, _ratio(_NEAR, np.minimum(r, 5.0) - 1.6), _ratio(_FAR, r - 5.0))
            z[tail] = np.nan
            z[inside] = np.copysign(far, q[inside])
        return z


ONE = One()


@lru_cache(maxsize=1)
def many() -> Many:
    """The arithmetic on arrays; loads numpy."""
    return Many()
