"""Items of the head's own plane: no cerebellum, a midline in the middle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fetalclip.quality.scene import Mask, Scene
from fetalclip.result.quality import CANNOT_TELL, FAIL, PASS, Check

Real = npt.NDArray[np.float64]

LIKELY = 6.0  # per cent: a plane with this probability of showing the cerebellum is not taken for one without
OFF = 20.0  # per cent of half the short diameter by which the midline may lie off the middle, at either end
CLEAR = 0.30  # a line in the middle that stands out so much is the midline, whatever else is bright
FAINT = 0.13  # where no line stands out more, nothing is told; both in deviations across the head
LEAD = 0.01  # so much more must a line off the middle stand out than the best in the middle, likewise
_COLUMNS, _ROWS = 97, 161
_REACH, _HIGH, _ENDS = 0.9, 0.9, 0.65  # along, across, and ends tried, in half diameters
_TRIED = 41  # ends on either side
_THIN, _FLANK = 0.02, 0.055  # half width of a midline, and distance of what it stands out from
_WALLS = (0.06, 0.09, 0.12)  # distance of the two walls of the cavum from the line that runs between them
_APART = 27.0  # per cent, as `OFF`: lines between the two are too near to a middle one to speak against it
_SPOT = 0.6  # deviations; one bright spot is no line
_BEND = 1  # rows by which a midline may leave the straight line
_STEP = 2.0 * _HIGH / (_ROWS - 1)  # from row to row
_BLUR = 0.015  # of half the short diameter: as fine as what is looked for


@dataclass(frozen=True)
class Midline:
    """The line across a head that stands out most.

    Attributes:
        off: its greatest distance from the long diameter within the middle 90 %, in half short diameters.
        middle, outer: how much the best line within `OFF` and the best one well beyond it stand out, in deviations.
    """

    off: float
    middle: float
    outer: float


def cerebellum(scene: Scene) -> Check:
    """A head is measured on a plane without cerebellum (the transcerebellar plane has its own use)."""
    if not scene.subplane:
        return Check("no cerebellum", CANNOT_TELL, "the sub-plane is not certain")
    share = None if scene.cerebellum is None else 100.0 * scene.cerebellum
    if scene.subplane == "trans-cerebellum":
        why = "a plane through the cerebellum: not one to measure the head on"
        return Check("no cerebellum", FAIL, why, share, LIKELY, "%")
    if share is not None and share >= LIKELY:
        why = f"the plane is {scene.subplane}, but perhaps through the cerebellum"
        return Check("no cerebellum", FAIL, why, share, LIKELY, "%")
    return Check("no cerebellum", PASS, f"the plane is {scene.subplane}", share, LIKELY, "%")


def midline(scene: Scene) -> Check:
    """The midline lies in the middle of the head and along it: the plane is symmetric."""
    mask = scene.outline
    if mask is None:
        return Check("midline", CANNOT_TELL, scene.no_outline(), None, OFF)
    found = find_midline(scene.gray, mask)
    if found is None or max(found.middle, found.outer) < FAINT:
        return Check("midline", CANNOT_TELL, "no midline stands out", None, OFF)
    if found.middle >= CLEAR or found.outer - found.middle <= LEAD:
        return Check("midline", PASS, "a midline runs in the middle", min(100.0 * found.off, OFF), OFF, "%")
    why = "the midline is off the middle: the plane is not symmetric"
    return Check("midline", FAIL, why, 100.0 * found.off, OFF, "%")


def find_midline(gray: npt.NDArray[np.uint8], head: Mask) -> Midline | None:
    """The straight line along a head that stands out most, and how much lines in the middle do.

    Args:
        gray: uint8 (H, W).
        head: (H, W) bool.

    Returns:
        None where the head is too small to look.
    """
    level = straightened(gray, head)
    if level is None:
        return None
    echo = _line_echo(level)
    ends = np.linspace(-_ENDS, _ENDS, _TRIED)
    share = np.linspace(0.0, 1.0, _COLUMNS)
    heights = ends[:, None, None] * (1 - share) + ends[None, :, None] * share  # (ends, ends, columns)
    rows = np.rint((heights + _HIGH) / _STEP).astype(int)
    score = echo[rows, np.arange(_COLUMNS)].mean(axis=2)
    off = np.maximum(np.abs(ends)[:, None], np.abs(ends)[None, :])
    central, beyond = off <= 0.01 * OFF + 1e-9, off > 0.01 * _APART
    best = np.unravel_index(int(score.argmax()), score.shape)
    return Midline(float(off[best]), float(score[central].max()), float(score[beyond].max()))


def _line_echo(level: Real) -> Real:
    """How much each place of a straightened head stands out as part of a midline, in deviations: (rows, columns).

    It is a thin bright ridge, or the fluid between two of them: the cavum, which interrupts the midline.
    """
    level = _box(level.T, 2).T
    smooth, flank = _box(level, round(_THIN / _STEP)), round(_FLANK / _STEP)
    one, other = _moved(smooth, flank), _moved(smooth, -flank)
    ridge = smooth - 0.5 * (np.maximum(one, other) + 0.5 * (one + other))  # an edge is no ridge
    ridge = np.clip(ridge / max(float(level.std(axis=0).mean()), 1.0), -_SPOT, _SPOT)
    walls = [round(wall / _STEP) for wall in _WALLS]
    between = [np.minimum(_moved(ridge, wall), _moved(ridge, -wall)) for wall in walls]
    echo = np.maximum.reduce([ridge, *between])
    return np.asarray(np.maximum.reduce([echo, _moved(echo, _BEND), _moved(echo, -_BEND)]))


def straightened(gray: npt.NDArray[np.uint8], head: Mask) -> Real | None:
    """The head turned so that its long diameter lies along the rows, in half diameters: (rows, columns) of grey.

    None where the mask is too small to have a direction.
    """
    y, x = np.nonzero(head)
    if y.size < 400:
        return None
    centre = np.array([x.mean(), y.mean()])
    values, vectors = np.linalg.eigh(np.cov(np.stack([x, y])))
    half = 2.0 * np.sqrt(np.maximum(values, 1e-9))  # semi-axes of the ellipse with these moments; the short one first
    if half[0] < 8:
        return None
    u = np.linspace(-_REACH, _REACH, _COLUMNS)[None, :, None]
    v = np.linspace(-_HIGH, _HIGH, _ROWS)[:, None, None]
    places = centre + u * half[1] * vectors[:, 1] + v * half[0] * vectors[:, 0]
    blur = max(1, math.floor(half[0] * _BLUR))
    soft = _box(_box(gray.astype(np.float64), blur).T, blur).T
    px = np.clip(np.rint(places[..., 0]), 0, gray.shape[1] - 1).astype(int)
    py = np.clip(np.rint(places[..., 1]), 0, gray.shape[0] - 1).astype(int)
    return np.asarray(soft[py, px])


def _box(field: Real, reach: int) -> Real:
    """Mean over 2 * reach + 1 rows, edges repeated."""
    wide = np.pad(field, ((reach + 1, reach), (0, 0)), mode="edge").cumsum(axis=0)
    count = 2 * reach + 1
    return np.asarray((wide[count:] - wide[:-count]) / count)


def _moved(field: Real, by: int) -> Real:
    """Rows moved by ``by``, edges repeated."""
    rows = np.clip(np.arange(field.shape[0]) - by, 0, field.shape[0] - 1)
    return field[rows]
