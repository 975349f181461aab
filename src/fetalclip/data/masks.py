"""Masks and annotations beside the pictures: heads, outlined or filled, and head structures.

HC18's published annotation is a thin closed outline; copies of it exist with the head filled. Both become the same
mask: everything inside the outline's outer edge, which lies outside the published ellipse by half the line's width.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from fetalclip.errors import UnreadableInput, UsageError
from fetalclip.frame import Pixels
from fetalclip.io import read, read_size
from fetalclip.io.quiet import quiet

Mask = npt.NDArray[np.bool_]

STRUCTURES = {0: "background", 1: "brain", 2: "cavum septi pellucidi", 3: "lateral ventricle"}
_FILLED, _OUTLINE = 0.9, 0.5  # share of the hull that is drawn: of a filled head above, of an outline below
_MIN_PIXELS = 20
_AGAIN = "an annotation image: a closed outline or a filled shape, bright on black"


def head_mask(path: str | Path) -> tuple[Mask, str]:
    """The head's mask from an annotation of either layout.

    Returns:
        bool (H, W), and "outline" or "filled": which layout it was.

    Raises:
        UnreadableInput: not a picture, empty, or neither an outline nor filled.
    """
    drawn = read(path).gray > 127
    if drawn.sum() < _MIN_PIXELS:
        raise UnreadableInput(f"{Path(path).name} has {int(drawn.sum())} bright pixels", _AGAIN)
    hull = fill_hull(drawn)
    share = float(drawn.sum()) / float(hull.sum())
    if share >= _FILLED:
        return drawn, "filled"
    if share > _OUTLINE:
        raise UnreadableInput(f"{Path(path).name} is bright in {share:.0%} of its hull", _AGAIN)
    return hull, "outline"


def structures_mask(path: str | Path, known: Mapping[int, str] = STRUCTURES) -> Pixels:
    """Labels of the head structures, or of others that are known by number (0, the background, always is).

    Returns:
        uint8 (H, W) with the labels of ``known``.

    Raises:
        UnreadableInput, InputTooLarge: not a picture, a huge one, or other labels in it.
    """
    read_size(path)  # refuses what is no picture or too large
    try:
        with quiet(), Image.open(path) as image:  # the stored numbers: `read` would spread them over 0 to 255
            if image.mode not in ("L", "P", "I", "I;16", "1"):
                raise UnreadableInput(f"{Path(path).name} has mode {image.mode}", "a grey or palette PNG of labels")
            labels = np.asarray(image)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableInput(f"{Path(path).name} cannot be read ({type(error).__name__})", "a PNG of labels") from None
    found = set(np.unique(labels).tolist())
    allowed = {0, *known}
    if not found <= allowed:
        odd = ", ".join(map(str, sorted(found - allowed)[:5]))
        wanted = "0 to 3" if known is STRUCTURES else ", ".join(map(str, sorted(allowed)))
        raise UnreadableInput(f"{Path(path).name} has the labels {odd}", wanted)
    return labels.astype(np.uint8)


def load_mask(path: str | Path, kind: str) -> npt.NDArray[np.generic]:
    """The mask of a row: bool (H, W) for ``head``, labels uint8 (H, W) for ``structures``.

    Raises:
        UsageError: another kind.
        UnreadableInput: the file is not of that kind.
    """
    if kind == "head":
        return head_mask(path)[0]
    if kind == "structures":
        return structures_mask(path)
    raise UsageError(f"a mask of kind {kind!r:.40}", "head or structures")


def fill_hull(drawn: Mask) -> Mask:
    """The convex hull of the drawn pixels, filled, their own area included.

    A head is convex, and so is the part of it that a picture cut at one edge still shows: an outline that leaves the
    picture is closed along the edge.

    Args:
        drawn: bool (H, W), at least one pixel set.
    """
    rows = np.flatnonzero(drawn.any(axis=1))
    first = drawn[rows].argmax(axis=1)
    last = drawn.shape[1] - 1 - drawn[rows, ::-1].argmax(axis=1)
    points = sorted({*zip(first.tolist(), rows.tolist(), strict=True), *zip(last.tolist(), rows.tolist(), strict=True)})
    hull = _half(points)[:-1] + _half(points[::-1])[:-1]
    canvas = Image.new("1", (drawn.shape[1], drawn.shape[0]))
    if len(hull) > 2:
        ImageDraw.Draw(canvas).polygon(hull, fill=1, outline=1)
    return np.asarray(canvas, dtype=bool) | drawn


def _half(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """One side of the hull of sorted points (Andrew's monotone chain)."""
    chain: list[tuple[int, int]] = []
    for x, y in points:
        while len(chain) > 1:
            (ax, ay), (bx, by) = chain[-2:]
            if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                break
            chain.pop()
        chain.append((x, y))
    return chain
