"""What was checked on one picture, and how each check ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PASS, FAIL, CANNOT_TELL = "pass", "fail", "cannot tell"
VERDICTS = (PASS, FAIL, CANNOT_TELL)


@dataclass(frozen=True)
class Check:
    """One named check of one picture.

    Attributes:
        name: of the check, a word for programs.
        verdict: ``pass``, ``fail`` or ``cannot tell``.
        reason: in words, of every verdict.
        value: what was measured, in the unit of ``limit``; None where nothing could be.
        limit: from which on, or up to which, it passes; None of a check that has none.
        unit: ``%`` or ``grey`` (a level of 0 to 255); empty without a value.
    """

    name: str
    verdict: str
    reason: str
    value: float | None = None
    limit: float | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"a verdict {self.verdict!r}, not one of {', '.join(VERDICTS)}")

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "value": None if self.value is None else round(float(self.value), 3),
            "limit": self.limit,
            "unit": self.unit or None,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class PictureQuality:
    """The checks of one picture of an exam.

    Attributes:
        path: the picture's, as its analysis names it.
        plane: what it shows.
        checks: in the order of the registry.
    """

    path: str
    plane: str
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(one for one in self.checks if one.verdict == FAIL)

    @property
    def verdict(self) -> str:
        """``fail`` where a check failed, ``pass`` where at least one passed, else ``cannot tell``."""
        return overall(self.checks)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        checks = [one.to_dict() for one in self.checks]
        return {"path": self.path, "plane": self.plane, "verdict": self.verdict, "checks": checks}


def overall(checks: Sequence[Check]) -> str:
    """One verdict of several checks."""
    found = {one.verdict for one in checks}
    return FAIL if FAIL in found else PASS if PASS in found else CANNOT_TELL


def passed_share(checks: Sequence[Check]) -> float:
    """How good a picture is by its checks, 0 to 1: a pass counts 1, what cannot be told a half; 0.5 without checks."""
    points = {PASS: 1.0, CANNOT_TELL: 0.5, FAIL: 0.0}
    return sum(points[one.verdict] for one in checks) / len(checks) if checks else 0.5
