"""What a probe said of one picture: one of its classes, or a number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ProbeAnswer:
    """The answer of one probe.

    Attributes:
        head: the probe's name.
        scores: class to calibrated probability, summing to 1; empty where the question is a number.
        value: the number, in ``unit``; None of classes, and where it abstained.
        low, high: its interval, which holds the truth with probability ``level``; None where there is none.
        level: see above.
        unit: of the number.
        abstained: True where no answer should be taken.
        reason: why, or empty.
    """

    head: str
    scores: Mapping[str, float] = field(default_factory=dict)
    value: float | None = None
    low: float | None = None
    high: float | None = None
    level: float = 0.9
    unit: str = ""
    abstained: bool = False
    reason: str = ""

    @property
    def label(self) -> str | None:
        """The most probable class (kept when abstained); None of a number."""
        return max(self.scores, key=lambda name: self.scores[name]) if self.scores else None

    @property
    def probability(self) -> float | None:
        """Probability of ``label``."""
        return None if self.label is None else self.scores[self.label]

    def __getitem__(self, name: str) -> float:
        return self.scores[name]

    def __str__(self) -> str:
        if self.label is not None:
            said = f"{self.head} {self.label} {self.probability:.2f}"
        elif self.value is not None and math.isfinite(self.value):
            said = f"{self.head} {self.value:.4g} {self.unit}".rstrip()
            said += "" if self.low is None or self.high is None else f" ({self.low:.4g} to {self.high:.4g})"
        else:
            said = f"{self.head}: no answer"
        return said + (" (abstained)" if self.abstained else "")

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, one of ``probes`` of a line of ``analyze --json``."""
        return {
            "head": self.head,
            "label": self.label,
            "probability": self.probability,
            "scores": dict(self.scores),
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "level": self.level if self.low is not None else None,
            "unit": self.unit or None,
            "abstained": self.abstained,
            "reason": self.reason,
        }
