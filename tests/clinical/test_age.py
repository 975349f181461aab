"""Ages: how they are written, and which of them a chart may be asked with."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetalclip.clinical.age import (
    EstimatedAge,
    IndependentAge,
    age_text,
    due_date,
    independent,
    parse_age,
    parse_date,
)
from fetalclip.errors import BadValue, CircularAge

ESTIMATE = EstimatedAge(141.0, 130.0, 152.0, "HC", "Hadlock 1984")


@pytest.mark.parametrize(
    ("text", "days"),
    [("20w3d", 143), ("20w", 140), ("20w0d", 140), ("20+3", 143), ("143d", 143), (" 20 W 3 D ", 143), ("9 weeks", 63)],
)
def test_forms_of_an_age(text: str, days: int) -> None:
    assert parse_age(text) == days


@given(st.integers(1, 315))
def test_an_age_is_read_back(days: int) -> None:
    assert parse_age(age_text(days)) == days


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("20w9d", "20w9d has 9 odd days"),
        ("20w7d", "7 odd days"),
        ("20", "20 has no unit"),
        ("20.4", "no unit"),
        ("60w0d", "420 days"),
        ("0w0d", "0 days"),
        ("-20w3d", "not an age"),
        ("twenty", "not an age"),
        ("", "not an age"),
        ("nan", "not an age"),
    ],
)
def test_no_age(text: str, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        parse_age(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-02-30", "there is no --lmp 2026-02-30"),
        ("2026-13-01", "there is no --lmp"),
        ("03/04/2026", "not written as a date"),
        ("2026-1-1", "not written as a date"),
        ("9999-12-31", "too far away"),
        ("", "not written as a date"),
    ],
)
def test_no_date(text: str, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        parse_date(text, "--lmp")


def test_dates_make_ages() -> None:
    scan = parse_date("2026-05-21")
    by_period = IndependentAge.from_lmp(date(2026, 1, 1), scan)
    by_due_date = IndependentAge.from_edd(date(2026, 10, 8), scan)
    assert (by_period.days, by_period.source) == (140, "LMP")
    assert (by_due_date.days, by_due_date.source) == (140, "EDD")
    assert due_date(scan, 140) == date(2026, 10, 8)  # date + 280 - age


@pytest.mark.parametrize(("lmp", "scan"), [("2026-05-01", "2026-01-01"), ("2025-01-01", "2026-01-01")])
def test_dates_that_cannot_be(lmp: str, scan: str) -> None:
    with pytest.raises(BadValue, match=lmp):
        IndependentAge.from_lmp(parse_date(lmp), parse_date(scan))


def test_an_estimate_is_never_independent() -> None:
    for attempt in (independent, IndependentAge):
        with pytest.raises(CircularAge, match="estimated from HC"):
            attempt(ESTIMATE)


@pytest.mark.parametrize("age", [143, 143.0, np.array([143.0]), None])
def test_a_bare_number_does_not_say_where_it_comes_from(age: object) -> None:
    with pytest.raises(BadValue, match="IndependentAge"):
        independent(age)


def test_a_source_must_be_known() -> None:
    assert independent("20w3d") == IndependentAge(143, "given")
    with pytest.raises(BadValue, match="picture"):
        IndependentAge(143, "picture")


@pytest.mark.parametrize("days", [0, -1, 316, float("nan"), float("inf")])
def test_an_age_outside_any_pregnancy(days: float) -> None:
    with pytest.raises(BadValue, match="days"):
        IndependentAge(days)


def test_json_of_an_estimate() -> None:
    found = ESTIMATE.to_dict()
    assert (found["days"], found["low"], found["high"], found["level"]) == (141.0, 130.0, 152.0, 0.95)
    assert found["reference"] == "Hadlock 1984"
