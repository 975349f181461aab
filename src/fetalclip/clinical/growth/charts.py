"""Charts: a size at an age against its reference. One file each in ``assets/growth``, read when first asked for.

A chart never extrapolates: outside its ages, and beyond its outermost quantiles, the answer is None (NaN in arrays).
Sizes are in mm (g for EFW), ages in days, centiles 0 to 100. Numbers give a number or None; numpy arrays give an
array; a pandas Series gives a Series with its index.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from fetalclip.clinical.age import EstimatedAge, IndependentAge, age_text, independent
from fetalclip.clinical.growth import vectors
from fetalclip.clinical.growth.arithmetic import ONE
from fetalclip.clinical.growth.curves import Curve
from fetalclip.clinical.growth.invert import reach, reach_all, rising_end


@dataclass(frozen=True)
class Chart:
    """One measure against age in one population.

    Attributes:
        id: name of its file, for example ``who-2017-v3-hc``.
        name: in words, for example ``WHO 2017 V3 HC``.
        reference: the publication in short, for example ``WHO 2017 V3``.
        family: ``who``, ``intergrowth`` or ``hadlock``.
        measure: for example ``HC``.
        unit: ``mm`` or ``g``.
        definition: how the measure is taken, for example ``outer-inner``; of EFW, the formula.
        first_day, last_day: the ages it holds for, both included.
        day: how many days one unit of its own time has.
        sex: ``f``, ``m`` or None for both.
        citation, note: the publication in full, and what to know.
        curve: what answers.
    """

    id: str
    name: str
    reference: str
    family: str
    measure: str
    unit: str
    definition: str
    first_day: float
    last_day: float
    day: float
    curve: Curve
    citation: str
    sex: str | None = None
    note: str = ""

    def holds(self, days: float) -> bool:
        """Whether an age in days is inside the chart; False for NaN."""
        return self.first_day <= days <= self.last_day

    def takes(self, definition: str | None) -> bool:
        """Whether a size taken so may be read on this chart; None (not said) may."""
        return definition is None or definition == self.definition or definition.startswith(self.definition + " ")

    @property
    def span(self) -> str:
        """The ages it holds for, in words: ``14w0d to 40w0d``."""
        return f"{age_text(self.first_day)} to {age_text(self.last_day)}"

    def z(self, size: Any, age: IndependentAge | str, missing: str = "refuse") -> Any:
        """z-score of a size at an age that is known without it.

        Args:
            size: mm (g for EFW): number, array or Series.
            age: an ``IndependentAge``, or a text such as ``"20w3d"``.
            missing: in arrays, ``"refuse"`` stops at the first NaN and names its row; ``"keep"`` answers NaN.

        Returns:
            None (NaN in arrays) outside the chart.

        Raises:
            CircularAge: the age was estimated from a size or a picture.
            BadValue: a size or age that is none; in arrays the message names the row.
        """
        return self._read(self.curve.z, size, independent(age).days, missing)

    def centile(self, size: Any, age: IndependentAge | str, missing: str = "refuse") -> Any:
        """Centile (0 to 100) of a size at an age that is known without it; see ``z``."""
        share = self._read(self.curve.share, size, independent(age).days, missing)
        return None if share is None else 100.0 * share

    def size(self, days: Any, centile: Any = 50.0) -> Any:
        """The size of a centile (0 to 100, both excluded) at an age in days; None (NaN) outside the chart."""
        return self._read(lambda share, t, on: self.curve.size(share / 100.0, t, on), centile, days, "keep")

    def age(self, size: Any, centile: float = 50.0) -> Any:
        """The age in days at which a size lies on a centile: its *equivalent* age on the median.

        Where a curve stops rising before the chart ends (some limb curves near 40 weeks), the earlier age.

        Returns:
            None (NaN in arrays) for a size the curve does not reach inside the chart.
        """
        first, last = self.first_day, _end(self, centile)
        return vectors.each(
            lambda one: reach(partial(self._at, centile), one, first, last),
            lambda some: reach_all(partial(self._at, centile), some, first, last),
            size,
        )

    def estimate(self, size: float, level: float = 0.95) -> EstimatedAge:
        """The equivalent age of one size, with the ages at which healthy fetuses have it.

        ``low`` is the age at which the size is large, ``high`` the age at which it is small; None where that lies
        outside the chart. Of charts with quantiles, ``level`` can be no wider than they are.
        """
        tail = 50.0 * (1.0 - level)
        days, low, high = (self.age(size, centile) for centile in (50.0, 100.0 - tail, tail))
        note = "" if days is not None else f"no age between {self.span} has a median of {size:g} {self.unit}"
        if days is None:
            low = high = None
        meaning = f"age whose {self.reference} median is this {self.measure}; interval = chart spread"
        return EstimatedAge(days, low, high, self.measure, self.name, meaning, level, note)

    def _at(self, centile: float, days: Any, on: Any) -> Any:
        return self.curve.size(centile / 100.0, days / self.day, on)

    def _read(self, answer: vectors.Answer, value: Any, days: Any, missing: str) -> Any:
        def read(sizes: Any, ages: Any, on: Any) -> Any:
            return answer(sizes, ages / self.day, on)

        return vectors.at_ages(read, value, days, (self.first_day, self.last_day), missing)

    def __hash__(self) -> int:
        return hash(self.id)


@lru_cache(maxsize=512)
def _end(chart: Chart, centile: float) -> float:
    return rising_end(lambda t: chart._at(centile, t, ONE), chart.first_day, chart.last_day)
