"""How sure is a measure? A head's habit and its intervals, calibrated on pictures it was not trained on.

The truth of a measure is what the same measuring code makes of the true mask, by the same convention: what remains is
the head's own error. The drawn masks take the road they take at inference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fetalclip.caliper import calibrate_widen, measure, spread
from fetalclip.caliper.round import find_round
from fetalclip.clinical.biometry import BIOMETRICS
from fetalclip.data.structures import Outlined
from fetalclip.errors import BadValue
from fetalclip.result import Segmentation
from fetalclip.tasks.segment import Mask, SegmentTask

_TOGETHER = 8  # pictures in memory at once
_SIDE = 800.0  # pixels of the longer side that a habit is told for
LENGTH_CUTS = (0.35, 0.5, 0.65)
_REFUSED = 0.05  # of a length: what a measure that is not given costs against one that is off
ENOUGH = 20  # pictures, below which a mean says little


def length_thresholds(task: SegmentTask, rows: Sequence[Outlined]) -> dict[str, float]:
    """Thresholds of a head, that of a structure whose length is measured at the least error of that length.

    Args:
        task: a head on its encoder.
        rows: pictures with true masks, none of them trained on.

    Returns:
        Structure to threshold, for all structures. Of thresholds that refuse different pictures the mean error counts
        a refusal as ``_REFUSED``, so that none is chosen for measuring the easy ones only.
    """
    config = task.head.config
    chosen = dict(config.thresholds)
    for one in (BIOMETRICS[name] for name in config.measures if BIOMETRICS[name].kind == "length"):
        errors = {}
        for cut in LENGTH_CUTS:
            tried = replace(config, thresholds={**config.thresholds, one.structures[0]: cut})
            errors[cut] = _length_error(SegmentTask(task.encoder, replace(task.head, config=tried)), one.name, rows)
        chosen[one.structures[0]] = min(errors, key=lambda cut: errors[cut])
    return chosen


def _length_error(task: SegmentTask, name: str, rows: Sequence[Outlined]) -> float:
    """Mean absolute error of a length as a share of it."""
    errors = []
    for true, said in _held(task, rows):
        wanted, value = _value(true, name), _value(said, name)
        if wanted is not None:
            errors.append(_REFUSED if value is None else abs(value - wanted) / wanted)
    return float(np.mean(errors)) if errors else 0.0


def own_habit(task: SegmentTask, rows: Sequence[Outlined]) -> dict[str, dict[str, float]]:
    """By how much a head's outlines lie further out than its annotators', so that circumferences are right on average.

    It is the mean difference of the circumference over 2 pi: a fraction of a pixel.

    Args:
        task: a head on its encoder.
        rows: pictures with true masks, none of them trained on.

    Returns:
        Structure to ``pixels`` and ``side``, as ``habit`` in the head's ``config.json``; of structures that have a
        circumference among the head's measures, and were measured on enough pictures.
    """
    rounds = [BIOMETRICS[name] for name in task.head.config.measures if BIOMETRICS[name].kind == "circumference"]
    off: dict[str, list[float]] = {one.structures[0]: [] for one in rounds}
    for true, said in _held(task, rows):
        mm = float(np.mean(said.mm_per_pixel or (1.0, 1.0)))
        for one in rounds:
            wanted, value = _value(true, one.name), _value(said, one.name)
            if wanted is not None and value is not None:
                name = one.structures[0]
                pixels = (value - wanted) / (2.0 * np.pi * mm) * _SIDE / max(said.masks[name].shape)
                off[name].append(pixels)
    enough = {name: float(np.mean(pixels)) for name, pixels in off.items() if len(pixels) >= ENOUGH}
    return {name: {"pixels": round(pixels, 3), "side": _SIDE} for name, pixels in enough.items()}


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
    for true, said in _held(task, rows):
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


def _held(task: SegmentTask, rows: Sequence[Outlined]) -> Iterator[tuple[Segmentation, Segmentation]]:
    """Of each picture its annotation, by the annotators' own convention, and what the head draws."""
    for start in range(0, len(rows), _TOGETHER):
        loaded = [row.load() for row in rows[start : start + _TOGETHER]]
        for (frame, masks), said in zip(loaded, task([frame for frame, _ in loaded]), strict=True):
            outset = task.head.config.convention_of(frame.width, frame.height)
            guides = _pointer(masks, task.head.config.guides, task.head.config.structures)
            true = Segmentation({**guides, **masks}, said.mm_per_pixel, "annotation", outset, lit=said.lit)
            yield true, replace(said, masks={**guides, **said.masks})


def _pointer(masks: Mapping[str, Mask], guides: Mapping[str, str], structures: Sequence[str]) -> dict[str, Mask]:
    """One pixel near an end of the true short diameter as the first guide, for truth and head alike.

    Another head draws the guides at inference. Which diameter is which is its business; how far off each is, is asked
    here.
    """
    ellipse = find_round(masks[structures[0]], structures[0], (1.0, 1.0)).on_picture if guides else None
    if ellipse is None:
        return {}
    x, y = np.rint(0.8 * ellipse.diameter(short=True)[0] + 0.2 * ellipse.centre).astype(int)
    point = np.zeros_like(masks[structures[0]])
    point[min(max(y, 0), len(point) - 1), min(max(x, 0), point.shape[1] - 1)] = True
    return {next(iter(guides)): point}


def _value(segmentation: Segmentation, name: str) -> float | None:
    try:
        return measure(segmentation, name).value
    except BadValue:  # a structure it has no mask of
        return None
