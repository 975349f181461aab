"""What a run has drawn and could not read, over all its processes, and when that is too much."""

from __future__ import annotations

from collections.abc import Sequence

from fetalclip.errors import InputError
from fetalclip.fit.machines import joined

_NAMED = 20  # unreadable pairs that are named


class Account:
    """Counts of all processes as they were when `settle` was last called, the same on each.

    Args:
        pairs: in the source.
        share: of the pairs drawn, or of the source while fewer were drawn, that may be unreadable.

    Attributes:
        seen: pairs drawn.
        bad: a name for each draw of a pair that could not be read.
    """

    def __init__(self, pairs: int, share: float) -> None:
        self.pairs, self.share, self.seen = pairs, share, 0
        self.bad: list[str] = []
        self._news: list[str] = []
        self._drawn = 0

    def take(self, drawn: int, bad: Sequence[str]) -> None:
        """Note what this process has drawn."""
        self._drawn += drawn
        self._news += bad

    def settle(self) -> None:
        """Bring the counts of all processes together; every one of them must call it.

        Raises:
            InputError: too many could not be read; on every process.
        """
        for drawn, bad in joined([(self._drawn, self._news)]):
            self.seen += drawn
            self.bad += bad
        self._drawn, self._news = 0, []
        if len(self.bad) > self.share * max(self.seen, self.pairs):
            found = f"{len(self.bad)} pairs that cannot be read ({named(self.bad)}) of {self.seen} drawn"
            raise InputError(found, f"at most {self.share:.2%} (data.max_bad)", "a higher data.max_bad and --resume")


def named(bad: Sequence[str]) -> str:
    """The first of what could not be read, and how many more."""
    once = sorted(set(bad))
    return ", ".join(once[:_NAMED]) + (f" and {len(once) - _NAMED} more" if len(once) > _NAMED else "")
