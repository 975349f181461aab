"""One case read against every chart that has its measures: rows with references, ages, weights, ratios, warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fetalclip.clinical import biometry
from fetalclip.clinical.age import EstimatedAge, IndependentAge, age_text, independent
from fetalclip.clinical.growth.catalogue import check_name, choose
from fetalclip.clinical.growth.charts import Chart
from fetalclip.clinical.growth.equations import Equation, date_by_size, weigh
from fetalclip.clinical.growth.measures import MEASURES, Size
from fetalclip.errors import BadValue

LOW, HIGH = 3.0, 97.0  # centiles of the band
_SMALLEST, _LARGEST = 0.25, 4.0  # of the median: beyond, something else was measured or typed


@dataclass(frozen=True)
class Row:
    """One size against one chart.

    Attributes:
        size: what was read.
        chart: against which chart.
        age: None when no independent age was given.
        centile, z: None where the chart has no answer; then ``note`` says why.
        in_range: whether age and size lie inside the chart; None where that cannot be told.
        median, low, high: the chart's 50th, 3rd and 97th centile at that age.
        note: why there is no centile, or what limits it.
    """

    size: Size
    chart: Chart
    age: IndependentAge | None
    centile: float | None = None
    z: float | None = None
    in_range: bool | None = None
    median: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: ``mm`` or ``grams``, whichever the measure has; the other is None."""
        grams = self.size.unit == "g"
        return {
            "measure": self.size.measure,
            "mm": None if grams else _places(self.size.value, 3),
            "grams": _places(self.size.value, 1) if grams else None,
            "ga_days": None if self.age is None else self.age.days,
            "reference": self.chart.reference,
            "definition": self.chart.definition,
            "centile": _places(self.centile, 3),
            "z": _places(self.z, 4),
            "in_range": self.in_range,
            "chart": self.chart.id,
            "median": _places(self.median, 2),
            "p3": _places(self.low, 2),
            "p97": _places(self.high, 2),
            "note": self.note,
        }


@dataclass(frozen=True)
class Reading:
    """Everything the charts say about one case."""

    rows: tuple[Row, ...]
    age: IndependentAge | None
    dating: tuple[EstimatedAge, ...] = ()
    weights: tuple[tuple[Equation, float], ...] = ()
    ratios: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, without the schema."""
        age = None if self.age is None else {"days": self.age.days, "source": self.age.source}
        return {
            "rows": [row.to_dict() for row in self.rows],
            "age": age,
            "dating": [one.to_dict() for one in self.dating],
            "efw": [
                {"grams": round(grams, 1), "method": one.method, "reference": one.reference}
                for one, grams in self.weights
            ],
            "ratios": {name: round(value, 4) for name, value in self.ratios.items()},
            "warnings": list(self.warnings),
        }


def read(
    given: Mapping[str, Size],
    age: IndependentAge | str | None = None,
    chart: str | None = None,
    sex: str | None = None,
    dating: bool = True,
) -> Reading:
    """Read sizes against the charts.

    Args:
        given: sizes by measure.
        age: known without these sizes; None gives ages and weights, but no centile.
        chart: a chart's id or a family; None takes every chart.
        sex: ``f`` or ``m`` adds the charts of that sex.
        dating: also say which ages the sizes suggest; most of the time goes there.

    Raises:
        CircularAge: the age was estimated.
        BadValue: an unknown chart, or a size that cannot be meant at that age.
    """
    known = None if age is None else independent(age)
    name = check_name(chart)
    rows, warnings = [], []
    weights = weigh(given)
    for measure, size in given.items():
        found = choose(measure, name, sex)
        if not found:
            warnings.append(f"{measure}: {'no chart' if name is None else 'no chart of ' + name} has it, so no centile")
        elif size.definition is None and (measure == "EFW" or len(MEASURES[measure].definitions) > 1):
            fix = f"; say BPD={size.value:g}:{found[0].definition}" if measure == "BPD" else ""
            warnings.append(f"{measure}: how it was taken was not said; a row holds only for its own definition{fix}")
        rows += [_row(one, size, known) for one in found]
    if "EFW" not in given:
        for one in choose("EFW", name, sex):
            if weight := _weight_for(one, weights):
                rows.append(_row(one, weight, known))
    if known is None:
        warnings.append("no centile without an age known independently: give --ga, --lmp or --edd")
    ages = tuple(_dating(given, name)) if dating else ()
    return Reading(tuple(rows), known, ages, tuple(weights), _ratios(given), tuple(warnings))


def centile_as_taken(
    size: Size, age: IndependentAge | str, chart: str | None = None, sex: str | None = None
) -> tuple[float | None, Chart]:
    """The centile (0 to 100) of a size on a chart of its own definition, and that chart.

    Args:
        size: with the way it was taken.
        age: known without it.
        chart: a chart's id or a family; None takes the first whose definition is the size's.
        sex: ``f`` or ``m`` prefers a chart of that sex.

    Returns:
        None for the centile outside the chart's ages, and beyond its outermost quantiles.

    Raises:
        CircularAge: the age was estimated.
        BadValue: no chart has the measure, or none takes it so: no centile across definitions.
    """
    known, name = independent(age), check_name(chart)
    found = sorted(choose(size.measure, name, sex), key=lambda one: sex is None or one.sex != sex)
    if not found:
        raise BadValue(
            f"no chart{'' if name is None else ' of ' + name} has {size.measure}", "another measure or chart"
        )
    fitting = [one for one in found if one.takes(size.definition)]
    if not fitting:
        others = [one.id for one in choose(size.measure, None, sex) if one.takes(size.definition)]
        raise BadValue(
            f"{size.measure} taken {size.definition}, {found[0].name} takes {found[0].definition}",
            "one definition: no centile across definitions",
            f"chart {others[0]}" if others else "",
        )
    return fitting[0].centile(size.value, known), fitting[0]


def _row(chart: Chart, size: Size, age: IndependentAge | None) -> Row:
    if not chart.takes(size.definition):
        note = f"taken {size.definition}, this chart takes {chart.definition}: no centile across definitions"
        return Row(size, chart, age, note=note)
    if age is None:
        return Row(size, chart, None, note="no independent age")
    days = float(age.days)
    median, low, high = (chart.size(days, centile) for centile in (50.0, LOW, HIGH))
    if median is None:
        note = f"{age_text(days)} is outside the chart ({chart.span})"
        return Row(size, chart, age, in_range=False, note=note)
    _check_against(size, median, days, chart)
    centile, z = chart.centile(size.value, age), chart.z(size.value, age)
    band = {"median": median, "low": low, "high": high}
    ways = MEASURES[size.measure].definitions
    note = f"holds only if taken {chart.definition}" if size.definition is None and len(ways) != 1 else ""
    if centile is None or z is None:
        edge = "below centile 1" if size.value < median else "above centile 99"
        note = "; ".join(filter(None, (f"{edge}, the outermost of this chart", note)))
        return Row(size, chart, age, in_range=False, note=note, **band)
    return Row(size, chart, age, centile, z, True, note=note, **band)


def _check_against(size: Size, median: float, days: float, chart: Chart) -> None:
    """Stop at a size that no fetus of that age has: a wrong unit, a wrong measure or a wrong age.

    Raises:
        BadValue: below a quarter or above four times the median.
    """
    share = size.value / median
    if _SMALLEST <= share <= _LARGEST:
        return
    unit = size.unit
    larger, factor = ("kilograms", 1000.0) if unit == "g" else ("centimetres", 10.0)
    found = f"{size.measure} = {size.value:g} {unit} at {age_text(days)} cannot be"
    fix = "check the size, its unit and the age"
    if 0.4 <= share * factor <= 2.5:
        found += f" (were {larger} meant?)"
        fix = f"{size.measure}={size.value * factor:g}"
    raise BadValue(found, f"about {median:.0f} {unit} ({chart.name})", fix)


def _weight_for(chart: Chart, weights: list[tuple[Equation, float]]) -> Size | None:
    """The weight from the fullest equation that the chart was made with; None where there is none."""
    fitting = [(len(one.needs), one.name, grams) for one, grams in weights if chart.takes(one.name)]
    if not fitting:
        return None
    _, name, grams = max(fitting)
    low, high = MEASURES["EFW"].low, MEASURES["EFW"].high
    return Size("EFW", grams, name) if low <= grams <= high else None


def _dating(given: Mapping[str, Size], name: str | None) -> list[EstimatedAge]:
    found = date_by_size(given, name)
    for measure, size in given.items():
        if measure != "EFW":  # a weight dates nothing
            found += [one.estimate(size.value) for one in choose(measure, name) if one.takes(size.definition)]
    return found


def _ratios(given: Mapping[str, Size]) -> dict[str, float]:
    values = {name: size.value for name, size in given.items()}
    found = {
        name: biometry.ratio(values[top], values[bottom])
        for name, (top, bottom) in biometry.RATIOS.items()
        if top in values and bottom in values
    }
    if "BPD" in given and "OFD" in given and given["BPD"].definition == "outer-outer":
        found["cephalic index"] = biometry.cephalic_index(values["BPD"], values["OFD"])
    return found


def _places(value: float | None, places: int) -> float | None:
    return None if value is None else round(float(value), places)
