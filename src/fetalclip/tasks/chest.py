"""Facts of a chest from its masks: how large the heart is, where it lies and which way it points.

A square cut out about the heart shows neither its size against the chest nor its axis. The masks that it was cut out
by do. All are seen from the spine: forward is the way from it to the middle of the chest, one unit the chest's radius.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from fetalclip.encoder.engine import Array

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

FACTS = (
    "size",  # of the heart: root of its area over the chest's
    "forward",
    "aside",  # of the heart's middle, without sign: which side is which cannot be told from one picture
    "flatness",  # of the heart: short over long half diameter
    "cos axis",
    "sin axis",
    "cos twice axis",
    "sin twice axis",
    "same side",  # the apex points to the side the heart lies on: 1, to the other: -1, by how far aside both are
    "ventricles",  # root of their area over the heart's
    "atria",
    "smaller ventricle",  # root of its area over the larger one's
    "smaller atrium",
    "septum",  # root of its area over the heart's
    "whole",  # 1 where chest, spine and heart were found; everything is 0 otherwise
)
_PIXELS = 20  # of a structure, below which it was not found


def facts(masks: Mapping[str, Mask]) -> Array:
    """Facts of one picture or of the agreed masks of several, (len(FACTS),) float32, in the order of ``FACTS``.

    Args:
        masks: structure to bool (H, W), as a four-chamber head draws them; what is missing counts as not found.
    """
    made = np.zeros(len(FACTS), np.float32)
    thorax, spine, heart = (_spot(masks.get(name)) for name in ("thorax", "spine", "heart"))
    if thorax is None or spine is None or heart is None:
        return made
    radius = np.sqrt(thorax[1] / np.pi)
    forward = thorax[0] - spine[0]
    forward = forward / max(float(np.linalg.norm(forward)), 1e-9)
    turn = np.stack([forward, [-forward[1], forward[0]]])  # to (forward, aside)
    at = turn @ (heart[0] - thorax[0]) / radius
    parts = {name: _area(masks.get(name)) for name in ("LV", "RV", "LA", "RA", "septum")}
    way = turn @ _apex(masks)
    angle = float(np.arctan2(abs(way[1]), way[0])) if way.any() else 0.0
    values = [
        np.sqrt(heart[1] / thorax[1]),
        at[0],
        abs(at[1]),
        heart[2],
        *([np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)] if way.any() else [0.0] * 4),
        way[1] * np.sign(at[1]),
        np.sqrt((parts["LV"] + parts["RV"]) / heart[1]),
        np.sqrt((parts["LA"] + parts["RA"]) / heart[1]),
        _smaller(parts["LV"], parts["RV"]),
        _smaller(parts["LA"], parts["RA"]),
        np.sqrt(parts["septum"] / heart[1]),
        1.0,
    ]
    made[:] = np.clip(np.nan_to_num(values), -5, 5)
    return made


def _spot(mask: Mask | None) -> tuple[Floats, float, float] | None:
    """Middle (x, y), area and flatness of a mask; None where there is too little of it."""
    if mask is None or mask.sum() < _PIXELS:
        return None
    rows, columns = np.nonzero(mask)
    points = np.stack([columns, rows]).astype(np.float64)
    spread = np.linalg.eigvalsh(np.cov(points))
    return points.mean(axis=1), float(mask.sum()), float(np.sqrt(max(spread[0], 0.0) / max(spread[1], 1e-9)))


def _area(mask: Mask | None) -> float:
    return 0.0 if mask is None else float(mask.sum())


def _apex(masks: Mapping[str, Mask]) -> Floats:
    """The way from atria to ventricles, (x, y) of length 1; zeros where either is not found."""
    ends = []
    for names in (("LA", "RA"), ("LV", "RV")):
        there = [masks[name] for name in names if name in masks]
        spot = _spot(np.logical_or.reduce(there)) if there else None
        if spot is None:
            return np.zeros(2)
        ends.append(spot[0])
    way = ends[1] - ends[0]
    return np.asarray(way / max(float(np.linalg.norm(way)), 1e-9))


def _smaller(one: float, other: float) -> float:
    return float(np.sqrt(min(one, other) / max(one, other, 1.0)))
