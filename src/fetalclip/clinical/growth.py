"""Head circumference against age on the WHO fetal growth chart (2017, coefficients V3 of 13 March 2023).

The chart holds from 14 to 40 exact weeks and is never extrapolated. The age given for a head is the day whose
WHO median is nearest that head: an *equivalent* age, which carries the spread of healthy heads of one age.

Source: Kiserud et al., PLoS Med 2017;14:e1002220 (erratum e1002284).
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from importlib import resources

REFERENCE = "WHO 2017 V3 HC"
FIRST_DAY, LAST_DAY = 98, 280  # 14 w 0 d and 40 w 0 d


@lru_cache(maxsize=1)
def _median_coefficients() -> tuple[float, ...]:
    """b0 to b4 of ln(mm) as a polynomial in exact weeks."""
    table = resources.files("fetalclip").joinpath("assets", "growth", "who-2017-v3-hc.json")
    chart = json.loads(table.read_text(encoding="utf-8"))
    return tuple(float(b) for b in chart["quantiles"]["0.5"])


def median_hc(age_days: float) -> float | None:
    """WHO median head circumference in mm at an age in days; ``None`` outside 98 to 280 days."""
    if not FIRST_DAY <= age_days <= LAST_DAY:
        return None
    weeks = age_days / 7.0
    return math.exp(sum(b * weeks**power for power, b in enumerate(_median_coefficients())))


@lru_cache(maxsize=1)
def _medians() -> tuple[float, ...]:
    """Median HC in mm of each whole day from FIRST_DAY to LAST_DAY, rising."""
    medians = (median_hc(day) for day in range(FIRST_DAY, LAST_DAY + 1))
    return tuple(mm for mm in medians if mm is not None)


def hc_equivalent_age(hc_mm: float) -> int | None:
    """Day (98 to 280) whose WHO median head circumference is nearest ``hc_mm`` (mm).

    ``None`` for a head smaller than the median at 14 w 0 d or larger than the one at 40 w 0 d, and for NaN:
    the chart is never extrapolated.
    """
    medians = _medians()
    if not medians[0] <= hc_mm <= medians[-1]:
        return None
    nearest = min(range(len(medians)), key=lambda i: abs(medians[i] - hc_mm))
    return FIRST_DAY + nearest
