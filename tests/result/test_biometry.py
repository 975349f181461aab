"""A measure at the waist: its JSON and its centile, never across definitions, never of a guessed age."""

from __future__ import annotations

import pytest

from fetalclip import AgeEstimate, Measurement
from fetalclip.clinical import growth
from fetalclip.clinical.age import IndependentAge
from fetalclip.errors import BadValue, CircularAge, NoCalibration

HC = Measurement("HC", 175.0, low=172.0, high=178.0, definition="outer", source="head")
BPD = Measurement("BPD", 47.0, definition="outer-outer")


def test_centile_of_a_known_age() -> None:
    assert HC.centile(ga="20w3d") == pytest.approx(growth.chart("who-2017-v3-hc").centile(175.0, "20w3d"))
    intergrowth = HC.centile("20w3d", chart="intergrowth")
    assert intergrowth == pytest.approx(growth.chart("intergrowth-21st-hc").centile(175.0, "20w3d"))
    assert HC.centile("12w0d") is None


def test_never_across_definitions() -> None:
    assert BPD.centile("20w3d") == pytest.approx(growth.chart("intergrowth-21st-bpd").centile(47.0, "20w3d"))
    with pytest.raises(BadValue, match=r"outer-outer.*outer-inner.*intergrowth-21st-bpd"):
        BPD.centile("20w3d", chart="who")
    placed = BPD.with_centile("20w3d", chart="who")
    assert (placed.centile_value, placed.reference) == (None, None)
    assert "takes outer-inner" in placed.note


def test_never_of_an_age_of_the_same_picture() -> None:
    guess = AgeEstimate(142, 131, 154, "prompted", "WHO 2017 V3 HC")
    with pytest.raises(CircularAge):
        HC.centile(guess)  # type: ignore[arg-type]
    with pytest.raises(CircularAge):
        HC.with_centile(guess)  # type: ignore[arg-type]
    with pytest.raises(BadValue, match="no unit"):
        HC.with_centile("20")


def test_what_has_no_centile_says_why() -> None:
    with pytest.raises(NoCalibration, match="in px"):
        Measurement("HC", 175.0, "px", definition="outer").centile("20w3d")
    with pytest.raises(BadValue, match="refused: the mask is empty"):
        Measurement("HC", None, definition="outer", note="the mask is empty").centile("20w3d")
    with pytest.raises(BadValue, match="CTR has no chart"):
        Measurement("CTR", 52.0, "%").centile("20w3d")
    with pytest.raises(BadValue, match="no centile across definitions"):
        Measurement("HC", 175.0).centile("20w3d")  # how it was taken was not said
    assert "outside WHO" in HC.with_centile("12w0d").note
    assert "above the highest" in HC.with_centile("15w0d").note
    assert "in px" in Measurement("HC", 175.0, "px", definition="outer").with_centile("20w3d").note
    refused = Measurement("HC", None, definition="outer", note="the mask is empty")
    assert refused.with_centile("20w3d") == refused


def test_json() -> None:
    told = HC.with_centile("20w3d").to_dict()
    keys = ["name", "mm", "definition", "centile", "reference", "low", "high", "level", "unit", "value", "note"]
    keys += ["age"]
    assert list(told) == keys
    assert (told["mm"], told["low"], told["reference"]) == (175.0, 172.0, "WHO 2017 V3")
    assert Measurement("HC", 800.0, "px").to_dict()["mm"] is None
    assert Measurement("HC", 800.0, "px").to_dict()["value"] == 800.0


def test_the_age_of_a_header_is_named_where_a_measure_is_off_its_chart() -> None:
    small = Measurement("HC", 60.0, definition="outer", note="uneven pixels")
    given, told = small.with_centile("30w0d"), small.with_centile(IndependentAge(210, "DICOM LMP"))
    assert given.note == "uneven pixels; no centile: below the lowest of WHO 2017 V3 HC"
    assert told.note == given.note + " at 30w0d (DICOM LMP)"
    assert (told.centile_value, told.age) == (None, IndependentAge(210, "DICOM LMP"))


def test_a_second_age_takes_the_place_of_the_first() -> None:
    one = HC.with_centile("20w3d")
    assert one.without_centile() == HC
    off = one.with_centile("30w0d")
    assert (off.centile_value, off.reference) == (None, None)
    assert off.note.count("no centile") == 1
    assert off.with_centile("20w3d") == one
