"""Is the structure large enough, and whole? From its mask and the sector.

That a structure should fill at least 30 % of the picture is an item of the scores of Salomon et al. (Ultrasound
Obstet Gynecol 2006;27:34-40; ISUOG, Ultrasound Obstet Gynecol 2019;53:715-723). Here: of the sector, and of a bone,
which has hardly an area, its length against the sector's width.
"""

from __future__ import annotations

import numpy as np

from fetalclip.quality.scene import Mask, Scene
from fetalclip.result.quality import CANNOT_TELL, FAIL, PASS, Check

LEAST = 30.0  # per cent
MOST_CUT, MOST_CUT_BONE = 14.0, 1.5  # per cent of the outline; an end of a bone is little of its outline
_NEAR = 0.006  # of the picture's long side: as near an edge as this is on it
_BONES = frozenset({"femur"})


def size(scene: Scene) -> Check:
    """The structure fills 30 % of the sector."""
    mask = scene.outline
    if mask is None or scene.lost:
        why = scene.no_outline() if mask is None else "the sector was not found"
        return Check("size", CANNOT_TELL, why, None, LEAST)
    if scene.structure in _BONES:
        value, of = 100.0 * _length(mask) / _width(scene.sector), "of the sector's width"
    else:
        value, of = 100.0 * float((mask & scene.sector).sum() / scene.sector.sum()), "of the sector"
    if value < LEAST:
        return Check("size", FAIL, f"the {scene.structure} is small: {value:.0f} % {of}", value, LEAST, "%")
    return Check("size", PASS, f"the {scene.structure} takes {value:.0f} % {of}", value, LEAST, "%")


def edge(scene: Scene) -> Check:
    """Neither the sector's nor the picture's edge cuts the structure."""
    mask = scene.outline
    if mask is None or scene.lost:
        why = scene.no_outline() if mask is None else "the sector was not found"
        return Check("edge", CANNOT_TELL, why, None, MOST_CUT)
    value, most = 100.0 * cut_share(mask, scene.sector), MOST_CUT_BONE if scene.structure in _BONES else MOST_CUT
    if value > most:
        return Check("edge", FAIL, f"the {scene.structure} is cut by an edge", value, most, "%")
    return Check("edge", PASS, f"the {scene.structure} is whole", value, most, "%")


def cut_share(mask: Mask, sector: Mask) -> float:
    """Share of a mask's outline that lies on or beyond an edge of the sector or the picture, 0 to 1."""
    near = max(1, round(_NEAR * max(mask.shape)))
    seen = np.pad(sector, near)
    for axis in (0, 1):  # shrunk by `near` pixels; beyond the picture is outside
        both = [np.roll(seen, by, axis) for by in (-near, near)]
        seen = seen & both[0] & both[1]
    inside = seen[near:-near, near:-near]
    inner = np.pad(mask, 1)
    inner = inner[1:-1, :-2] & inner[1:-1, 2:] & inner[:-2, 1:-1] & inner[2:, 1:-1]
    outline = mask & ~inner
    return float((outline & ~inside).sum() / max(1, int(outline.sum())))


def _length(mask: Mask) -> float:
    """Longest extent of a mask along its main direction, pixels."""
    points = np.argwhere(mask).astype(np.float64)
    points -= points.mean(axis=0)
    along = points @ np.linalg.svd(points.T @ points)[0][:, 0]
    return float(np.ptp(along) + 1.0)


def _width(sector: Mask) -> float:
    """Greatest width of the sector, pixels."""
    return float(max(1, int(sector.sum(axis=1).max())))
