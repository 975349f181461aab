"""One case against every chart."""

from __future__ import annotations

import pytest

from fetalclip.clinical import growth
from fetalclip.clinical.growth import Reading, Row, Size, read
from fetalclip.errors import BadValue


def sizes(**given: float) -> dict[str, Size]:
    return {name: Size(name, float(value)) for name, value in given.items()}


def row(reading: Reading, chart: str) -> Row:
    return next(one for one in reading.rows if one.chart.id == chart)


def test_every_chart_answers_with_its_name() -> None:
    found = read(sizes(HC=175, FL=32, AC=150), "20w3d").to_dict()
    assert {one["reference"] for one in found["rows"]} == {"WHO 2017 V3", "INTERGROWTH-21st", "Hadlock 1991"}
    who = found["rows"][0]
    assert (who["measure"], who["mm"], who["ga_days"], who["definition"]) == ("HC", 175.0, 143, "outer")
    assert who["in_range"] is True
    assert who["centile"] == pytest.approx(32.506, abs=0.001)
    assert who["p3"] < who["median"] < who["p97"]


def test_the_known_median_is_the_middle() -> None:
    found = row(read(sizes(HC=173.3886), "20w0d"), "who-2017-v3-hc")
    assert found.centile == pytest.approx(50.0, abs=0.01)
    assert found.z == pytest.approx(0.0, abs=0.001)


def test_weights_go_to_the_chart_made_with_them() -> None:
    reading = read(sizes(BPD=75, HC=290, AC=260, FL=55), "30w0d", sex="f")
    names = {one.chart.id: one.size.definition for one in reading.rows if one.size.measure == "EFW"}
    assert names == {
        "who-2017-v3-efw": "Hadlock 1985 HC,AC,FL",
        "who-2017-v3-efw-girls": "Hadlock 1985 HC,AC,FL",
        "intergrowth-21st-efw": "INTERGROWTH-21st 2017 HC,AC",
        "hadlock-1991-efw": "Hadlock 1985 BPD,HC,AC,FL",
    }
    assert all(
        one["mm"] is None and one["grams"] > 1000 for one in reading.to_dict()["rows"] if one["measure"] == "EFW"
    )


def test_out_of_range_is_an_answer() -> None:
    young = row(read(sizes(HC=90), "12w0d"), "who-2017-v3-hc")
    assert (young.in_range, young.centile, young.z) == (False, None, None)
    assert "14w0d to 40w0d" in young.note
    small = row(read(sizes(HC=120), "20w0d"), "who-2017-v3-hc")
    assert (small.in_range, small.centile) == (False, None)
    assert "below centile 1" in small.note
    large = row(read(sizes(HC=230), "20w0d"), "who-2017-v3-hc")
    assert "above centile 99" in large.note


def test_no_centile_across_definitions() -> None:
    said = read({"BPD": Size("BPD", 47.0, "outer-outer")}, "20w0d")
    who, intergrowth = row(said, "who-2017-v3-bpd"), row(said, "intergrowth-21st-bpd")
    assert (who.centile, who.in_range) == (None, None)
    assert "no centile across definitions" in who.note
    assert intergrowth.centile is not None
    assert intergrowth.note == ""
    unsaid = read(sizes(BPD=47), "20w0d")
    assert any("was not said" in warning for warning in unsaid.warnings)
    assert all("holds only if taken" in one.note for one in unsaid.rows)
    weight = read(sizes(EFW=1200), "28w0d")
    assert any("EFW" in warning for warning in weight.warnings)


def test_without_an_age_there_is_dating_and_no_centile() -> None:
    found = read(sizes(HC=175, FL=32))
    assert all(one.centile is None and one.in_range is None for one in found.rows)
    assert {one.reference for one in found.dating} >= {"Hadlock 1984", "INTERGROWTH-21st 2016", "WHO 2017 V3 HC"}
    assert any("independently" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("given", "age", "said"),
    [
        ({"FL": 7.5}, "38w0d", "FL = 7.5 mm at 38w0d cannot be .were centimetres meant"),
        ({"HC": 45.0}, "40w0d", "HC = 45 mm at 40w0d cannot be"),
        ({"AC": 400.0}, "14w0d", "cannot be"),
    ],
)
def test_a_size_no_fetus_of_that_age_has(given: dict[str, float], age: str, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        read(sizes(**given), age)


def test_one_chart_or_family() -> None:
    one = read(sizes(HC=175, FL=32), "20w3d", chart="who-2017-v3-hc")
    assert [found.chart.id for found in one.rows] == ["who-2017-v3-hc"]
    assert any(warning.startswith("FL: no chart of") for warning in one.warnings)
    family = read(sizes(HC=175), "20w3d", chart="INTERGROWTH")
    assert {found.chart.family for found in family.rows} == {"intergrowth"}
    assert {found.reference for found in family.dating} == {"INTERGROWTH-21st 2016", "INTERGROWTH-21st HC"}
    with pytest.raises(BadValue, match="unknown chart"):
        read(sizes(HC=175), "20w3d", chart="nope")


def test_ratios() -> None:
    outer = {**sizes(HC=175, AC=150, FL=32, OFD=60), "BPD": Size("BPD", 47.0, "outer-outer")}
    found = read(outer, "20w3d").ratios
    assert found["HC/AC"] == pytest.approx(175 / 150)
    assert found["cephalic index"] == pytest.approx(100 * 47 / 60)
    assert "cephalic index" not in read({**outer, "BPD": Size("BPD", 47.0)}, "20w3d").ratios


def test_no_chart_for_a_measure() -> None:
    assert growth.choose("TCD", "who") == []
    found = read(sizes(TCD=21), "20w0d", chart="who")
    assert found.rows == ()
    assert found.warnings
