"""The chart files: each names its source, and a new chart is one new file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fetalclip.clinical import growth
from fetalclip.clinical.growth import MEASURES, catalogue
from fetalclip.errors import BadValue, DataMissing


@pytest.mark.parametrize("name", sorted(catalogue.files()))
def test_a_file_says_where_it_comes_from(name: str) -> None:
    data = catalogue.files()[name]
    assert data["kind"] in ("quantiles", "normal", "lms", "age", "weight")
    assert len(data["citation"]) > 60
    assert any(year in data["citation"] for year in map(str, range(1975, 2024)))
    assert data["unit"] in ("mm", "g")
    assert data["definition"]
    if data["kind"] != "weight":
        first, last = data["weeks"]
        assert 5 <= first < last <= 42
    if "measure" in data:
        assert data["unit"] == MEASURES[data["measure"]].unit
        ways = MEASURES[data["measure"]].definitions
        assert data["definition"] in ways or not ways


def test_what_there_is() -> None:
    have = {
        family: {one.measure for one in growth.charts().values() if one.family == family}
        for family in growth.families()
    }
    assert have["who"] == {"HC", "BPD", "AC", "FL", "HL", "EFW"}
    assert have["intergrowth"] == {"HC", "BPD", "OFD", "AC", "FL", "TCD", "CRL", "EFW"}
    assert have["hadlock"] == {"EFW"}
    ages = {
        one.name
        for one in growth.equations()
        if one.kind == "age" and one.family == "hadlock" and "CRL" not in one.needs
    }
    assert len(ages) == 15  # every choice of one to four of BPD, HC, AC, FL
    assert sum(one.kind == "weight" for one in growth.equations()) == 5
    assert {one.id for one in growth.equations() if one.needs == ("CRL",)} == {
        "robinson-1975-age",
        "hadlock-1992-age",
        "intergrowth-21st-crl-age",
    }


def test_choosing() -> None:
    assert [one.family for one in growth.choose("HC")] == ["who", "intergrowth"]
    assert [one.id for one in growth.choose("EFW", "who", "f")] == ["who-2017-v3-efw", "who-2017-v3-efw-girls"]
    assert [one.id for one in growth.choose("EFW", "who-2017-v3-efw-boys")] == ["who-2017-v3-efw-boys"]
    assert growth.choose("HL", "intergrowth") == []
    assert growth.choose("HC", "hadlock-1984-age") == []
    with pytest.raises(BadValue, match="--chart who"):
        growth.choose("HC", "whoo")
    with pytest.raises(BadValue, match="unknown chart"):
        growth.chart("nicht-da")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package folder with no charts."""
    charts = tmp_path / "assets" / "growth"
    charts.mkdir(parents=True)
    monkeypatch.setattr(catalogue.resources, "files", lambda package: tmp_path)
    for cached in (catalogue.files, catalogue.charts):
        cached.cache_clear()
    yield charts
    for cached in (catalogue.files, catalogue.charts):
        cached.cache_clear()


def test_a_new_chart_is_one_new_file(folder: Path) -> None:
    mine = {
        "schema": catalogue.SCHEMA,
        "name": "Mine HC",
        "reference": "Mine",
        "family": "mine",
        "kind": "normal",
        "measure": "HC",
        "unit": "mm",
        "definition": "outer",
        "time_unit": "weeks",
        "weeks": [14, 40],
        "mean": {"terms": {"t": 9.0}},
        "sd": {"terms": {"1": 5.0}},
        "citation": "none",
    }
    (folder / "mine-hc.json").write_text(json.dumps(mine), encoding="utf-8")
    assert growth.chart("mine-hc").z(185.0, "20w0d") == pytest.approx(1.0)
    assert [one.id for one in growth.choose("HC", "mine")] == ["mine-hc"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "other/1"}', "{broken"])
def test_a_damaged_file_is_named(folder: Path, text: str) -> None:
    (folder / "bad.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataMissing, match=r"bad\.json"):
        growth.charts()
