"""A mask's one plausible piece and its outline: between pixels, with what the picture's edges cut marked.

Coordinates are pixels, (x, y), whole numbers at the centres of pixels. An outline crosses the line between two
neighbouring pixels, one inside and one outside, in the middle on average: a smooth edge of a few hundred pixels is told
by these crossings to a few hundredths of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]

LIKE = 0.25  # of the largest piece's area: a second piece as large as this is not a crumb
_CRUMBS = 0.02  # share of the mask that may be dropped or filled without a word
_MARGIN = 0.005  # of the picture's long side: so near the edge of what the picture shows, an outline is the edge's
_NEAREST = 2  # pixels, the same at least
_ALL_ROUND = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, eq=False)
class Piece:
    """One connected piece without holes, cut out of its picture.

    Attributes:
        mask: (h, w) bool, with one row and column of background on each side.
        corner: (x, y) of the mask's first pixel on the picture; -1 is beside it.
        note: what was dropped or filled.
    """

    mask: Mask
    corner: tuple[int, int]
    note: str = ""

    @property
    def pixels(self) -> Points:
        """Centres of its pixels, (n, 2)."""
        rows, columns = np.divmod(np.flatnonzero(self.mask), self.mask.shape[1])
        return np.stack([columns + self.corner[0], rows + self.corner[1]], axis=1).astype(np.float64)

    @property
    def crossings(self) -> Points:
        """Where the outline crosses the lines between neighbouring pixel centres, (n, 2)."""
        wide = self.mask.shape[1]
        rows, columns = np.divmod(np.flatnonzero(self.mask[:, 1:] != self.mask[:, :-1]), wide - 1)
        across = np.stack([columns + 0.5, rows], axis=1)
        rows, columns = np.divmod(np.flatnonzero(self.mask[1:] != self.mask[:-1]), wide)
        down = np.stack([columns, rows + 0.5], axis=1)
        return np.concatenate([across, down]) + np.asarray(self.corner, dtype=np.float64)


def window(mask: Mask) -> tuple[Mask, tuple[int, int]] | None:
    """What holds every pixel of a mask, with a border of background, and its corner; None of an empty mask."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(mask[top:bottom].any(axis=0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    return np.pad(mask[top:bottom, left:right], 1), (left - 1, top - 1)


def plausible(mask: Mask) -> Piece | str:
    """The largest piece with its holes filled, or why there is none.

    Args:
        mask: (H, W) bool.

    Returns:
        The piece; or a reason: empty, or a second piece of like size (``LIKE``).
    """
    found = window(mask)
    if found is None:
        return "the mask is empty"
    cut, corner = found
    if _one_run_a_row(cut):
        return Piece(cut, corner)
    pieces, sizes = labelled(cut)
    order = np.argsort(-sizes)
    if len(sizes) > 1 and sizes[order[1]] >= LIKE * sizes[order[0]]:
        many = int((sizes >= LIKE * sizes.max()).sum())
        return f"the mask has {many} pieces of like size"
    return kept(pieces == order[0] + 1, float(sizes.max() / sizes.sum()), corner)


def kept(chosen: Mask, share: float, corner: tuple[int, int]) -> Piece:
    """A piece of a bordered mask, holes filled, with a note of what was dropped (all but ``share``) and filled."""
    filled = without_holes(chosen)
    holes = 1.0 - float(chosen.sum() / filled.sum())
    notes = []
    if 1.0 - share > _CRUMBS:
        notes.append(f"small pieces left out, {1.0 - share:.0%} of the mask")
    if holes > _CRUMBS:
        notes.append(f"holes filled, {holes:.0%} of the structure")
    small = window(filled)
    assert small is not None
    return Piece(small[0], (corner[0] + small[1][0], corner[1] + small[1][1]), "; ".join(notes))


def labelled(cut: Mask) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Pieces that touch along a side or at a corner: their numbers (h, w), from 1, and their pixels (n,)."""
    from scipy import ndimage

    pieces, count = ndimage.label(cut, _ALL_ROUND)
    return pieces, np.bincount(pieces.ravel(), minlength=count + 1)[1:]


def without_holes(cut: Mask) -> Mask:
    """The mask with every hole filled; it must have a border of background."""
    from scipy import ndimage

    outside, count = ndimage.label(~cut)
    return cut if count == 1 else outside != outside[0, 0]


def at_the_edge(points: Points, size: tuple[int, int], lit: Mask | None) -> Mask:
    """Which points lie where the picture ends, or where it stops showing anything, (n,).

    Args:
        points: (n, 2) pixels.
        size: (height, width) of the picture.
        lit: (H, W), where the picture shows tissue or could.
    """
    height, width = size
    x, y = points[:, 0], points[:, 1]
    found: Mask = (x < 1) | (y < 1) | (x > width - 2) | (y > height - 2)  # a resized mask may stop a pixel short
    if lit is not None:
        reach = max(_NEAREST, round(_MARGIN * max(size)))
        for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, 1), (-1, 1), (1, -1)):
            column = np.clip(np.rint(x + dx * reach).astype(int), 0, width - 1)
            row = np.clip(np.rint(y + dy * reach).astype(int), 0, height - 1)
            found |= ~lit[row, column]
    return found


def _one_run_a_row(cut: Mask) -> bool:
    """Whether every row holds one run that touches the next: then the mask is one piece without holes."""
    inside = cut[1:-1]
    changes = inside[:, 1:] != inside[:, :-1]
    if np.count_nonzero(changes) != 2 * len(inside) or not (np.count_nonzero(changes, axis=1) == 2).all():
        return False
    first = changes.argmax(axis=1)
    last = changes.shape[1] - changes[:, ::-1].argmax(axis=1) - 1
    return bool(((first[1:] <= last[:-1]) & (first[:-1] <= last[1:])).all())
