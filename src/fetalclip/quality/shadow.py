"""How much of the sector lies in shadow: dark bands along the beams, down to the sector's end.

The picture does not tell where its beams meet, so several apices are tried and the one that explains most counts. At
each depth dark means dark against the brighter beams of that depth: where all is dark, nothing is told of it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fetalclip.quality.scene import Mask, Scene
from fetalclip.result.quality import CANNOT_TELL, FAIL, PASS, Check

Real = npt.NDArray[np.float64]

MOST = 12.0  # per cent of the sector
_APICES = (0.35, 0.6, 1.0, 2.0, 20.0)  # heights of the sector above its top
_DEPTHS, _BEAMS = 72, 96
_AGAINST = 75.0  # centile over the beams of one depth
_DARK = 0.3  # of that
_SEEN = 18.0  # grey; a depth whose brighter beams are darker tells nothing
_LONG = 0.45  # of a beam: a shorter one is a vessel or a fluid, not a shadow
_WHOLE = 0.9  # of a shadow must be dark
_WIDE = 3  # beams side by side


def shadow(scene: Scene) -> Check:
    """No more than a little of the sector lies in shadow."""
    if scene.lost:
        return Check("shadow", CANNOT_TELL, "the sector was not found", None, MOST)
    value = 100.0 * shadow_share(scene.gray, scene.sector & ~scene.marks)
    if value > MOST:
        return Check("shadow", FAIL, f"{value:.0f} % of the sector lies in shadow", value, MOST, "%")
    return Check("shadow", PASS, "little or nothing lies in shadow", value, MOST, "%")


def shadow_share(gray: npt.NDArray[np.uint8], sector: Mask) -> float:
    """Share of the sector in shadow, 0 to 1; 0 without a sector."""
    rows, columns = np.flatnonzero(sector.any(axis=1)), np.flatnonzero(sector.any(axis=0))
    if rows.size < 8 or columns.size < 8:
        return 0.0
    return max(_share(*_beams(gray, sector, apex)) for apex in _APICES)


def _beams(gray: npt.NDArray[np.uint8], sector: Mask, apex: float) -> tuple[Real, Mask]:
    """Grey and validity on a beam grid (depths, beams) about an apex above the middle of the sector's top."""
    rows, columns = np.flatnonzero(sector.any(axis=1)), np.flatnonzero(sector.any(axis=0))
    top, bottom = float(rows[0]), float(rows[-1])
    height, middle = bottom - top, 0.5 * float(columns[0] + columns[-1])
    away = apex * height
    half = 0.5 * float(columns[-1] - columns[0])
    far = float(np.hypot(half, away + height))
    slope = np.arctan2(half, away + 0.5 * height)
    angle = np.linspace(-slope, slope, _BEAMS)[None, :]
    reach = np.linspace(away, far, _DEPTHS)[:, None]
    x, y = middle + reach * np.sin(angle), top - away + reach * np.cos(angle)
    valid = (x >= 0) & (y >= 0) & (x < sector.shape[1] - 1) & (y < sector.shape[0] - 1)
    px, py = np.where(valid, x, 0).astype(int), np.where(valid, y, 0).astype(int)
    valid &= sector[py, px]
    step = max(1, round(height / _DEPTHS))
    soft = _mean(_mean(gray.astype(np.float64), step, 0), step, 1)
    return np.where(valid, soft[py, px], 0.0), valid


def _share(level: Real, valid: Mask) -> float:
    """Share of the valid cells that lie in a dark run down to the end of their beam."""
    if not valid.any():
        return 0.0
    bright = np.array(
        [np.percentile(row[ok], _AGAINST) if ok.any() else 0.0 for row, ok in zip(level, valid, strict=True)]
    )
    told = valid & (bright >= _SEEN)[:, None]
    dark = told & (level < _DARK * bright[:, None])
    # from below: told and dark cells of each beam from each depth to its end
    below = told[::-1].cumsum(axis=0)[::-1]
    black = dark[::-1].cumsum(axis=0)[::-1]
    whole = dark & (black >= _WHOLE * below) & (below >= _LONG * np.maximum(told.sum(axis=0), 1))
    start = np.where(whole.any(axis=0), whole.argmax(axis=0), _DEPTHS)
    band = start < _DEPTHS
    start = np.where(_opened(band), start, _DEPTHS)
    shaded = valid & (np.arange(_DEPTHS)[:, None] >= start)
    return float(shaded.sum() / valid.sum())


def _opened(band: Mask) -> Mask:
    """Beams in runs of at least `_WIDE`."""
    kept = np.zeros_like(band)
    for i in range(len(band) - _WIDE + 1):
        if band[i : i + _WIDE].all():
            kept[i : i + _WIDE] = True
    return kept


def _mean(field: Real, reach: int, axis: int) -> Real:
    """Mean over 2 * reach + 1 neighbours, edges repeated."""
    pad = [(0, 0), (0, 0)]
    pad[axis] = (reach + 1, reach)
    total = np.pad(field, pad, mode="edge").cumsum(axis=axis)
    count = 2 * reach + 1
    high, low = np.split(total, [count], axis=axis)[1], total.take(range(total.shape[axis] - count), axis=axis)
    return np.asarray((high - low) / count)
