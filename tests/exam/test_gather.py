"""One exam of its analyses: the age of its headers, and an exam that is refused."""

from __future__ import annotations

import json
from datetime import date

import pytest

from fetalclip.clinical.age import IndependentAge
from fetalclip.exam import gather, sort_exams
from fetalclip.exam.dating import header_age, spread
from fetalclip.result import Analysis, Exam, InputInfo, Measurement, PlaneScores, Study

HC = Measurement("HC", 175.0, definition="outer", source="drawn")


def picture(name: str, days: int | None = None, source: str = "DICOM LMP", given: str = "") -> Analysis:
    """A head measured with the age of its header, or with one that was given."""
    age = None if days is None else IndependentAge(days, source)
    known = given or age
    measure = HC if known is None else HC.with_centile(known)
    return Analysis(InputInfo(name, age=age), PlaneScores({"brain": 0.9, "femur": 0.1}), biometry=(measure,))


def test_the_age_of_the_headers_gives_the_centiles() -> None:
    exam = gather([picture("a", 143), picture("b", 143)])
    assert exam.age == IndependentAge(143, "DICOM LMP")
    assert exam["HC"].centile_value == pytest.approx(HC.centile("20w3d"))
    assert exam["HC"].age == exam.age
    assert exam.to_dict()["age"] == {"days": 143, "source": "DICOM LMP"}
    assert exam.to_dict()["measures"][0]["age"] == {"days": 143, "source": "DICOM LMP"}


def test_ages_that_differ_are_refused_and_so_are_the_centiles_they_gave() -> None:
    exam = gather([picture("a", 143), picture("b", 151)])
    assert exam.age is None
    assert exam["HC"].value == 175.0
    assert (exam["HC"].centile_value, exam["HC"].reference, exam["HC"].age) == (None, None, None)
    assert "no age: the headers of its files tell ages 8 days apart" in exam.warnings
    off = gather([picture("a", 80), picture("b", 151)])  # 175 mm is off the chart at 80 days
    assert off["HC"].note == ""
    assert not any(one.kind == "measure" for one in off.triage or ())


def test_the_days_between_the_scans_are_taken_off() -> None:
    days = {"a": 1, "b": 0}
    assert gather([picture("a", 144), picture("b", 143)], study=Study(days=days)).age == IndependentAge(
        143, "DICOM LMP"
    )
    far = {"a": 9, "b": 0}
    same = [picture("a", 152), picture("b", 143)]
    assert header_age(same, far) == (None, "no age: its files were scanned over 9 days")
    assert header_age([picture("a", 143), picture("b", 143)], far)[1].endswith("tell ages 9 days apart")
    assert header_age([picture("a", 1), picture("b", None)], days)[1].endswith("before the first day")


def test_the_most_trusted_source_of_several_files() -> None:
    one, two = picture("a", 140, "DICOM GA"), picture("b", 143, "DICOM EDD")
    assert gather([one, two]).age == IndependentAge(143, "DICOM EDD")
    assert gather([one, two, picture("c", 145)]).age == IndependentAge(145, "DICOM LMP")


def test_an_age_that_was_given_wins_and_a_difference_is_told() -> None:
    exam = gather([picture("a", 143, given="20w0d")], ga="20w0d")
    assert exam.age == IndependentAge(140, "given")
    assert exam["HC"].centile_value == pytest.approx(HC.centile("20w0d"))
    assert not any("apart" in warning for warning in exam.warnings)
    exam = gather([picture("a", 143)], ga="22w0d")
    assert exam["HC"].age == IndependentAge(154, "given")
    assert "the age that was given and that of the headers lie 11 days apart" in exam.warnings


def test_an_age_that_was_given_is_of_one_day() -> None:
    why = "no age: the one that was given cannot be that of scans {} days apart"
    pictures = [picture("a", given="20w3d"), picture("b", 143, given="20w3d")]
    exam = gather(pictures, ga="20w3d", study=Study(days={"a": 0, "b": 9}))
    assert exam.age is None
    assert (exam["HC"].centile_value, exam["HC"].reference, exam["HC"].age) == (None, None, None)
    assert why.format(9) in exam.warnings
    assert why.format(9) in [one.reason for one in exam.triage or ()]
    assert gather(pictures, ga="20w3d", study=Study(days={"a": 0, "b": 1})).age == IndependentAge(143, "given")
    exam = gather(pictures[:1], ga="20w3d", spread=91)
    assert (exam.age, exam["HC"].centile_value) == (None, None)
    assert why.format(91) in exam.warnings
    assert gather([picture("b", 143)], spread=91).age == IndependentAge(143, "DICOM LMP")


def test_the_days_over_which_exams_are_spread() -> None:
    may, june = Study(first=date(2024, 5, 30), days={"a": 0, "b": 1}), Study(first=date(2024, 6, 2), days={"c": 3})
    assert spread([may]) == 1
    assert spread([june, Study(), may]) == 6
    assert spread([Study()]) == spread([]) == 0
    assert "2024" not in repr(may)


def test_without_any_age_there_is_none() -> None:
    exam = gather([picture("a"), Analysis(InputInfo("b"), error="damaged")])
    assert exam.age is None
    assert exam.to_dict()["age"] is None
    assert not any("age" in warning for warning in exam.warnings)
    assert gather([picture("a", given="20w3d")])["HC"].centile_value is not None  # as it was asked for


def test_a_refused_exam_says_nothing_else() -> None:
    study = Study("2.25.1", "", ("2.25.2",), "study 1 of 2", {"a": 0}, "no exam: two patients", ("and more",))
    exam = gather([picture("a", 143)], "case", study=study)
    said = exam.to_dict()
    json.dumps(said)
    for key in ("measures", "efw", "coverage", "quality", "triage", "age", "patient"):
        assert said[key] is None
    assert (said["study"], said["series"], said["part"]) == ("2.25.1", ["2.25.2"], "study 1 of 2")
    assert said["warnings"] == ["no exam: two patients", "and more"]
    assert sort_exams([gather([picture("b")], "other"), exam])[0] is exam


def test_an_exam_of_no_dicom_has_the_new_fields_empty() -> None:
    said = Exam("case").to_dict()
    assert [said[key] for key in ("part", "study", "series", "patient", "age")] == [None] * 5
    assert said["measures"] == []
