"""The WHO head-circumference median and the age read off it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources

import pytest

from fetalclip.clinical.growth import FIRST_DAY, LAST_DAY, REFERENCE, hc_equivalent_age, median_hc


@pytest.mark.parametrize(("days", "mm"), [(14 * 7, 99.5), (20 * 7, 173.4), (40 * 7, 342.1)])
def test_median_is_the_published_one(days: int, mm: float) -> None:
    assert median_hc(days) == pytest.approx(mm, abs=0.05)


@pytest.mark.parametrize("days", [97.9, 280.1, 0, -5, float("nan"), float("inf")])
def test_median_is_never_extrapolated(days: float) -> None:
    assert median_hc(days) is None


def test_age_inverts_the_median_on_every_day() -> None:
    days = list(range(FIRST_DAY, LAST_DAY + 1))
    assert [hc_equivalent_age(median_hc(day) or 0.0) for day in days] == days


def test_age_is_the_nearest_day() -> None:
    low, high = median_hc(140), median_hc(141)
    assert low is not None
    assert high is not None
    assert hc_equivalent_age(low + 0.45 * (high - low)) == 140
    assert hc_equivalent_age(low + 0.55 * (high - low)) == 141


@pytest.mark.parametrize("mm", [99.5, 44.3, 0.0, -1.0, 342.1, 500.0, float("nan"), float("inf")])
def test_no_age_outside_the_chart(mm: float) -> None:
    # The medians are 99.536 mm at 14 w 0 d and 342.088 mm at 40 w 0 d.
    assert hc_equivalent_age(mm) is None


def test_age_at_the_ends_of_the_chart() -> None:
    assert hc_equivalent_age(99.54) == FIRST_DAY
    assert hc_equivalent_age(342.08) == LAST_DAY


def test_the_chart_names_its_source() -> None:
    table = resources.files("fetalclip").joinpath("assets", "growth", "who-2017-v3-hc.json")
    chart = json.loads(table.read_text(encoding="utf-8"))
    assert chart["name"] == REFERENCE
    assert (chart["weeks"], chart["unit"]) == ([14, 40], "mm")
    assert "e1002220" in chart["citation"]


def test_growth_and_data_load_no_torch() -> None:
    code = "import sys, fetalclip.data, fetalclip.clinical.growth; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
