"""What was said about the heart on one clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NOT_FOUR_CHAMBERS = "not a four-chamber view"
"""How the reason begins why a heart was not judged because the clip shows another plane."""


@dataclass(frozen=True)
class Finding:
    """One finding on one clip.

    Attributes:
        probability: calibrated, 0 to 1; kept when abstained.
        abstained: True where neither answer should be taken.
        reason: why it abstained, or empty.
        attention: weight of each frame looked at, in their order, summing to 1; empty for a head without attention.
    """

    probability: float
    abstained: bool = False
    reason: str = ""
    attention: tuple[float, ...] = ()

    @property
    def present(self) -> bool | None:
        """The answer; None when abstained."""
        return None if self.abstained else self.probability >= 0.5

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "probability": self.probability,
            "present": self.present,
            "abstained": self.abstained,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class KeyFrame:
    """A frame that an answer rests on most.

    Attributes:
        index: number of the frame in the clip, from 0.
        seconds: its time.
        weight: its share of the attention of ``finding``.
        finding: the finding that looked at it.
    """

    index: int
    seconds: float
    weight: float
    finding: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class HeartScore:
    """What a heart head says of one clip.

    Attributes:
        findings: name to what was found.
        head: name of the head.
        frames: frame numbers looked at.
        seconds: their times.
        segment: first and last frame number of the part that was judged.
        outlier: distance from the training frames over the largest that is let through: above 1 it abstains.
        key_frames: the frames that the likeliest finding rests on most, in the order of time.
        abstained: True where nothing should be said of this clip.
        reason: why, or empty.
        warnings: what the reader must know; never empty for a head trained on simulated clips.
    """

    findings: Mapping[str, Finding]
    head: str
    frames: tuple[int, ...]
    seconds: tuple[float, ...]
    segment: tuple[int, int]
    outlier: float
    key_frames: tuple[KeyFrame, ...] = ()
    abstained: bool = False
    reason: str = ""
    warnings: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Finding:
        return self.findings[name]

    def top(self, k: int) -> list[tuple[str, float]]:
        """The k likeliest findings, first the likeliest."""
        return sorted(((n, f.probability) for n, f in self.findings.items()), key=lambda item: -item[1])[:k]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, ``heart`` of a line of ``analyze --json``; the attention itself is left out."""
        return {
            "head": self.head,
            "findings": {name: found.to_dict() for name, found in self.findings.items()},
            "abstained": self.abstained,
            "reason": self.reason,
            "outlier": self.outlier,
            "frames": len(self.frames),
            "segment": list(self.segment),
            "key_frames": [frame.to_dict() for frame in self.key_frames],
            "warnings": list(self.warnings),
        }
