"""Masks of one picture, the measures taken of them, and the measures of one exam together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.clinical import growth
from fetalclip.clinical.age import HEADER_SOURCES, IndependentAge, age_text, independent
from fetalclip.errors import BadValue, NoCalibration

_NO_CENTILE = "no centile: "


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Structures found in one picture, on the picture's own pixels.

    Attributes:
        masks: structure to (H, W) bool.
        mm_per_pixel: (x, y) of those pixels, or None when unknown.
        head: name of the head that drew them, or of another source ("annotation").
        outset: structure to the pixels by which its masks lie outside the structure's own edge, by the convention of
            the annotations that the head learned from; absent: 0. Measuring takes them off again.
        views: the masks of the same picture seen again under small changes, for the interval of a measure.
        lit: (H, W) bool, where the picture shows tissue or could; None when not known.
        widen: measure to the factor that makes of the spread over ``views`` its interval, chosen on validation.
        level: probability that the interval was made for.
    """

    masks: Mapping[str, npt.NDArray[np.bool_]]
    mm_per_pixel: tuple[float, float] | None = None
    head: str = ""
    outset: Mapping[str, float] = field(default_factory=dict)
    views: tuple[Mapping[str, npt.NDArray[np.bool_]], ...] = ()
    lit: npt.NDArray[np.bool_] | None = None
    widen: Mapping[str, float] = field(default_factory=dict)
    level: float = 0.9

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """The mask of the only structure, or of the first."""
        return next(iter(self.masks.values()))


@dataclass(frozen=True)
class Measurement:
    """One measure of one picture, or the reason why there is none.

    Attributes:
        name: the measure's symbol (``HC``, ``BPD``, ``OFD``, ``AC``, ``FL``, ``CI``, ...).
        value: in ``unit``; None when refused.
        unit: ``mm``, ``px`` where the picture's spacing is unknown, ``%`` for an index.
        low, high: interval at ``level``; None where nothing was calibrated.
        definition: what was measured from where to where (``outer``, ``outer-outer``, ...).
        source: the head that drew the mask.
        note: why it was refused, or what limits it.
        centile_value, reference: a centile and its chart, only where the age was known without the picture.
        age: that age, of a measure that was compared with a chart or could not be.
        drawing: what to draw over the picture, in its pixels (x, y): the closed outline of an ellipse, or the two ends
            of a caliper.
    """

    name: str
    value: float | None
    unit: str = "mm"
    low: float | None = None
    high: float | None = None
    level: float = 0.9
    definition: str = ""
    source: str = ""
    note: str = ""
    centile_value: float | None = None
    reference: str | None = None
    drawing: tuple[tuple[float, float], ...] = ()
    age: IndependentAge | None = None

    @property
    def mm(self) -> float | None:
        """The measure in millimetres; None when refused or when the spacing is unknown."""
        return self.value if self.unit == "mm" else None

    def centile(self, ga: IndependentAge | str, chart: str | None = None, sex: str | None = None) -> float | None:
        """Centile (0 to 100) at an age that is known without the picture, on a chart of the same definition.

        Args:
            ga: an ``IndependentAge``, or a text such as ``"20w3d"``.
            chart: a chart's id or a family; None takes the first that takes the measure as it was taken.
            sex: ``f`` or ``m`` prefers a chart of that sex.

        Returns:
            None outside the chart's ages, and beyond its outermost quantiles.

        Raises:
            CircularAge: the age was estimated from a size or a picture.
            NoCalibration: the measure is in pixels.
            BadValue: the measure was refused, no chart has it, or none takes it as it was taken.
        """
        return growth.centile_as_taken(self._size(), ga, chart, sex)[0]

    def with_centile(self, ga: IndependentAge | str, chart: str | None = None, sex: str | None = None) -> Measurement:
        """The measure with its centile and the chart's reference, or with a note of why it has none.

        Raises:
            CircularAge: the age was estimated from a size or a picture.
            BadValue: an age or the name of a chart that cannot be meant.
        """
        age = independent(ga)
        growth.check_name(chart)
        plain = self.without_centile()
        if plain.value is None:
            return plain
        plain = replace(plain, age=age)
        try:
            found, on = growth.centile_as_taken(plain._size(), age, chart, sex)
        except (BadValue, NoCalibration) as error:
            return plain._noted(f"{_NO_CENTILE}{error.found}")
        if found is not None:
            return replace(plain, centile_value=found, reference=on.reference)
        median = on.size(age.days)
        if median is None:
            return plain._noted(f"{_NO_CENTILE}{age_text(age.days)} is outside {on.name} ({on.span})")
        edge = "below the lowest" if plain.value < median else "above the highest"
        by = f" at {age_text(age.days)} ({age.source})" if age.source in HEADER_SOURCES else ""  # nobody gave it
        return plain._noted(f"{_NO_CENTILE}{edge} of {on.name}{by}")

    def without_centile(self) -> Measurement:
        """The measure as it was before any age was known."""
        parts = [part for part in self.note.split("; ") if not part.startswith(_NO_CENTILE)]
        return replace(self, centile_value=None, reference=None, age=None, note="; ".join(parts))

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: ``value`` in ``unit``; ``mm`` is the same number or None."""
        return {
            "name": self.name,
            "mm": _places(self.mm),
            "definition": self.definition,
            "centile": _places(self.centile_value),
            "reference": self.reference,
            "low": _places(self.low),
            "high": _places(self.high),
            "level": self.level,
            "unit": self.unit,
            "value": _places(self.value),
            "note": self.note,
            "age": None if self.age is None else self.age.to_dict(),
        }

    def _size(self) -> growth.Size:
        """The measure as a chart takes it.

        Raises:
            BadValue, NoCalibration: see ``centile``.
        """
        known = growth.MEASURES.get(self.name)
        if known is None:
            raise BadValue(f"{self.name} has no chart", f"one of {', '.join(growth.MEASURES)}")
        if self.value is None:
            raise BadValue(f"{self.name} was refused: {self.note}", "a measure")
        if self.unit != known.unit:
            fix = "mm_per_pixel=0.07 in Python; --pixel-spacing MM or --spacing-csv F with analyze"
            raise NoCalibration(f"{self.name} is in {self.unit}", f"{known.unit} for a centile", fix)
        return growth.Size(self.name, self.value, self.definition)

    def _noted(self, more: str) -> Measurement:
        return self if more in self.note else replace(self, note="; ".join(filter(None, (self.note, more))))


def _places(number: float | None) -> float | None:
    return None if number is None else round(float(number), 3)
