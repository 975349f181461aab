"""A map of embeddings as a picture: one dot each, coloured by label, with a legend."""

from __future__ import annotations

import colorsys
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fetalclip.report.axes import FAINT, GRID, INK, PAPER
from fetalclip.report.pens import Colour, pen
from fetalclip.report.text import sentence

Places = npt.NDArray[np.float32]

WIDTH, HEIGHT = 900, 640  # pixels
_FIELD = (28, 92, 628, 612)  # left, top, right, bottom of the field
_LEGEND, _ROW = 652, 24  # pixels: left edge of the legend, height of one of its lines
_WIDE_LETTER = 0.56  # of a letter's size

UNLABELLED: Colour = (183, 194, 202)
_COLOURS: tuple[Colour, ...] = (
    (11, 102, 116),
    (222, 127, 22),
    (118, 78, 168),
    (196, 52, 58),
    (79, 150, 63),
    (58, 117, 204),
    (140, 98, 57),
    (214, 94, 160),
    (160, 154, 32),
    (35, 170, 190),
    (36, 52, 104),
    (120, 60, 90),
)


def colours(count: int) -> list[Colour]:
    """Colours that can be told apart; beyond the first twelve around the wheel, by the golden angle."""
    found = list(_COLOURS[:count])
    for i in range(len(found), count):
        r, g, b = colorsys.hls_to_rgb((0.618034 * i) % 1.0, 0.36 + 0.16 * (i % 3), 0.55)
        found.append((round(255 * r), round(255 * g), round(255 * b)))
    return found


def by_size(labels: Sequence[str]) -> list[tuple[str, int]]:
    """Each label with how many there are, the commonest first; without the empty one."""
    return sorted(Counter(label for label in labels if label).items(), key=lambda item: (-item[1], item[0]))


def draw_map(places: Places, labels: Sequence[str], title: str, facts: str = "", foot: str = "") -> bytes:
    """The map as a PNG.

    Args:
        places: (n, 2); drawn with one scale along both sides.
        labels: of each, empty for one without; empty as a whole for a map in one colour.
        title: the headline.
        facts: one line below it.
        foot: one line below the field: what its sides are.

    Returns:
        The file. No name of a picture is on it.
    """
    page = pen("png", WIDTH, HEIGHT, PAPER)
    page.text((_FIELD[0], 28), _cut(title, WIDTH - 2 * _FIELD[0], 20), 20, INK)
    page.text((_FIELD[0], 58), _cut(facts, WIDTH - 2 * _FIELD[0], 14), 14, FAINT)
    left, top, right, bottom = _FIELD
    page.line([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], GRID, 1.5)
    page.text((left, bottom + 15), _cut(foot, right - left, 13), 13, FAINT)
    classes = by_size(labels)
    inks = dict(zip([name for name, _ in classes], colours(len(classes)), strict=True))
    own = colours(1)[0] if not labels else UNLABELLED
    n = len(places)
    radius = 6.0 if n <= 500 else 5.0 if n <= 2000 else 3.0 if n <= 10_000 else 2.0
    shown = _inside(places, radius + 6)
    # In an order of no meaning: the label that is drawn last would hide the others.
    for i in np.random.default_rng(0).permutation(n):
        ink = inks.get(labels[i], own) if labels else own
        page.dot((float(shown[i, 0]), float(shown[i, 1])), radius, ink, PAPER if n <= 2000 else ink)
    bare = sum(not label for label in labels)
    rows = [(name, count, inks[name]) for name, count in classes]
    rows += [("no label", bare, UNLABELLED)] if bare else []
    step = min(_ROW, (bottom - top) / max(1, len(rows)))
    for i, (name, count, ink) in enumerate(rows):
        y = top + 10 + step * i
        size = 14 if step >= 18 else 11
        page.dot((_LEGEND + 6, y), min(6.0, 0.4 * step), ink, ink)
        page.text((_LEGEND + 20, y), _cut(f"{name}  ({count})", WIDTH - _LEGEND - 30, size), size, INK)
    return page.done()


def _inside(places: Places, margin: float) -> npt.NDArray[np.float64]:
    """Pixels of the places in the field, (n, 2): one scale, in the middle, y upwards."""
    left, top, right, bottom = _FIELD
    low, high = places.min(axis=0).astype(np.float64), places.max(axis=0).astype(np.float64)
    room = np.array([right - left, bottom - top]) - 2 * margin
    scale = float((room / np.maximum(high - low, 1e-12)).min())
    moved = (places - (low + high) / 2) * scale
    return np.array([(left + right) / 2, (top + bottom) / 2]) + moved * np.array([1.0, -1.0])


def _cut(words: str, room: float, size: int) -> str:
    words = sentence(words)
    most = max(3, int(room / (_WIDE_LETTER * size)))
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"
