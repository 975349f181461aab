"""How sure is a measure? A head's intervals, calibrated on pictures it was not trained on.

The truth of a measure is what the same measuring code makes of the true mask, by the same convention: what remains is
the head's own error. The drawn masks take the road they take at inference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fetalclip.caliper import calibrate_widen, measure, spread
from fetalclip.data.structures import Outlined
from fetalclip.errors import BadValue
from fetalclip.result import Segmentation
from fetalclip.tasks.segment import SegmentTask

_TOGETHER = 8  # pictures in memory at once


def measure_held(task: SegmentTask, rows: Sequence[Outlined]) -> tuple[dict[str, float], dict[str, Any]]:
    """Factors of the intervals, and how far the measures of held pictures were off.

    Args:
        task: a head on its encoder.
        rows: pictures with true masks, none of them trained on.

    Returns:
        Measure to factor (``Segmentation.widen``), of those measured often enough for the level; and measure to
        ``n``, ``refused``, ``mean_absolute_difference``, ``mean_difference`` (mm, px without a spacing) and the
        interval's mean ``width``.
    """
    config = task.head.config
    found: dict[str, list[tuple[float, float | None]]] = {name: [] for name in config.measures}
    asked = dict.fromkeys(config.measures, 0)
    for start in range(0, len(rows), _TOGETHER):
        loaded = [row.load() for row in rows[start : start + _TOGETHER]]
        drawn = task([frame for frame, _ in loaded])
        for (_, masks), said in zip(loaded, drawn, strict=True):
            true = Segmentation(masks, said.mm_per_pixel, "annotation", said.outset, lit=said.lit)
            for name in config.measures:
                wanted = _value(true, name)
                if wanted is None:  # no truth: the annotation itself is refused, or does not have the structure
                    continue
                asked[name] += 1
                value = _value(said, name)
                if value is not None:
                    found[name].append((value - wanted, spread(said, name)))
    factors, told = {}, {}
    for name, pairs in found.items():
        errors, spreads = [error for error, _ in pairs], [wide for _, wide in pairs]
        if not pairs:
            continue
        told[name] = {
            "n": asked[name],
            "refused": asked[name] - len(pairs),
            "mean_absolute_difference": round(float(np.mean(np.abs(errors))), 4),
            "mean_difference": round(float(np.mean(errors)), 4),
        }
        known = [(e, s) for e, s in zip(errors, spreads, strict=True) if s is not None]
        try:
            factors[name] = round(calibrate_widen([s for _, s in known], [e for e, _ in known], config.level), 4)
        except BadValue:
            continue  # too few for the level: no interval is better than a made-up one
        told[name]["width"] = round(2 * factors[name] * float(np.mean([s for _, s in known])), 4)
    return factors, told


def _value(segmentation: Segmentation, name: str) -> float | None:
    try:
        return measure(segmentation, name).value
    except BadValue:  # a structure it has no mask of
        return None
