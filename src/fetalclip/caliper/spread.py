"""How far a measure spreads over views of one picture, and the factor that makes an interval of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fetalclip.errors import BadValue

FLOOR = 0.1
"""Least spread, in the measure's own unit (mm, px or %). Machines and charts write a size to a tenth of a millimetre,
and a mask's edge is known no better; views that agree more closely show a still picture, not a sure measure."""


def spread_of(value: float, views: Sequence[float]) -> float | None:
    """Root mean square distance of the views' values from the measure itself, at least ``FLOOR``.

    From the measure and not from the views' mean, so that views which all move it one way count.

    Returns:
        None of fewer than two views.
    """
    if len(views) < 2:
        return None
    return max(FLOOR, math.sqrt(sum((view - value) ** 2 for view in views) / len(views)))


def calibrate_widen(spreads: Sequence[float], errors: Sequence[float], level: float = 0.9) -> float:
    """The factor by which a spread becomes half an interval that holds the truth with probability ``level``.

    Split conformal: the ceil((n + 1) level)-th smallest of |error| / spread. Of a new picture like these the interval
    then holds the truth with at least that probability, whatever the errors' distribution (Lei et al., J Am Stat Assoc
    2018;113:1094-1111, with the locally weighted residual).

    Args:
        spreads: of each measure over its views (``spread_of``), in the measure's unit; at least ``FLOOR`` is taken.
        errors: measure less truth, same order and unit.
        level: above 0, below 1.

    Raises:
        BadValue: the two differ in length, a number is none, or there are too few for the level.
    """
    wide, off = np.asarray(spreads, dtype=np.float64), np.abs(np.asarray(errors, dtype=np.float64))
    if wide.ndim != 1 or wide.shape != off.shape:
        raise BadValue(f"spreads of shape {wide.shape} for errors of shape {off.shape}", "one error for each spread")
    if not 0.0 < level < 1.0:
        raise BadValue(f"a level of {level:g}", "above 0 and below 1", "level=0.9")
    if not (np.isfinite(wide).all() and np.isfinite(off).all() and (wide >= 0).all()):
        raise BadValue("a spread or an error that is not a number", "finite numbers; leave refused measures out")
    rank = math.ceil((len(wide) + 1) * level - 1e-9)
    if rank > len(wide):
        least = math.ceil(level / (1.0 - level) - 1e-9)
        raise BadValue(f"{len(wide)} measures for a level of {level:g}", f"at least {least}")
    return float(np.sort(off / np.maximum(wide, FLOOR))[rank - 1])
