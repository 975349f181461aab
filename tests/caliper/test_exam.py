"""One exam: each structure from its best plane, ratios and weight of these measures only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fetalclip import Measurement
from fetalclip.caliper import Shown, combine
from fetalclip.clinical import growth
from fetalclip.clinical.age import EstimatedAge
from fetalclip.clinical.biometry import BIOMETRICS
from fetalclip.errors import BadValue, CircularAge


def took(name: str, value: float | None, note: str = "") -> Measurement:
    one = BIOMETRICS[name]
    return Measurement(name, value, one.unit, definition=one.definition, source="drawn", note=note)


def head(hc: float | None, probability: float = 0.9) -> Shown:
    if hc is None:
        return Shown(
            {"brain": probability}, (took("HC", None, "the mask is empty"), took("BPD", None, "the mask is empty"))
        )
    return Shown(
        {"brain": probability, "abdomen": 1 - probability}, (took("HC", hc), took("BPD", 0.28 * hc), took("CI", 78.0))
    )


AC, FL = Shown({"abdomen": 0.8}, (took("AC", 258.0),)), Shown({"femur": 0.99}, (took("FL", 55.0),))


def test_measures_ratios_and_weight() -> None:
    exam = combine([head(280.0), AC, FL], "scans/one")
    assert [one.name for one in exam.measures] == ["HC", "BPD", "CI", "AC", "FL", "HC/AC", "FL/AC", "FL/HC"]
    assert exam["HC/AC"].value == pytest.approx(280 / 258)
    assert exam["HC/AC"].unit == ""
    weight = growth.equation("hadlock-1985-weight", "HC,AC,FL").value({"HC": 280.0, "AC": 258.0, "FL": 55.0})
    assert exam.efw is not None
    assert exam.efw.value == pytest.approx(weight)
    assert exam.efw.definition == "Hadlock 1985 HC,AC,FL"  # never with the BPD of an ellipse, which is outer-outer
    told = exam.to_dict()
    keys = ["schema", "path", "part", "study", "series", "patient", "age"]
    assert list(told) == [*keys, "measures", "efw", "coverage", "quality", "triage", "warnings"]
    assert told["schema"] == "fetalclip.exam/1"
    assert told["coverage"] == {"planes": {"abdomen": 1, "brain": 1, "femur": 1}, "views": None, "missing": None}
    assert told["warnings"] == []
    assert told["efw"]["unit"] == "g"
    with pytest.raises(KeyError):
        exam["CRL"]


def test_a_structure_is_taken_whole_from_its_best_plane() -> None:
    exam = combine([head(280.0, 0.7), head(284.0, 0.95), head(None, 0.99)])
    assert exam["HC"].value == 284.0
    assert exam["BPD"].value == pytest.approx(0.28 * 284)
    assert exam.warnings == ("no weight: AC, FL not measured",)


def test_what_is_missing_is_told() -> None:
    exam = combine([head(None), AC])
    assert exam.efw is None
    assert exam.warnings == ("no HC: the mask is empty", "no weight: HC, FL not measured")
    assert combine([]).to_dict()["measures"] == []
    pixels = replace(took("HC", 800.0), unit="px", note="no millimetres per pixel: in pixels")
    assert combine([Shown({"brain": 1.0}, (pixels,))]).warnings[0] == "no HC: no millimetres per pixel: in pixels"


def test_pictures_that_cannot_be_of_one_fetus() -> None:
    assert "HC is 200 to 280 mm over 2 pictures" in combine([head(280.0), head(200.0)]).warnings[0]
    assert combine([head(280.0), head(270.0), AC, FL]).warnings == ()


def test_centiles_only_with_an_independent_age() -> None:
    exam = combine([head(280.0), AC, FL], ga="30w3d")
    assert exam["HC"].centile_value == pytest.approx(growth.chart("who-2017-v3-hc").centile(280.0, "30w3d"))
    assert exam["HC"].reference == "WHO 2017 V3"
    assert exam["BPD"].reference == "INTERGROWTH-21st"  # the chart that is outer-outer as well
    assert exam["CI"].centile_value is None
    assert exam.efw is not None
    assert exam.efw.centile_value == pytest.approx(growth.chart("who-2017-v3-efw").centile(exam.efw.value, "30w3d"))
    assert combine([head(280.0)])["HC"].centile_value is None
    guess = EstimatedAge(213.0, None, None, "HC", "WHO 2017 V3")
    with pytest.raises(CircularAge):
        combine([head(280.0)], ga=guess)  # type: ignore[arg-type]
    with pytest.raises(BadValue, match="unknown chart"):
        combine([head(280.0)], chart="whom")
