"""Measures on the page: a table on each card, a section for each exam."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fetalclip.frame import Frame
from fetalclip.report import Report
from fetalclip.report.measure_tables import exams, picture_measures
from fetalclip.result import AgeEstimate, Analysis, Exam, Measurement

Make = Callable[..., Analysis]
Head = tuple[Measurement, ...]


def test_a_row_tells_value_interval_definition_and_centile(head: Head) -> None:
    found = picture_measures(head)
    assert found.count("<tr>") == 3  # the refused one is a warning
    for words in ("175.2 mm", "172.9 to 177.5", "outer, 42nd centile (WHO 2017 V3)", "48.1 mm", "head circumference"):
        assert words in found
    assert "Measures, masks by fetalclip-open-head; 90 % intervals" in found


def test_no_measure_is_no_table(head: Head) -> None:
    assert picture_measures(()) == picture_measures(head[3:]) == ""


def test_words_from_outside_are_escaped() -> None:
    one = Measurement("<b>", 1.0, "<u>", definition="<i>", source="<s>", reference="<a>", centile_value=50.0)
    for found in (picture_measures([one]), "".join(exams([Exam("<p>/<q>", (one,), None, {"<h>": 1}, ("<w>",))]))):
        assert not any(tag in found for tag in ("<b>1", "<u>", "<i>", "<s>", "<a>", "<q>", "<h>", "<w>"))
        assert "&lt;u&gt;" in found


def test_a_card_has_both_ages_each_by_its_name(
    frame: Frame, analysis: Make, head: Head, age: AgeEstimate, measured_age: AgeEstimate
) -> None:
    report = Report()
    report.add(analysis(age=age, biometry=head, biometry_age=measured_age), frame)
    page = report.html()
    assert page.index("by the head, by prompts</dt><dd>20w2d") < page.index("by the measured head</dt><dd>20w1d")
    assert "the measure alone (90 %)</dt><dd>19w6d to 20w3d" in page
    assert "<b>Warning:</b> no CI: cut by the sector&#x27;s edge" in page
    assert "200.0" not in page  # no outline is kept


def test_an_age_alone_keeps_its_place(analysis: Make, age: AgeEstimate, measured_age: AgeEstimate) -> None:
    assert "Gestational age by the head</dt><dd>20w2d" in Report(analysis(age=age)).html()
    assert "Gestational age by the measured head</dt><dd>20w1d" in Report(analysis(biometry_age=measured_age)).html()


def test_a_page_takes_measures_and_exams(head: Head, measured_age: AgeEstimate) -> None:
    weight = Measurement("EFW", 331.4, "g", definition="Hadlock 1985 HC,AC,FL", source="a, b")
    ratio = Measurement("HC/AC", 1.1532, "", definition="outer over outer")
    exam = Exam("scans/Case one", (*head[:3], ratio), weight, {"brain": 3, "femur": 1}, ("no weight of twins",))
    report = Report(head[0], measured_age, exam)
    assert len(report) == 3
    page = report.html()
    assert "<h2>Exam</h2>" in page
    for words in ("Case one", "brain 3, femur 1", "331 g", "Hadlock 1985 HC,AC,FL", "1.15<", "no weight of twins"):
        assert words in page
    assert page.index("<h2>Exam</h2>") < page.index("<h2>Pictures</h2>")
    assert "<h2>Exams (2)</h2>" in Report(exam, exam).html()


def test_an_exam_without_measures_says_so() -> None:
    assert "Nothing was measured." in "".join(exams([Exam("a")]))


def test_pixels_are_said(head: Head) -> None:
    assert "1752.3 px" in picture_measures([replace(head[0], value=1752.3, unit="px")])
