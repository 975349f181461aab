"""The age at which a rising curve reaches a size: by secants, from the ends for one size, from a table for arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fetalclip.clinical.growth.arithmetic import ONE, many

CurveOf = Callable[[Any, Any], Any]  # (days or size, arithmetic) -> value

_STEP = 2.0  # days; no published curve turns twice within it
_CELLS = 2048
_SECANTS = 6
_MOST = 80  # steps for one size; about ten are used
_EXACT = 1e-15  # of the size


def rising_end(curve: Callable[[float], float], first: float, last: float) -> float:
    """Where the curve stops rising: ``last``, or the peak before it."""
    steps = max(1, round((last - first) / _STEP))
    places = [first + (last - first) * i / steps for i in range(steps + 1)]
    heights = [curve(place) for place in places]
    top = max(range(len(places)), key=lambda i: heights[i])
    low, high = places[max(0, top - 1)], places[min(steps, top + 1)]
    for _ in range(60):
        third = (high - low) / 3
        if curve(low + third) < curve(high - third):
            low += third
        else:
            high -= third
    return last if last - low < 1e-9 else 0.5 * (low + high)


def reach(curve: CurveOf, size: float, first: float, last: float) -> float | None:
    """The place between ``first`` and ``last`` where a rising curve has the size; None where it never has."""
    low, high = first, last
    below, above = curve(low, ONE) - size, curve(high, ONE) - size
    if not below <= 0 <= above:
        return None
    best, off = (low, below) if -below < above else (high, above)
    side = 0
    for _ in range(_MOST):  # regula falsi; an end that stays twice counts half (Illinois)
        if abs(off) <= _EXACT * size or above <= below:
            break
        best = low - below * (high - low) / (above - below)
        off = curve(best, ONE) - size
        if off >= 0:
            high, above = best, off
            below = 0.5 * below if side > 0 else below
            side = 1
        else:
            low, below = best, off
            above = 0.5 * above if side < 0 else above
            side = -1
    return min(max(best, first), last)


def reach_all(curve: CurveOf, sizes: Any, first: float, last: float) -> Any:
    """``reach`` for an array; NaN where a size is never reached."""
    import numpy as np

    on = many()
    places = np.linspace(first, last, _CELLS + 1)
    heights = curve(places, on)
    out = np.full(sizes.shape, np.nan)
    inside = (sizes >= heights[0]) & (sizes <= heights[-1])
    wanted = sizes[inside]
    cell = np.clip(np.searchsorted(heights, wanted) - 1, 0, _CELLS - 1)
    low, high = places[cell], places[cell + 1]
    below, above = heights[cell] - wanted, heights[cell + 1] - wanted
    before = np.zeros(wanted.shape, bool)
    middle = low
    for step in range(_SECANTS):  # regula falsi; an end that stays twice counts half (Illinois)
        width = above - below
        middle = np.where(width > 0, low - below * (high - low) / np.where(width > 0, width, 1.0), high)
        off = curve(middle, on) - wanted
        up = off >= 0
        again = (up == before) if step else np.zeros(wanted.shape, bool)
        low, high = np.where(up, low, middle), np.where(up, middle, high)
        below = np.where(up, np.where(again, below * 0.5, below), off)
        above = np.where(up, off, np.where(again, above * 0.5, above))
        before = up
    out[inside] = middle
    return out
