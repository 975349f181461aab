"""Two pens with one hand: the same lines, areas and words to a PNG picture or to an SVG text.

A growth chart needs five strokes; a plotting library would be 30 MB and half a second for them.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from fetalclip.frame import Pixels

Point = tuple[float, float]  # pixels, from the top left
Colour = tuple[int, int, int]

_FINE = 2  # a PNG is drawn so many times larger, then reduced: smooth lines


class Pen(Protocol):
    """Draws in the pixels of the finished picture."""

    def line(self, points: Sequence[Point], colour: Colour, width: float, dashed: bool = False) -> None:
        """A line through the points."""

    def area(self, points: Sequence[Point], colour: Colour) -> None:
        """A filled polygon."""

    def dot(self, at: Point, radius: float, colour: Colour, edge: Colour) -> None:
        """A filled circle with an edge of 2 pixels."""

    def text(self, at: Point, words: str, size: int, colour: Colour, anchor: str = "start") -> None:
        """Words on one line; ``at`` is their left end, middle or right end, vertically the middle of the letters."""

    def done(self) -> bytes:
        """The file."""


class PngPen:
    """To a PNG, by Pillow."""

    def __init__(self, width: int, height: int, paper: Colour) -> None:
        from PIL import Image, ImageDraw

        self._picture = Image.new("RGB", (width * _FINE, height * _FINE), paper)
        self._pen = ImageDraw.Draw(self._picture)

    def line(self, points: Sequence[Point], colour: Colour, width: float, dashed: bool = False) -> None:
        """See ``Pen``."""
        fine = [(x * _FINE, y * _FINE) for x, y in points]
        wide = max(1, round(width * _FINE))
        if dashed:
            for dash in _dashes(fine, 7.0 * _FINE, 5.0 * _FINE):
                self._pen.line(dash, fill=colour, width=wide)
        else:
            self._pen.line(fine, fill=colour, width=wide, joint="curve")

    def area(self, points: Sequence[Point], colour: Colour) -> None:
        """See ``Pen``."""
        self._pen.polygon([(x * _FINE, y * _FINE) for x, y in points], fill=colour)

    def dot(self, at: Point, radius: float, colour: Colour, edge: Colour) -> None:
        """See ``Pen``."""
        centre = (at[0] * _FINE, at[1] * _FINE)
        self._pen.circle(centre, radius * _FINE, fill=colour, outline=edge, width=2 * _FINE)

    def text(self, at: Point, words: str, size: int, colour: Colour, anchor: str = "start") -> None:
        """See ``Pen``."""
        from PIL import ImageFont

        place = {"start": "lm", "middle": "mm", "end": "rm"}[anchor]
        font = ImageFont.load_default(size * _FINE)
        self._pen.text((at[0] * _FINE, at[1] * _FINE), words, font=font, fill=colour, anchor=place)

    def picture(self, at: tuple[int, int], pixels: Pixels) -> None:
        """Grey uint8 (H, W), pixel for pixel; ``at`` is its top left. A PNG only."""
        from PIL import Image

        high, wide = pixels.shape
        large = Image.fromarray(pixels).resize((wide * _FINE, high * _FINE), Image.Resampling.NEAREST)
        self._picture.paste(large.convert("RGB"), (at[0] * _FINE, at[1] * _FINE))

    def done(self) -> bytes:
        """See ``Pen``."""
        buffer = io.BytesIO()
        self._picture.reduce(_FINE).save(buffer, "PNG", optimize=True)
        return buffer.getvalue()


class SvgPen:
    """To an SVG text without scripts, links or fonts of its own."""

    def __init__(self, width: int, height: int, paper: Colour) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="Helvetica, Arial, sans-serif">',
            f'<rect width="{width}" height="{height}" fill="{_hex(paper)}"/>',
        ]

    def line(self, points: Sequence[Point], colour: Colour, width: float, dashed: bool = False) -> None:
        """See ``Pen``."""
        dash = ' stroke-dasharray="7 5"' if dashed else ""
        self._parts.append(
            f'<polyline points="{_places(points)}" fill="none" stroke="{_hex(colour)}" stroke-width="{width:g}" '
            f'stroke-linejoin="round"{dash}/>'
        )

    def area(self, points: Sequence[Point], colour: Colour) -> None:
        """See ``Pen``."""
        self._parts.append(f'<polygon points="{_places(points)}" fill="{_hex(colour)}"/>')

    def dot(self, at: Point, radius: float, colour: Colour, edge: Colour) -> None:
        """See ``Pen``."""
        self._parts.append(
            f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius - 1:g}" fill="{_hex(colour)}" '
            f'stroke="{_hex(edge)}" stroke-width="2"/>'
        )

    def text(self, at: Point, words: str, size: int, colour: Colour, anchor: str = "start") -> None:
        """See ``Pen``."""
        place = f'x="{at[0]:.1f}" y="{at[1] + 0.35 * size:.1f}" font-size="{size}" fill="{_hex(colour)}"'
        self._parts.append(f'<text {place} text-anchor="{anchor}">{escape(words)}</text>')

    def done(self) -> bytes:
        """See ``Pen``."""
        return "\n".join([*self._parts, "</svg>", ""]).encode("utf-8")


def pen(kind: str, width: int, height: int, paper: Colour) -> Pen:
    """The pen for ``png`` or ``svg``."""
    return PngPen(width, height, paper) if kind == "png" else SvgPen(width, height, paper)


def _dashes(points: Sequence[Point], on: float, off: float) -> list[list[Point]]:
    """A line cut into dashes of ``on`` pixels with gaps of ``off``."""
    found: list[list[Point]] = []
    drawing, left, dash = True, on, [points[0]]
    for start, end in pairwise(points):
        here, length = start, ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5
        while length > left:
            here = (here[0] + (end[0] - here[0]) * left / length, here[1] + (end[1] - here[1]) * left / length)
            length -= left
            if drawing:
                found.append([*dash, here])
            drawing = not drawing
            left, dash = (on if drawing else off), [here]
        left -= length
        dash.append(end)
    return [*found, dash] if drawing else found


def _places(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
