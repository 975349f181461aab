"""Ages by the size of a head: how far apart healthy fetuses of one size are, and what that forbids to conclude.

A head has an *equivalent* age, the one whose WHO median it is. Its true age differs, since healthy heads of one age
differ: at 20 weeks the ages at which a head of median size is the 97.5th or the 2.5th centile lie 8 days before and 9
after, at 36 weeks 26 days before and beyond the chart's end after. Kiserud et al. 2017, PLoS Med 14:e1002220.
"""

from __future__ import annotations

from dataclasses import dataclass

from fetalclip.clinical.age import age_text
from fetalclip.clinical.growth import FIRST_DAY, LAST_DAY, chart, median_hc

LOWEST, HIGHEST = 2.5, 97.5  # centiles of the chart that bound healthy heads
REDATING_ENDS = 168  # days, 24 weeks: the size of a later head does not re-date a pregnancy

REDATING_NOTE = (
    f"no basis for re-dating: after {age_text(REDATING_ENDS)} healthy heads of one age are weeks of growth apart"
)


@dataclass(frozen=True)
class Widened:
    """Ages in days at which a head of some size range is within the chart's 2.5th to 97.5th centile.

    Attributes:
        low, high: days, within the chart.
        notes: where the chart ends before the interval does.
    """

    low: float
    high: float
    notes: tuple[str, ...]


def widen(low: float, high: float) -> Widened:
    """Equivalent ages between two bounds, widened by the chart's own spread of head circumference.

    The result starts where the median head of ``low`` is as large as the 97.5th centile, and ends where the median
    head of ``high`` is as small as the 2.5th: every age for which a head between the bounds is none out of the
    ordinary. The two spreads are added, not combined as independent errors are (by the root of the sum of squares),
    so nothing is assumed of them: a true age is missed only if the head lies outside the bounds or outside the
    chart's 95 %. Where the chart ends first, so does the interval, and a note says so.

    Args:
        low, high: days, from 98 to 280.
    """
    who = chart("who-2017-v3-hc")
    begins, ends = who.age(_median(low), HIGHEST), who.age(_median(high), LOWEST)
    notes = []
    if begins is None:
        notes.append(f"the interval starts where the chart does, at {age_text(FIRST_DAY)}: the true age may be lower")
    if ends is None:
        notes.append(f"the interval ends where the chart does, at {age_text(LAST_DAY)}: the true age may be higher")
    return Widened(
        float(FIRST_DAY if begins is None else begins), float(LAST_DAY if ends is None else ends), tuple(notes)
    )


def _median(days: float) -> float:
    """Median head circumference, mm, of a day clipped to the chart."""
    found = median_hc(min(max(days, FIRST_DAY), LAST_DAY))
    assert found is not None
    return found
