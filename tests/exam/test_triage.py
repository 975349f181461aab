"""What needs a person first: each rule by itself, the order of reasons, the order of exams."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fetalclip.exam import gather, sort_exams, urgency
from fetalclip.exam.triage import abstained, failed_quality, missing_view, not_read, out_of_chart
from fetalclip.result import (
    Analysis,
    Check,
    Concern,
    Exam,
    InputInfo,
    Measurement,
    PictureQuality,
    PlaneScores,
    View,
)

HC = Measurement("HC", 175.0, definition="outer", source="drawn")


def reasons(found: list[Concern]) -> list[tuple[str, str]]:
    return [(one.urgency, one.reason) for one in found]


def test_measures_out_of_chart() -> None:
    inside, low, high = (replace(HC, centile_value=value) for value in (50.0, 2.0, 98.5))
    off = replace(HC, note="uneven pixels; no centile: below the lowest of WHO 2017 V3 HC")
    assert out_of_chart(Exam("e", (inside, replace(HC, note="no centile: no age"))), []) == []
    assert reasons(out_of_chart(Exam("e", (low, high, off)), [])) == [
        ("now", "HC below the 3rd centile"),
        ("now", "HC above the 97th centile"),
        ("now", "HC: below the lowest of WHO 2017 V3 HC"),
    ]
    mixed = Exam("e", warnings=("HC is 170 to 201 mm over 2 pictures: not all of one fetus, plane or spacing",))
    assert [one.kind for one in out_of_chart(mixed, [])] == ["measure"]


def test_missing_views_that_are_not_needed_are_notes() -> None:
    views = (View("a", "A", True), View("b", "B", False), View("c", "C", True, 1, "x.png", 0.9))
    assert reasons(missing_view(Exam("e", views=views), [])) == [
        ("soon", "no picture of: A"),
        ("note", "no picture of: B"),
    ]


def test_failed_quality_counts_most_where_no_better_picture_is() -> None:
    bad = (Check("shadow", "fail", "40 % in shadow"),)
    checked = tuple(PictureQuality(path, "femur", bad) for path in ("best.png", "spare.png"))
    views = (View("femur", "Femur", True, 2, "best.png", 0.9, "fail"),)
    found = failed_quality(Exam("e", quality=checked, views=views), [])
    assert [(one.urgency, one.paths) for one in found] == [("soon", ("best.png",)), ("note", ("spare.png",))]
    assert found[0].reason == "best picture of Femur: 40 % in shadow"


def test_abstentions_and_refused_measures() -> None:
    unsure = PlaneScores({"brain": 0.4, "femur": 0.6}, abstained=True)
    head = PlaneScores({"brain": 1.0})
    given = [Analysis(InputInfo("a"), unsure), Analysis(InputInfo("b"), head, subplane=unsure)]
    exam = Exam("e", warnings=("no HC: cut by the sector's edge", "no weight: FL not measured"))
    assert reasons(abstained(exam, given)) == [
        ("soon", "1 picture (a) without a certain plane"),
        ("note", "1 picture (b) of a head without a certain sub-plane"),
        ("soon", "no HC: cut by the sector's edge"),
    ]


def test_files_not_read() -> None:
    given = [Analysis(InputInfo("a"), error="broken"), Analysis(InputInfo("b"))]
    assert reasons(not_read(Exam("e"), given)) == [("soon", "1 of 2 files not read")]
    assert not_read(Exam("e"), given[1:]) == []


def test_an_exam_is_gathered_with_the_most_urgent_reason_first() -> None:
    small = replace(HC, value=120.0)
    plane = PlaneScores({"brain": 0.9, "femur": 0.1})
    checks = (Check("shadow", "fail", "40 % in shadow"),)
    sub = PlaneScores({"trans-thalamic": 0.9, "trans-ventricular": 0.1})
    exam = gather(
        [Analysis(InputInfo("x/a.png"), plane, subplane=sub, biometry=(small,), quality=checks)], "x", "20w3d"
    )
    assert exam.triage is not None
    assert exam.quality is not None
    assert [one.urgency for one in exam.triage] == sorted(
        (one.urgency for one in exam.triage), key=["now", "soon", "note"].index
    )
    assert exam.triage[0].kind == "measure"
    assert urgency(exam) == "now"
    told = exam.to_dict()
    assert told["coverage"]["planes"] == {"brain": 1}
    assert told["coverage"]["missing"][0] == "trans-ventricular"
    assert told["quality"][0]["verdict"] == "fail"
    assert told["triage"][0]["paths"] == []


def test_without_planes_no_view_is_missing() -> None:
    exam = gather([Analysis(InputInfo("a"), biometry=(HC,))])
    assert exam.views is None
    assert exam.triage == ()
    assert exam.to_dict()["coverage"] == {"planes": {}, "views": None, "missing": None}


def test_order_of_exams() -> None:
    def exam(name: str, *levels: str) -> Exam:
        return Exam(name, triage=tuple(Concern("quality", level, "why") for level in levels))

    given = [
        exam("calm"),
        exam("note", "note"),
        exam("now", "now"),
        exam("both", "now", "soon"),
        exam("two", "soon", "soon"),
    ]
    assert [one.path for one in sort_exams(given)] == ["both", "now", "two", "note", "calm"]
    with pytest.raises(ValueError, match="urgency"):
        Concern("quality", "never", "why")
