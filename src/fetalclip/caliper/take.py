"""From a segmentation to its measures: each from its own structure, with an interval over views, or refused and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np

from fetalclip.caliper.checked import checked
from fetalclip.caliper.ellipse import Ellipse
from fetalclip.caliper.outline import Mask, Points, labelled, window
from fetalclip.caliper.round import Round, find_round
from fetalclip.caliper.shaft import Shaft, find_shaft
from fetalclip.caliper.spread import spread_of
from fetalclip.clinical.biometry import BIOMETRICS, Biometric, ellipse_circumference
from fetalclip.errors import BadValue
from fetalclip.result import Measurement, Segmentation

LOOSE = 0.08
"""Spread over views, as a share of the measure, above which it is refused; a reader repeats a measure to 1 or 2 %."""

NO_SPACING = "no millimetres per pixel"
"""How the note of a measure begins that is given in pixels, or of an index that takes pixels for square."""

_CLEAR = 10.0  # degrees from half-way between two diameters, for a direction to choose one
_ROUND = 0.92  # short over long diameter from which on a direction between the two is taken as it is
_OFF_CENTRE = 0.2  # of the radius: nearer to the centre, a spine or a stomach points nowhere


@dataclass(frozen=True)
class _Taken:
    """A value with its drawing and note, or a note why there is none."""

    value: float | None
    drawing: tuple[tuple[float, float], ...] = ()
    note: str = ""


def measure(segmentation: Segmentation, name: str) -> Measurement:
    """One measure of a segmentation.

    Args:
        segmentation: masks on the picture's own pixels.
        name: a symbol of ``clinical.biometry.BIOMETRICS``: HC, BPD, OFD, CI, AC, TAD, APAD, FL, TC, CC, CTR.

    Returns:
        The measure in mm (px where the spacing is unknown, % of an index); refused, its value is None and its note
        says why.

    Raises:
        BadValue: no such measure, one of a structure that the segmentation has no mask of, or masks that are none.
    """
    one = _biometric(name)
    lacking = [structure for structure in one.structures if structure not in segmentation.masks]
    if lacking:
        has = ", ".join(segmentation.masks) or "no structure"
        raise BadValue(f"{one.name} of a segmentation of {has}", f"a mask of {' and '.join(lacking)}")
    return _Reader(segmentation).take(one)


def measure_all(segmentation: Segmentation) -> tuple[Measurement, ...]:
    """Every measure that the segmentation's structures allow, refused ones too, in the order of ``BIOMETRICS``.

    Raises:
        BadValue: masks that are none.
    """
    reader = _Reader(segmentation)
    masks = segmentation.masks
    return tuple(
        reader.take(one)
        for one in BIOMETRICS.values()
        if all(name in masks for name in one.structures)
        and (not one.guides or any(name in masks for name in one.guides))
    )


def spread(segmentation: Segmentation, name: str) -> float | None:
    """Spread of a measure over the segmentation's views, in its unit: what ``calibrate_widen`` takes.

    Returns:
        None where the measure is refused for another reason than its spread, or fewer than two views give it.

    Raises:
        BadValue: as ``measure``.
    """
    one = _biometric(name)
    reader = _Reader(segmentation)
    value = reader.main.take(one).value
    return None if value is None else spread_of(value, reader.seen_again(one))


class _View:
    """One set of masks of the picture; each structure is fitted once, whatever is asked of it."""

    def __init__(self, masks: Mapping[str, Mask], whole: Segmentation, spacing: tuple[float, float]) -> None:
        self.masks, self.whole, self.spacing = masks, whole, spacing
        self._rounds: dict[str, Round] = {}
        self._shafts: dict[str, Shaft] = {}

    def take(self, one: Biometric) -> _Taken:
        """The value of a measure in this view."""
        if one.kind == "length":
            return self._length(one.structures[0])
        found = [self._round(name) for name in one.structures]
        note = "; ".join(dict.fromkeys(filter(None, (one.note for one in found))))
        ellipses = [one.ellipse for one in found if one.ellipse is not None]
        drawn = found[0].on_picture
        if len(ellipses) < len(found) or drawn is None:
            return _Taken(None, note=next(one.note for one in found if one.ellipse is None))
        long, short = ellipses[0].axes
        if one.kind == "circumference":
            return _Taken(ellipse_circumference(long, short), _points(drawn.outline()), note)
        if one.kind == "index":
            return _Taken(100.0 * short / long, note=note)
        if one.kind == "share":
            around = [ellipse_circumference(*ellipse.axes) for ellipse in ellipses]
            return _Taken(100.0 * around[0] / around[1], note=note)
        ends: Points | str = ellipses[0].diameter(one.kind == "short")  # mm
        if one.kind in ("across", "front-back"):
            ends = self._by_direction(one, ellipses[0])
        if isinstance(ends, str):
            return _Taken(None, note=ends)
        return _Taken(float(np.linalg.norm(ends[1] - ends[0])), _points(ends / self.spacing), note)

    def _by_direction(self, one: Biometric, ellipse: Ellipse) -> Points | str:
        """The end points (2, 2) in mm of a diameter by its direction, or why that cannot be told.

        The spine lies behind the centre, the stomach beside it. Which of the ellipse's two diameters is meant is told
        by the whole picture, so that every view names the same one. A round abdomen has no axes to speak of: there a
        spine half-way between them gives the direction itself.
        """
        whole = self._round(one.structures[0]).ellipse or ellipse
        for guide in one.guides:
            at = _middle(self.whole.masks.get(guide), self.whole.masks.get(one.structures[0]))
            if at is None or float(whole.level((at * self.spacing)[None])[0]) < _OFF_CENTRE:
                continue
            way = at * self.spacing - whole.centre
            first, second = whole.diameter(short=True)
            cosine = abs(float((second - first) @ way)) / float(np.linalg.norm(second - first) * np.linalg.norm(way))
            angle = math.degrees(math.acos(min(1.0, cosine)))  # between the short diameter and the guide
            if abs(angle - 45.0) >= _CLEAR:
                front_back_is_short = (angle < 45.0) == (guide == "spine")
                return ellipse.diameter(front_back_is_short == (one.kind == "front-back"))
            if guide == "spine" and whole.axes[1] >= _ROUND * whole.axes[0]:
                return ellipse.along(way if one.kind == "front-back" else np.array([-way[1], way[0]]))
            return f"the {guide} lies between the two diameters: neither is clearly {one.title.split()[0]}"
        return f"no {' or '.join(one.guides)} tells the direction"

    def _length(self, structure: str) -> _Taken:
        if structure not in self._shafts:
            self._shafts[structure] = (
                find_shaft(self.masks[structure], self.spacing, self._outset(structure), self.whole.lit)
                if structure in self.masks
                else Shaft(None, self.spacing, f"no {structure}")
            )
        shaft = self._shafts[structure]
        return _Taken(shaft.length, () if shaft.ends is None else _points(shaft.ends), shaft.note)

    def _round(self, structure: str) -> Round:
        if structure not in self._rounds:
            self._rounds[structure] = (
                find_round(self.masks[structure], structure, self.spacing, self._outset(structure), self.whole.lit)
                if structure in self.masks
                else Round(None, self.spacing, f"no {structure}")
            )
        return self._rounds[structure]

    def _outset(self, structure: str) -> float:
        return float(self.whole.outset.get(structure, 0.0))


class _Reader:
    """A segmentation with its views, checked once."""

    def __init__(self, segmentation: Segmentation) -> None:
        self.whole = checked(segmentation)
        spacing = self.whole.mm_per_pixel
        self.unit = "px" if spacing is None else "mm"
        self.main = _View(self.whole.masks, self.whole, spacing or (1.0, 1.0))
        self.views = [_View(masks, self.whole, spacing or (1.0, 1.0)) for masks in self.whole.views]

    def seen_again(self, one: Biometric) -> list[float]:
        """The measure in each view that gives it."""
        values = (view.take(one).value for view in self.views)
        return [value for value in values if value is not None]

    def take(self, one: Biometric) -> Measurement:
        """The measure with its interval, or refused."""
        found = self.main.take(one)
        unit = one.unit if one.unit == "%" else self.unit
        again = [] if found.value is None else self.seen_again(one)
        why = found.note if found.value is None else self._doubts(one, found.value, again, unit)
        base = Measurement(
            one.name, None, unit, level=self.whole.level, definition=one.definition, source=self.whole.head, note=why
        )
        if found.value is None or why:
            return base
        spacing = ""
        if self.unit == "px":
            spacing = f"{NO_SPACING}: {'pixels taken as square' if unit == '%' else 'in pixels'}"
        low, high = self._interval(one, found.value, again)
        note = "; ".join(filter(None, (spacing, found.note)))
        return replace(base, value=found.value, low=low, high=high, note=note, drawing=found.drawing)

    def _doubts(self, one: Biometric, value: float, again: Sequence[float], unit: str) -> str:
        """Why a value that was found is refused all the same; empty where it is not."""
        if unit != "px" and not one.low <= value <= one.high:
            cause = "" if unit == "%" else "; is the spacing right?"
            return f"{one.name} of {value:.1f} {unit} cannot be, {one.low:g} to {one.high:g} {unit} can{cause}"
        if 2 * len(again) < len(self.views):
            return f"only {len(again)} of {len(self.views)} views of the picture give it"
        wide = spread_of(value, again)
        if wide is not None and wide > LOOSE * value:
            return f"views of the picture differ by {wide / value:.0%}, above {LOOSE:.0%}"
        return ""

    def _interval(self, one: Biometric, value: float, again: Sequence[float]) -> tuple[float | None, float | None]:
        factor, wide = self.whole.widen.get(one.name), spread_of(value, again)
        if factor is None or wide is None:
            return None, None
        return max(0.0, value - factor * wide), value + factor * wide


def _biometric(name: str) -> Biometric:
    known = BIOMETRICS.get(name.strip().upper())
    if known is None:
        near = get_close_matches(name.strip().upper(), BIOMETRICS, n=1)
        fix = f'measure(segmentation, "{near[0] if near else "HC"}")'
        raise BadValue(f"unknown measure {name.strip()[:40]!r}", f"one of {', '.join(BIOMETRICS)}", fix)
    return known


def _middle(mask: Mask | None, within: Mask | None) -> Points | None:
    """The middle of a mask's largest piece within a structure, (2,) x and y; None of none."""
    found = None if mask is None or within is None else window(mask & within)
    if found is None:
        return None
    pieces, sizes = labelled(found[0])
    rows, columns = np.nonzero(pieces == int(sizes.argmax()) + 1)
    return np.array([columns.mean() + found[1][0], rows.mean() + found[1][1]])


def _points(points: Points) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(x), 2), round(float(y), 2)) for x, y in points)
