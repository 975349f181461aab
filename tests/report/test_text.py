from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetalclip.report import text
from fetalclip.result import AgeEstimate, Analysis, PlaneScores

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
