"""Sizes as typed: what can be meant, and questions about units."""

from __future__ import annotations

import pytest

from fetalclip.clinical import growth
from fetalclip.clinical.growth import MEASURES, Size, parse_size
from fetalclip.errors import BadValue


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("HC=175", Size("HC", 175.0)),
        ("hc=17.5cm", Size("HC", 175.0)),
        ("FL=32 mm", Size("FL", 32.0)),
        ("BPD=47:outer-outer", Size("BPD", 47.0, "outer-outer")),
        ("EFW=1.2kg", Size("EFW", 1200.0)),
    ],
)
def test_sizes(text: str, size: Size) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("HC=17.5", "HC = 17.5 mm .*were centimetres meant.*HC=175"),
        ("AC=15", "were centimetres meant.*AC=150"),
        ("FL=3.2", "were centimetres meant.*FL=32"),
        ("EFW=1.2", "were kilograms meant.*EFW=1200"),
        ("HC=1750", "tenths of a millimetre"),
        ("HC=0", "not above zero"),
        ("HC=-175", "HC = -175 mm is not above zero"),
        ("HC=0.001", "too small"),
        ("HC=1e9", "too large"),
        ("HC=nan", "HC = nan is not a size"),
        ("HC=inf", "not a size"),
        ("HC=", "not a number"),
        ("HC=17,5", "decimal point"),
        ("HC=abc", "HC=abc is not a number"),
        ("HC", "not a measure with its size"),
        ("HCC=175", "unknown measure 'HCC'.*HC="),
        ("=175", "unknown measure"),
        ("HC=175g", "HC in g"),
        ("EFW=30cm", "EFW in cm"),
        ("BPD=47:middle", "BPD taken 'middle'"),
    ],
)
def test_no_size(text: str, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        parse_size(text)


@pytest.mark.parametrize("name", sorted(growth.charts()))
def test_every_size_of_every_chart_can_be_typed(name: str) -> None:
    chart = growth.chart(name)
    measure = MEASURES[chart.measure]
    for days in (chart.first_day, chart.last_day):
        for centile in (1.0, 99.0):
            assert measure.low <= chart.size(days, centile) <= measure.high
