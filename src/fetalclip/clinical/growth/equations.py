"""Published equations in several sizes: the age they suggest (dating), the weight they suggest (EFW).

Sizes go in as ``{"HC": 175.0, "FL": 32.0}``, mm. An equation is used only where every size it needs is there and
was taken as its publication took it; nothing is filled in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Any

from fetalclip.clinical.age import EstimatedAge, IndependentAge, age_text
from fetalclip.clinical.growth import vectors
from fetalclip.clinical.growth.arithmetic import ONE, many
from fetalclip.clinical.growth.catalogue import DAYS, files
from fetalclip.clinical.growth.formula import Formula
from fetalclip.clinical.growth.invert import reach
from fetalclip.clinical.growth.measures import Size
from fetalclip.errors import BadValue

_NORMAL_95 = 1.959963984540054  # SD of a 95 % interval


@dataclass(frozen=True)
class Equation:
    """One equation of one publication.

    Attributes:
        id: name of its file.
        family: ``intergrowth``, ``hadlock`` or ``robinson``.
        reference: the publication in short.
        needs: the measures it takes.
        kind: ``age`` or ``weight``.
        definitions: how each measure must be taken.
        span: first and last day it was made for; None for weights.
        sizes: mm, the smallest and largest size it was made for, where published.
        day: days in the equation's unit of time.
        formula: what it says.
        error: how far off it may be, as in the chart file.
        citation: the publication in full.
    """

    id: str
    family: str
    reference: str
    needs: tuple[str, ...]
    kind: str
    definitions: Mapping[str, str]
    span: tuple[float, float] | None
    sizes: Mapping[str, tuple[float, float]]
    day: float
    formula: Formula
    error: Mapping[str, Any]
    citation: str

    @property
    def method(self) -> str:
        """The measures by commas: ``HC,AC,FL``."""
        return ",".join(self.needs)

    @property
    def name(self) -> str:
        """Reference and measures: ``Hadlock 1985 HC,AC,FL``."""
        return f"{self.reference} {self.method}"

    def fits(self, given: Mapping[str, Size]) -> bool:
        """Whether every size is there and taken as needed (a definition not said passes)."""
        return all(
            name in given and given[name].definition in (None, self.definitions.get(name)) for name in self.needs
        )

    def value(self, sizes: Mapping[str, Any]) -> Any:
        """Days, or grams: one number, an array or a Series, as the sizes are. None (NaN) outside what it was made for.

        Args:
            sizes: mm by measure; more than is needed may be there.

        Raises:
            BadValue: a size is missing, not a number or not above zero.
        """
        lacking = [name for name in self.needs if name not in sizes]
        if lacking:
            raise BadValue(f"{self.name} without {', '.join(lacking)}", f"{self.method} in mm")
        if all(vectors.is_single(sizes[name]) for name in self.needs):
            return self._single({name: float(sizes[name]) for name in self.needs})
        return vectors.columns(self._block, [sizes[name] for name in self.needs])

    def size(self, days: float) -> float | None:
        """The size (mm) at which an equation in one measure gives that age; None where there is none.

        Raises:
            BadValue: the equation takes several sizes, or gives no age.
        """
        if self.kind != "age" or len(self.needs) != 1 or self.span is None:
            raise BadValue(f"a size from {self.name}", "an age equation in one measure")
        if not self.span[0] <= days <= self.span[1]:
            return None
        low, high = self.sizes.get(self.needs[0], (0.5, 600.0))
        return reach(lambda size, on: self._days({self.needs[0]: size}, on), days, low, high)

    def estimate(self, sizes: Mapping[str, float]) -> EstimatedAge:
        """The age with the publication's own interval; days None outside what it was made for."""
        days = self.value(sizes)
        if days is None:
            first, last = self.span or (0, 0)
            note = f"outside what {self.reference} was made for ({age_text(first)} to {age_text(last)})"
            return EstimatedAge(None, None, None, self.method, self.reference, note=note)
        half = self._half_width(days, sizes)
        if half is None:
            note = self.error.get("missing", "no error is published for this age")
            return EstimatedAge(days, None, None, self.method, self.reference, note=note)
        return EstimatedAge(days, days - half, days + half, self.method, self.reference, note=self.error["source"])

    def _days(self, sizes: Mapping[str, Any], on: Any) -> Any:
        return self.formula(sizes, on) * self.day

    def _single(self, sizes: Mapping[str, float]) -> float | None:
        for name, size in sizes.items():
            if not 0 < size < float("inf"):
                raise BadValue(f"{name} = {size:g}", "a size above zero, mm")
            low, high = self.sizes.get(name, (0.0, float("inf")))
            if not low <= size <= high:
                return None
        value = self._days(sizes, ONE)
        if self.span is not None and not self.span[0] <= value <= self.span[1]:
            return None
        return value

    def _block(self, *sizes: Any) -> Any:
        on = many()
        value = self._days(dict(zip(self.needs, sizes, strict=True)), on)
        for name, size in zip(self.needs, sizes, strict=True):
            if name in self.sizes:
                low, high = self.sizes[name]
                value = on.where((size >= low) & (size <= high), value)
        if self.span is not None:
            value = on.where((value >= self.span[0]) & (value <= self.span[1]), value)
        return value

    def _half_width(self, days: float, sizes: Mapping[str, float]) -> float | None:
        """Half of the 95 % interval, days; None where the publication gives none."""
        if "two_sd_of_age" in self.error:
            return float(self.error["two_sd_of_age"]) * days
        if "two_sd_days" in self.error:
            return float(self.error["two_sd_days"])
        if "sd" in self.error:
            return _NORMAL_95 * float(Formula.read(self.error["sd"])(sizes, ONE))
        for (w0, half0), (w1, half1) in pairwise(self.error.get("half_width_days", [])):
            if w0 <= days / 7.0 <= w1:
                return float(half0 + (half1 - half0) * (days / 7.0 - w0) / (w1 - w0))
        return None


@lru_cache(maxsize=1)
def equations() -> tuple[Equation, ...]:
    """Every equation of every file."""
    return tuple(
        one for name, data in files().items() if data["kind"] in ("age", "weight") for one in _equations(name, data)
    )


def equation(file: str, needs: str) -> Equation:
    """The equation of a file in these measures: ``equation("hadlock-1984-age", "HC,FL")``.

    Raises:
        BadValue: there is none.
    """
    wanted = {name.strip().upper() for name in needs.split(",")}
    for one in equations():
        if one.id == file and set(one.needs) == wanted:
            return one
    known = ", ".join(sorted({one.id for one in equations()}))
    raise BadValue(f"no equation {file} in {needs}", f"a file of {known}, and measures it takes")


def date_by_size(given: Mapping[str, Size], name: str | None = None) -> list[EstimatedAge]:
    """Ages from what is given: of each publication every equation in one measure, and the one with the most.

    Args:
        given: sizes by measure.
        name: a file or a family; None takes all.
    """
    values = {measure: size.value for measure, size in given.items()}
    asked = [one for one in equations() if one.kind == "age" and name in (None, one.id, one.family)]
    usable = [one for one in asked if one.fits(given)]
    most = {one.id: max(len(other.needs) for other in usable if other.id == one.id) for one in usable}
    return [one.estimate(values) for one in usable if len(one.needs) in (1, most[one.id])]


def weigh(given: Mapping[str, Size]) -> list[tuple[Equation, float]]:
    """Estimated fetal weights (g): of each publication every equation that what is given allows."""
    values = {measure: size.value for measure, size in given.items()}
    found = [(one, one.value(values)) for one in equations() if one.kind == "weight" and one.fits(given)]
    return [(one, grams) for one, grams in found if grams is not None]


def age_by_crl(crl_mm: float, measured: date, on: date, file: str = "intergrowth-21st-crl-age") -> IndependentAge:
    """The age on a later day, by a crown-rump length taken before: known without the later picture.

    Raises:
        BadValue: the length was not taken on an earlier day, or lies outside what the equation was made for.
    """
    if measured >= on:
        raise BadValue(f"a crown-rump length of {measured} for a scan of {on}", "an earlier day than the scan")
    days = equation(file, "CRL").value({"CRL": crl_mm})
    if days is None:
        raise BadValue(f"CRL = {crl_mm:g} mm", f"a length that {file} was made for", "CRL=60")
    return IndependentAge(days + (on - measured).days, "CRL")


def _equations(name: str, data: Mapping[str, Any]) -> Iterable[Equation]:
    weeks = data.get("weeks")
    for one in data["equations"]:
        yield Equation(
            id=name,
            family=data["family"],
            reference=data["reference"],
            needs=tuple(one["needs"]),
            kind=data["kind"],
            definitions=data["definition"],
            span=None if weeks is None else (weeks[0] * 7.0, weeks[1] * 7.0),
            sizes={measure: (float(ends[0]), float(ends[1])) for measure, ends in data.get("sizes", {}).items()},
            day=DAYS[data["time_unit"]] if "time_unit" in data else 1.0,
            formula=Formula.read(one, data.get("scale")),
            error=data.get("error", {}),
            citation=data["citation"],
        )
