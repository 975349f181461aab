"""Size, age and centile from published charts, with their names. No torch, no pandas; numpy only where arrays come.

::

    from fetalclip.clinical import growth
    from fetalclip.clinical.age import IndependentAge

    who = growth.chart("who-2017-v3-hc")
    who.centile(175.0, "20w3d")                     # 32.5
    who.centile(column, IndependentAge(days, "LMP"))  # numpy array or pandas Series in, the same out
    who.size(143, centile=50), who.age(175.0)       # mm; days
    growth.read({"HC": growth.Size("HC", 175.0)}, IndependentAge.given("20w3d")).rows

The charts are files in ``assets/growth``; each answer names its chart. Head sizes in days for captions and the
benchmark (``median_hc``, ``hc_equivalent_age``) are read off the same WHO chart.
"""

from __future__ import annotations

from functools import lru_cache

from fetalclip.clinical.growth.catalogue import chart, charts, check_name, choose, families
from fetalclip.clinical.growth.charts import Chart
from fetalclip.clinical.growth.equations import Equation, age_by_crl, date_by_size, equation, equations, weigh
from fetalclip.clinical.growth.measures import MEASURES, Measure, Size, parse_size
from fetalclip.clinical.growth.reading import Reading, Row, centile_as_taken, read
from fetalclip.clinical.growth.serial import Crossing, crossings

REFERENCE, CHART = "WHO 2017 V3 HC", "who-2017-v3-hc"
FIRST_DAY, LAST_DAY = 98, 280  # 14 w 0 d and 40 w 0 d
FIRST_HC, LAST_HC = 100.0, 342.0  # mm, both included: the heads whose age the published protocol asks for

__all__ = [
    "CHART",
    "FIRST_DAY",
    "FIRST_HC",
    "LAST_DAY",
    "LAST_HC",
    "MEASURES",
    "REFERENCE",
    "Chart",
    "Crossing",
    "Equation",
    "Measure",
    "Reading",
    "Row",
    "Size",
    "age_by_crl",
    "centile_as_taken",
    "chart",
    "charts",
    "check_name",
    "choose",
    "crossings",
    "date_by_size",
    "equation",
    "equations",
    "families",
    "hc_equivalent_age",
    "median_hc",
    "parse_size",
    "read",
    "weigh",
]


def median_hc(age_days: float) -> float | None:
    """WHO median head circumference in mm at an age in days; ``None`` outside 98 to 280 days."""
    if not FIRST_DAY <= age_days <= LAST_DAY:
        return None
    found: float | None = chart(CHART).size(float(age_days))
    return found


@lru_cache(maxsize=1)
def _medians() -> tuple[float, ...]:
    """Median HC in mm of each whole day from FIRST_DAY to LAST_DAY, rising."""
    medians = (median_hc(day) for day in range(FIRST_DAY, LAST_DAY + 1))
    return tuple(mm for mm in medians if mm is not None)


def hc_equivalent_age(hc_mm: float) -> int | None:
    """Day (98 to 280) whose WHO median head circumference is nearest ``hc_mm`` (mm).

    An *equivalent* age, which carries the spread of healthy heads of one age. ``None`` for a head smaller than the
    median at 14 w 0 d or larger than the one at 40 w 0 d, and for NaN: the chart is never extrapolated.
    """
    medians = _medians()
    if not medians[0] <= hc_mm <= medians[-1]:
        return None
    nearest = min(range(len(medians)), key=lambda i: abs(medians[i] - hc_mm))
    return FIRST_DAY + nearest
