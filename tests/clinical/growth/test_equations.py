"""Dating and weights: what is used, what is refused, how far off it may be."""

from __future__ import annotations

from datetime import date

import pytest

from fetalclip.clinical import growth
from fetalclip.clinical.growth import Size
from fetalclip.errors import BadValue


def sizes(**given: float) -> dict[str, Size]:
    return {name: Size(name, float(value)) for name, value in given.items()}


def test_each_measure_and_the_fullest() -> None:
    found = growth.date_by_size(sizes(HC=175, FL=32, AC=150), "hadlock")
    assert [one.method for one in found] == ["HC", "AC", "FL", "HC,AC,FL"]
    assert all(one.days is not None and 137 < one.days < 144 for one in found)


def test_errors_are_the_publications_own() -> None:
    by_family = {one.reference: one for one in growth.date_by_size(sizes(CRL=60))}
    robinson, hadlock, intergrowth = (
        by_family[name] for name in ("Robinson 1975", "Hadlock 1992", "INTERGROWTH-21st 2014")
    )
    assert robinson.days - robinson.low == pytest.approx(4.7)
    assert (hadlock.high - hadlock.days) / hadlock.days == pytest.approx(0.08)
    assert intergrowth.high - intergrowth.days == pytest.approx(1.96 * (2.39102 + 0.0193474 * 60), abs=0.001)
    late = growth.equation("intergrowth-21st-late-age", "HC").estimate({"HC": 98.5})
    assert late.high - late.days == pytest.approx(7.0, abs=0.1)  # 7 days at 14 weeks


def test_no_error_is_invented() -> None:
    old = growth.equation("hadlock-1984-age", "HC").estimate({"HC": 175.0})
    late = growth.equation("intergrowth-21st-late-age", "HC").estimate({"HC": 280.0})
    for one in (old, late):
        assert one.days is not None
        assert (one.low, one.high) == (None, None)
        assert one.note


@pytest.mark.parametrize(
    ("file", "given"),
    [
        ("intergrowth-21st-crl-age", {"CRL": 14.9}),
        ("intergrowth-21st-crl-age", {"CRL": 95.1}),
        ("hadlock-1992-age", {"CRL": 121.0}),
        ("robinson-1975-age", {"CRL": 90.0}),
        ("hadlock-1984-age", {"HC": 60.0}),
        ("intergrowth-21st-late-age", {"HC": 400.0}),
    ],
)
def test_outside_what_it_was_made_for(file: str, given: dict[str, float]) -> None:
    one = growth.equation(file, ",".join(given))
    assert one.value(given) is None
    estimate = one.estimate(given)
    assert estimate.days is None
    assert "outside" in estimate.note


def test_definitions_are_kept() -> None:
    outer = {"BPD": Size("BPD", 47.0, "outer-outer"), "AC": Size("AC", 150.0), "FL": Size("FL", 32.0)}
    assert "BPD" not in {name for one in growth.date_by_size(outer) for name in one.method.split(",")}
    assert [one.method for one, _ in growth.weigh(outer)] == ["AC,FL"]
    inner = {**outer, "BPD": Size("BPD", 47.0, "outer-inner")}
    assert {one.method for one, _ in growth.weigh(inner)} == {"AC,FL", "BPD,AC,FL"}


def test_a_missing_size_is_not_filled_in() -> None:
    with pytest.raises(BadValue, match="without FL"):
        growth.equation("hadlock-1985-weight", "AC,FL").value({"AC": 150.0})
    with pytest.raises(BadValue, match="no equation"):
        growth.equation("hadlock-1985-weight", "HC")
    with pytest.raises(BadValue, match="AC = -1"):
        growth.equation("hadlock-1985-weight", "AC,FL").value({"AC": -1.0, "FL": 32.0})
    with pytest.raises(BadValue, match="in one measure"):
        growth.equation("hadlock-1984-age", "HC,FL").size(140)


def test_an_early_length_dates_a_later_scan() -> None:
    age = growth.age_by_crl(60.0, date(2026, 3, 1), date(2026, 5, 1))
    assert age.source == "CRL"
    assert age.days == pytest.approx(86.75 + 61, abs=0.01)
    assert growth.chart("who-2017-v3-hc").centile(185.0, age) is not None
    with pytest.raises(BadValue, match="earlier day"):
        growth.age_by_crl(60.0, date(2026, 5, 1), date(2026, 5, 1))
    with pytest.raises(BadValue, match="CRL = 120 mm"):
        growth.age_by_crl(120.0, date(2026, 3, 1), date(2026, 5, 1))
