"""The reliability diagram: what share was right of the answers given with each probability."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw, ImageFont

from fetalclip.metrics import ReliabilityBin
from fetalclip.report.text import sentence

SIDE = 900  # pixels
_FINE = 2  # drawn so many times larger, then reduced: smooth lines
_LEFT, _RIGHT = 96, 856  # pixels; both plots
_TOP, _BOTTOM = 132, 672  # the curve
_BARS_TOP, _BARS_BOTTOM = 712, 812  # the counts

_PAPER, _INK, _FAINT = (255, 255, 255), (21, 33, 43), (79, 93, 105)
_GRID, _TEAL, _WASH = (222, 229, 234), (11, 102, 116), (178, 207, 212)


def draw_reliability(points: Sequence[ReliabilityBin], title: str, facts: str = "") -> Image.Image:
    """Confidence against accuracy, bin by bin, with Wilson intervals; the diagonal is perfect calibration.

    Args:
        points: from ``metrics.reliability_curve``.
        title: the headline.
        facts: one line below it, such as the calibration error.

    Returns:
        An RGB picture, 900 x 900 pixels.
    """
    canvas = Image.new("RGB", (SIDE * _FINE, SIDE * _FINE), _PAPER)
    page = _Page(canvas)
    page.text((_LEFT, 36), sentence(title), 28, _INK)
    page.text((_LEFT, 76), sentence(facts), 17, _FAINT)
    page.text((_LEFT, 102), "share of answers that were right, with 95 % intervals", 15, _FAINT)
    _grid(page)
    _curve(page, points)
    _counts(page, points)
    return canvas.reduce(_FINE)


class _Page:
    """Pens in the pixels of the finished picture."""

    def __init__(self, canvas: Image.Image) -> None:
        self.pen = ImageDraw.Draw(canvas)

    def line(self, ends: Sequence[tuple[float, float]], colour: tuple[int, int, int], width: float) -> None:
        self.pen.line([_fine(end) for end in ends], fill=colour, width=round(width * _FINE), joint="curve")

    def box(self, first: tuple[float, float], last: tuple[float, float], colour: tuple[int, int, int]) -> None:
        self.pen.rectangle((*_fine(first), *_fine(last)), fill=colour)

    def dot(self, at: tuple[float, float], radius: float) -> None:
        self.pen.circle(_fine(at), radius * _FINE, fill=_TEAL, outline=_PAPER, width=2 * _FINE)

    def text(
        self, at: tuple[float, float], words: str, size: int, colour: tuple[int, int, int], anchor: str = "la"
    ) -> None:
        font = ImageFont.load_default(size * _FINE)
        room = (SIDE - 12) * _FINE - (_fine(at)[0] if anchor[0] == "l" else 0)
        while words and self.pen.textlength(words, font=font) > room:
            words = words[:-1]
        self.pen.text(_fine(at), words, font=font, fill=colour, anchor=anchor)


def _fine(at: tuple[float, float]) -> tuple[float, float]:
    return at[0] * _FINE, at[1] * _FINE


def _across(share: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * share


def _up(share: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * share


def _grid(page: _Page) -> None:
    for step in range(0, 11, 2):
        share = step / 10
        page.line([(_LEFT, _up(share)), (_RIGHT, _up(share))], _GRID, 1)
        page.line([(_across(share), _TOP), (_across(share), _BOTTOM)], _GRID, 1)
        page.text((_LEFT - 12, _up(share)), f"{share:.1f}", 15, _FAINT, "rm")
        page.text((_across(share), _BARS_BOTTOM + 10), f"{share:.1f}", 15, _FAINT, "ma")
    dashes = 44
    for dash in range(dashes):
        ends = [(_across(share), _up(share)) for share in (dash / dashes, (dash + 0.55) / dashes)]
        page.line(ends, _FAINT, 1.5)
    page.text((_across(0.5), _BARS_BOTTOM + 38), "probability of the answer", 16, _INK, "ma")
    page.text((_LEFT, _BARS_TOP - 28), "answers in each bin", 15, _FAINT)
    page.line([(_LEFT, _BARS_BOTTOM), (_RIGHT, _BARS_BOTTOM)], _GRID, 1)


def _curve(page: _Page, points: Sequence[ReliabilityBin]) -> None:
    def place(accuracy: Callable[[ReliabilityBin], float], point: ReliabilityBin) -> tuple[float, float]:
        return _across(point.confidence), _up(accuracy(point))

    for point in points:
        ends = [place(lambda p: p.accuracy_low, point), place(lambda p: p.accuracy_high, point)]
        page.line(ends, _WASH, 4)
    if len(points) > 1:
        page.line([place(lambda p: p.accuracy, point) for point in points], _TEAL, 2.5)
    most = max((point.n for point in points), default=1)
    for point in points:
        page.dot(place(lambda p: p.accuracy, point), 4 + 4 * (point.n / most) ** 0.5)  # few answers, small dot


def _counts(page: _Page, points: Sequence[ReliabilityBin]) -> None:
    most = max((point.n for point in points), default=1)
    for point in points:
        top = _BARS_BOTTOM - (_BARS_BOTTOM - _BARS_TOP - 18) * point.n / most
        page.box((_across(point.low) + 2, top), (_across(point.high) - 2, _BARS_BOTTOM), _WASH)
        page.text((_across((point.low + point.high) / 2), top - 4), str(point.n), 14, _INK, "mb")
