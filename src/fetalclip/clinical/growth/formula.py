"""A published formula as data: a sum of coefficients times powers and logarithms of the variables.

``{"link": "exp", "scale": {"HC": 0.1}, "terms": {"1": 1.2, "HC^2": 0.3, "t^3 ln(t)": -0.4}}`` is
exp(1.2 + 0.3·(0.1·HC)² − 0.4·t³·ln t). So a chart file reads like the paper, and nothing is evaluated as code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fetalclip.clinical.growth.arithmetic import Number, power

_FACTOR = re.compile(r"(?:ln\((?P<log>[A-Za-z]+)\)|(?P<plain>[A-Za-z]+))(?:\^(?P<power>-?\d+(?:\.\d+)?))?")
_LINKS = ("identity", "exp", "log10")

Factor = tuple[str, bool, float]  # variable, whether its logarithm, exponent


@dataclass(frozen=True)
class Formula:
    """Terms, the scale of each variable, and the link: what undoes the scale on which the sum was fitted."""

    terms: tuple[tuple[float, tuple[Factor, ...]], ...]
    scale: Mapping[str, float]
    link: str = "identity"

    @classmethod
    def read(cls, data: Mapping[str, Any], scale: Mapping[str, float] | None = None) -> Formula:
        """From a chart file; ``scale`` is the file's own where the formula has none.

        Raises:
            ValueError: a term or link that is none.
        """
        link = data.get("link", "identity")
        if link not in _LINKS:
            raise ValueError(f"unknown link {link!r}")
        terms = tuple((float(value), _factors(key)) for key, value in data["terms"].items())
        return cls(terms, dict(data.get("scale") or scale or {}), link)

    @property
    def variables(self) -> frozenset[str]:
        """Names of what must be given."""
        return frozenset(name for _, factors in self.terms for name, _, _ in factors)

    def __call__(self, values: Mapping[str, Number], on: Any) -> Number:
        """The value at these variables.

        Args:
            values: variable to number or array.
            on: the arithmetic, ``arithmetic.ONE`` or ``arithmetic.many()``.
        """
        made: dict[Factor, Number] = {}
        total: Number = 0.0
        for coefficient, factors in self.terms:
            term: Number = coefficient
            for factor in factors:
                if factor not in made:
                    made[factor] = self._factor(factor, values, on, made)
                term = term * made[factor]
            total = total + term
        if self.link == "exp":
            return on.exp(total)
        if self.link == "log10":
            return on.exp(total * 2.302585092994046)  # ln 10
        return total

    def _factor(self, factor: Factor, values: Mapping[str, Number], on: Any, made: dict[Factor, Number]) -> Number:
        name, logarithm, exponent = factor
        value = values[name] * self.scale[name] if name in self.scale else values[name]
        if not logarithm:
            return power(value, exponent)
        if (name, True, 1.0) not in made:
            made[name, True, 1.0] = on.log(value)
        return power(made[name, True, 1.0], exponent)


def _factors(key: str) -> tuple[Factor, ...]:
    if key == "1":
        return ()
    factors = []
    for word in key.split():
        match = _FACTOR.fullmatch(word)
        if match is None:
            raise ValueError(f"unreadable term {key!r}")
        name = match["log"] or match["plain"]
        factors.append((name, match["log"] is not None, float(match["power"] or 1.0)))
    return tuple(factors)
