"""Measures drawn over a picture in the field's manner: a thin ellipse, calipers with small crosses at their ends.

Every pixel that no line touches stays as it was. Lines are smooth by how much of a pixel they cover: nothing is drawn
larger and reduced, so a picture of any size takes one byte more a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from fetalclip.clinical.biometry import BIOMETRICS
from fetalclip.result import Measurement

Colour = tuple[int, int, int]
Line = npt.NDArray[np.float64]
"""(n, 2) x and y in pixels; whole numbers are the middles of pixels."""

OUTLINE, CALIPER, WITHIN = (79, 195, 207), (255, 214, 120), (255, 138, 128)
"""Of an ellipse, of a caliper, and of an ellipse that lies in another (the heart in the thorax)."""

_SHADE = 0.55  # darkness of the rim about a line, so that it is seen on bone too
_PIECE = 32.0  # pixels; a line is covered in pieces of this length
_FAR = 3.0  # sides of the picture: a line that leaves it farther is no measure of it


def mark(picture: Image.Image, measures: Iterable[Measurement], scale: float = 1.0, named: bool = False) -> Image.Image:
    """The picture with the drawings of the measures on it.

    Args:
        picture: grey or RGB; it is not changed.
        measures: their drawings in the pixels of the picture that was measured; refused ones have none.
        scale: size of ``picture`` over that of the picture that was measured.
        named: whether each caliper bears its measure's name.

    Returns:
        ``picture`` itself where there is nothing to draw, else a new RGB picture.
    """
    drawn = [(one.name, found) for one in measures if (found := _line(one, scale, picture.size)) is not None]
    if not drawn:
        return picture
    width = _width(picture.size)
    pixels = np.array(picture.convert("RGB"), dtype=np.uint8)
    for name, points in sorted(drawn, key=lambda pair: len(pair[1]) == 2):  # calipers over ellipses
        strokes = list(_strokes(points, width))
        _shade(pixels, strokes, width + 2.0, (0, 0, 0), _SHADE)
        _shade(pixels, strokes, width, _colour(name, points), 1.0)
    marked = Image.fromarray(pixels)
    for name, points in drawn if named else ():
        if len(points) == 2:
            _name(marked, name, points, width)
    return marked


def _width(size: tuple[int, int]) -> float:
    """Of a line on a picture of that size, pixels."""
    return min(max(max(size) / 480.0, 1.2), 8.0)


def _line(one: Measurement, scale: float, size: tuple[int, int]) -> Line | None:
    """The drawing on a picture of that size; None where there is none, or it is not of that picture."""
    if one.value is None or len(one.drawing) < 2:
        return None
    points = (np.asarray(one.drawing, dtype=np.float64).reshape(-1, 2) + 0.5) * scale - 0.5
    far = _FAR * max(size)
    return points if np.isfinite(points).all() and np.abs(points).max() <= far else None


def _colour(name: str, points: Line) -> Colour:
    if len(points) == 2:
        return CALIPER
    known = BIOMETRICS.get(name)
    return WITHIN if known is not None and known.structures[0] == "heart" else OUTLINE


def _strokes(points: Line, width: float) -> Iterator[Line]:
    """Straight strokes, (2, 2) each: the sides of a closed outline; the crosses of a caliper and the dots between."""
    if len(points) > 2:
        for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
            yield np.stack([start, end])
        return
    start, end = points
    length = float(np.linalg.norm(end - start))
    arm = 2.0 + 2.5 * width
    for tip in points:
        yield np.stack([tip - (arm, 0.0), tip + (arm, 0.0)])
        yield np.stack([tip - (0.0, arm), tip + (0.0, arm)])
    on, step, gap = 1.5 * width, 5.0 * width + 2.0, arm + 2.0 * width
    count = int((length - 2.0 * gap) / step)
    way = (end - start) / max(length, 1e-9)
    for number in range(max(0, count + 1)):
        at = length / 2.0 + (number - count / 2.0) * step
        yield np.stack([start + way * (at - on / 2.0), start + way * (at + on / 2.0)])


def _shade(pixels: npt.NDArray[np.uint8], strokes: Sequence[Line], width: float, colour: Colour, most: float) -> None:
    """Lay the strokes over (H, W, 3) pixels, in place."""
    covered = np.zeros(pixels.shape[:2], dtype=np.uint8)  # of each pixel, in 255ths
    for stroke in strokes:
        _cover(covered, stroke, width)
    rows, columns = np.nonzero(covered)
    share = most * covered[rows, columns, None].astype(np.float32) / 255.0
    mixed = (1.0 - share) * pixels[rows, columns] + share * np.asarray(colour, dtype=np.float32)
    pixels[rows, columns] = np.round(mixed).astype(np.uint8)


def _cover(covered: npt.NDArray[np.uint8], stroke: Line, width: float) -> None:
    """Raise each pixel to the share that a stroke of that width covers of it."""
    height, wide = covered.shape
    pieces = max(1, math.ceil(float(np.linalg.norm(stroke[1] - stroke[0])) / _PIECE))
    ends = np.linspace(stroke[0], stroke[1], pieces + 1)
    reach = width / 2.0 + 1.0
    for start, end in pairwise(ends):
        x0, y0 = np.maximum(np.floor(np.minimum(start, end) - reach).astype(int), 0)
        x1, y1 = np.minimum(np.ceil(np.maximum(start, end) + reach).astype(int) + 1, (wide, height))
        if x0 >= x1 or y0 >= y1:
            continue
        x, y = np.arange(x0, x1) - start[0], np.arange(y0, y1)[:, None] - start[1]
        way = end - start
        along = np.clip((x * way[0] + y * way[1]) / max(float(way @ way), 1e-9), 0.0, 1.0)
        away = np.hypot(x - along * way[0], y - along * way[1])
        share = np.round(255.0 * np.clip(reach - 0.5 - away, 0.0, 1.0)).astype(np.uint8)
        np.maximum(covered[y0:y1, x0:x1], share, out=covered[y0:y1, x0:x1])


def _name(picture: Image.Image, name: str, points: Line, width: float) -> None:
    """The measure's name beyond one of the caliper's ends, the one with more room; always inside the picture."""
    size = max(11.0, max(picture.size) / 52.0)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    half = np.array([pen.textlength(name, font=font) / 2.0, size / 2.0]) + 2.0
    most = np.maximum(np.asarray(picture.size) - half, half)
    places = []
    for start, end in (points, points[::-1]):
        way = (end - start) / max(float(np.linalg.norm(end - start)), 1e-9)
        at = end + way * (5.0 + 2.5 * width + np.abs(way) @ half)
        inside = np.minimum(np.maximum(at, half), most)
        places.append((float(np.linalg.norm(at - inside)), float(inside[1] - inside[0]), tuple(inside)))
    _, _, (x, y) = min(places)  # moved least; of two that stay, the one farther up and right
    stroke = max(1, round(width))
    pen.text(
        (float(x), float(y)), name, font=font, fill=CALIPER, anchor="mm", stroke_width=stroke, stroke_fill=(0, 0, 0)
    )
