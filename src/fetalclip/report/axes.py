"""A plot's two axes: where numbers lie on the page, the grid behind them, the words beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fetalclip.report.pens import Colour, Pen, Point, pen
from fetalclip.report.text import sentence

PAPER, INK, FAINT, GRID = (255, 255, 255), (21, 33, 43), (79, 93, 105), (222, 229, 234)
TEAL, WASH = (11, 102, 116), (178, 207, 212)

WIDTH, HEIGHT = 760, 500  # pixels of a plot
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 86, 100, 58  # pixels around its field


@dataclass(frozen=True)
class Axes:
    """A field with numbers along both sides.

    Attributes:
        page: the pen.
        across: first and last number along the foot.
        up: first and last number along the side.
    """

    page: Pen
    across: tuple[float, float]
    up: tuple[float, float]

    @classmethod
    def open(cls, kind: str, across: tuple[float, float], up: tuple[float, float]) -> Axes:
        """On a fresh page, ``png`` or ``svg``; a span without a width is widened."""
        return cls(pen(kind, WIDTH, HEIGHT, PAPER), _wide(across), _wide(up))

    def at(self, x: float, y: float) -> Point:
        """Pixels of a place."""
        right = (x - self.across[0]) / (self.across[1] - self.across[0])
        above = (y - self.up[0]) / (self.up[1] - self.up[0])
        return _LEFT + right * (WIDTH - _LEFT - _RIGHT), HEIGHT - _BOTTOM - above * (HEIGHT - _TOP - _BOTTOM)

    def frame(
        self, title: str, facts: str, side: str, foot: str, marks: Sequence[tuple[float, str]] | None = None
    ) -> None:
        """Headline, a line of facts, the grid with its numbers, and what side and foot count.

        ``marks`` are places along the foot and their words, where round numbers are not meant.
        """
        self.page.text((_LEFT, 26), _short(sentence(title), 19), 19, INK)
        self.page.text((_LEFT, 54), _short(sentence(facts), 14), 14, FAINT)
        self.page.text((_LEFT, 82), side, 13, FAINT)
        for tick in ticks(*self.up):
            start, end = self.at(self.across[0], tick), self.at(self.across[1], tick)
            self.page.line([start, end], GRID, 1.0)
            self.page.text((start[0] - 10, start[1]), _plain(tick), 13, FAINT, "end")
        for tick, words in [(tick, _plain(tick)) for tick in ticks(*self.across)] if marks is None else marks:
            x, y = self.at(tick, self.up[0])
            self.page.line([(x, y), (x, y + 5)], FAINT, 1.0)
            self.page.text((x, y + 18), words, 13, FAINT, "middle")
        self.page.line([self.at(x, self.up[0]) for x in self.across], FAINT, 1.0)
        middle = self.at(sum(self.across) / 2, self.up[0])
        self.page.text((middle[0], HEIGHT - 16), foot, 14, INK, "middle")

    def level(self, y: float, colour: Colour, width: float, dashed: bool = False, words: str = "") -> None:
        """A line from side to side, with words at its end."""
        start, end = self.at(self.across[0], y), self.at(self.across[1], y)
        self.page.line([start, end], colour, width, dashed)
        if words:
            self.page.text((end[0] + 8, end[1]), words, 13, colour)

    def band(self, low: float, high: float, colour: Colour) -> None:
        """An area from side to side between two heights, cut at the edges of the field."""
        low, high = max(low, self.up[0]), min(high, self.up[1])
        corners = [(self.across[0], low), (self.across[1], low), (self.across[1], high), (self.across[0], high)]
        self.page.area([self.at(*corner) for corner in corners], colour)


def ticks(low: float, high: float) -> Iterator[float]:
    """Five to ten round numbers."""
    rough = (high - low) / 6
    step = 10.0 ** math.floor(math.log10(rough))
    step *= next(factor for factor in (1, 2, 5, 10) if factor * step >= rough)
    tick = math.ceil(low / step) * step
    while tick <= high:
        yield tick
        tick += step


def span(values: Sequence[float], margin: float = 0.05) -> tuple[float, float]:
    """First and last of some numbers, with a margin that is a share of their width."""
    low, high = min(values), max(values)
    return low - margin * (high - low), high + margin * (high - low)


def _wide(span: tuple[float, float]) -> tuple[float, float]:
    low, high = span
    return span if high - low > 1e-9 else (low - 0.5, high + 0.5)


def _plain(tick: float) -> str:
    return f"{0.0 if abs(tick) < 1e-9 else tick:g}"


def _short(words: str, size: int) -> str:
    """Cut to what fits above the field; letters are taken for 0.56 of their height wide."""
    room = int((WIDTH - _LEFT - 12) / (0.56 * size))
    return words if len(words) <= room else words[: room - 1] + "…"
