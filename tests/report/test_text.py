from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetalclip.report import text
from fetalclip.result import AgeEstimate, Analysis, Exam, Measurement, PlaneScores

Make = Callable[..., Analysis]


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "0.0 %"),
        (1e-9, "< 0.1 %"),
        (0.001, "0.1 %"),
        (0.982, "98.2 %"),
        (0.9991, "> 99.9 %"),
        (0.99999, "> 99.9 %"),
        (1.0, "100.0 %"),
        (float("nan"), "unknown"),
    ],
)
def test_percent(share: float, words: str) -> None:
    assert text.percent(share) == words


@settings(deadline=None, max_examples=50)
@given(st.floats(min_value=0, max_value=1, exclude_min=True, exclude_max=True))
def test_percent_claims_no_certainty(share: float) -> None:
    assert text.percent(share) not in {"0.0 %", "100.0 %"}


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_printable_moves_no_cursor(words: str) -> None:
    assert text.printable(words).isprintable()
    assert "\n" not in text.sentence(words)


def test_printable_shows_escapes_and_undecodable_bytes() -> None:
    assert text.printable("a\x1b[31m\udcff\u202e") == r"a\x1b[31m\udcff\u202e"


def test_line_names_file_plane_and_next_candidates(analysis: Make) -> None:
    assert text.line(analysis()) == "scans/a.png: brain 90.0 % (then lips nose 6.0 %, femur 3.0 %)"


def test_line_names_the_subplane_unless_it_abstained(analysis: Make) -> None:
    found = {"trans-thalamic": 0.7, "trans-cerebellum": 0.3}
    line = text.line(analysis(subplane=PlaneScores(found)))
    assert line == "scans/a.png: brain 90.0 % (then lips nose 6.0 %, femur 3.0 %), trans-thalamic 70.0 %"
    shy = analysis(subplane=PlaneScores(found, True, "unsure"), warnings=("subplane abstained: unsure",))
    assert text.line(shy).endswith("femur 3.0 %) [warning: subplane abstained: unsure]")
    assert text.subplane(analysis()) == ""


def test_line_names_the_age_with_both_intervals(analysis: Make, age: AgeEstimate) -> None:
    words = "age 20w2d, 18w5d to 22w0d with the spread of healthy heads; 19w2d to 21w2d the model alone (90 %)"
    assert text.line(analysis(age=age)) == f"scans/a.png: brain 90.0 % (then lips nose 6.0 %, femur 3.0 %); {words}"
    assert text.line(analysis(plane=None, age=age)) == f"scans/a.png: {words}"
    none = AgeEstimate(None, None, None, "prompted", "WHO 2017 V3 HC", note="no spacing")
    assert text.line(analysis(age=none, warnings=none.warnings)).endswith("%) [warning: no age: no spacing]")
    assert text.age(analysis(age=none)) == text.age(analysis()) == ()


def test_a_plane_that_tells_why_there_is_no_age_is_not_explained(analysis: Make) -> None:
    said = ("no age: not a head plane (femur)", "no age: no spacing")
    assert text.other_warnings(analysis(warnings=said)) == ["no age: no spacing"]
    assert text.other_warnings(analysis(plane=None, warnings=said)) == list(said)


def test_line_of_an_abstention_says_why_once(analysis: Make) -> None:
    plane = PlaneScores({"brain": 0.4, "femur": 0.35}, abstained=True, reason="too unlike a plane")
    line = text.line(analysis(plane=plane, warnings=("too unlike a plane", "much text", "much text")))
    assert line == "scans/a.png: abstained: too unlike a plane (closest: brain 40.0 %) [warning: much text]"


def test_line_of_an_abstention_without_reason_still_gives_one(analysis: Make) -> None:
    assert "unlike the planes" in text.line(analysis(plane=PlaneScores({"brain": 1.0}, abstained=True)))


def test_line_of_a_failure_is_one_line(analysis: Make) -> None:
    assert text.line(analysis("b.png", error="not a picture.\nTry: another")) == (
        "b.png: failed: not a picture. Try: another"
    )


def test_line_without_plane(analysis: Make) -> None:
    assert text.line(analysis(plane=None)) == "scans/a.png: no plane asked for"


def test_line_of_a_hostile_name_is_one_safe_line(analysis: Make) -> None:
    line = text.line(analysis("a\n\x1b]0;owned\x07.png"))
    assert line.isprintable()
    assert line.startswith(r"a\n\x1b]0;owned\x07.png: ")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "mm per pixel unknown"),
        ((0.07, 0.07), "0.07 mm per pixel"),
        ((0.07, 0.0812), "0.07 × 0.0812 mm per pixel"),
    ],
)
def test_spacing(value: tuple[float, float] | None, words: str) -> None:
    assert text.spacing(value) == words


def test_measures_in_words(analysis: Make, head: tuple[Measurement, ...]) -> None:
    assert text.measures(head) == (
        "HC 175.2 mm (172.9 to 177.5), 42nd centile (WHO 2017 V3)",
        "BPD 48.1 mm outer-outer",
        "OFD 61.9 mm [90 % intervals]",
    )
    line = text.line(analysis(biometry=head))
    assert "femur 3.0 %); HC 175.2 mm" in line
    assert line.endswith("[warning: no CI: cut by the sector's edge]")


def test_one_reason_is_told_once_whoever_tells_it(analysis: Make) -> None:
    refused = tuple(Measurement(name, None, note="too\nflat") for name in ("HC", "BPD"))
    limited = Measurement("FL", 412.0, "px", note="no millimetres per pixel: in pixels; a second shaft was left out")
    told = ("no HC: too flat", "no HC, BPD: too flat", "FL: a second shaft was left out", "FL pixels", "no age: dark")
    assert text.other_warnings(analysis(warnings=told, biometry=(*refused, limited))) == [
        "FL pixels",
        "no age: dark",
        "no HC, BPD: too flat",
        "FL: no millimetres per pixel: in pixels",
        "FL: a second shaft was left out",
    ]
    assert text.other_warnings(analysis(warnings=told[:1])) == ["no HC: too flat"]
    assert text.measures((limited,)) == ("FL 412.0 px",)


@pytest.mark.parametrize(
    ("centile", "words"),
    [
        (0.3, "below the 1st centile (X)"),
        (1.2, "1st centile (X)"),
        (2.0, "2nd centile (X)"),
        (12.6, "13th centile (X)"),
        (11.0, "11th centile (X)"),
        (22.9, "23rd centile (X)"),
        (50.0, "50th centile (X)"),
        (99.4, "above the 99th centile (X)"),
        (float("nan"), ""),
        (None, ""),
    ],
)
def test_centile_in_words(centile: float | None, words: str) -> None:
    assert text.centile(Measurement("HC", 175.0, centile_value=centile, reference="X")) == words


def test_both_ages_are_named(analysis: Make, age: AgeEstimate, measured_age: AgeEstimate) -> None:
    assert text.age(analysis(age=age, biometry_age=measured_age)) == (
        "age by prompts 20w2d, 18w5d to 22w0d with the spread of healthy heads",
        "19w2d to 21w2d the model alone (90 %)",
        "age by measured head 20w1d, 18w6d to 21w4d with the spread of healthy heads",
        "19w6d to 20w3d the measure alone (90 %)",
    )
    assert text.age(analysis(age=age))[0].startswith("age 20w2d")
    bare = replace(measured_age, model_low=None, model_high=None)
    assert text.age(analysis(biometry_age=bare)) == (
        "age by measured head 20w1d, 18w6d to 21w4d with the spread of healthy heads",
    )


def test_an_exam_in_words(head: tuple[Measurement, ...]) -> None:
    ratio = Measurement("HC/AC", 1.1, "", definition="outer over outer")
    weight = Measurement("EFW", 331.4, "g", definition="Hadlock 1985 HC,AC,FL", note="no centile: EFW has no chart")
    assert text.exam(Exam("scans/a", (head[1], ratio), weight, {"brain": 3}, ("not all of one fetus",))) == [
        "exam scans/a: brain 3",
        "BPD 48.1 mm outer-outer",
        "HC/AC 1.10",
        "EFW 331 g by Hadlock 1985 HC,AC,FL",
        "warning: not all of one fetus",
        "warning: EFW: no centile: EFW has no chart",
    ]
    assert text.exam(Exam("")) == ["exam without a name: no plane named"]
