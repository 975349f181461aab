"""A heart score in words and on the page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fetalclip.frame import Frame
from fetalclip.report import heart
from fetalclip.report.draw import draw_analysis
from fetalclip.report.text import other_warnings
from fetalclip.result import Analysis, ClipFrame, Finding, HeartScore, InputInfo, KeyFrame, PlaneScores

SCORE = HeartScore(
    {"effusion": Finding(0.02), "hole": Finding(0.93), "axis": Finding(0.5, True, "both answers can be")},
    "mine",
    tuple(range(20)),
    tuple(i / 30 for i in range(20)),
    (0, 19),
    0.8,
    (KeyFrame(3, 0.1, 0.2, "hole"), KeyFrame(12, 0.4, 0.3, "hole")),
    warnings=("heart: simulated",),
)
LINE = Analysis(InputInfo("a.mp4"), heart=SCORE)


def test_findings_stand_by_their_answer():
    assert heart.words(LINE) == (
        "heart by mine, present: hole 93.0 %",
        "absent: effusion 2.0 %",
        "not answered: axis 50.0 %",
        "looked most at frame 3 at 0.10 s, frame 12 at 0.40 s",
    )
    assert heart.words(replace(LINE, heart=replace(SCORE, abstained=True, reason="strange"))) == ()
    assert heart.words(replace(LINE, heart=None)) == ()


def test_the_table_has_every_finding_the_likeliest_first():
    page = heart.table(SCORE)
    assert page.index("hole") < page.index("axis") < page.index("effusion")
    assert "both answers can be" in page
    assert "Heart, by mine, frames 0 to 19; looked most at frame 3" in page
    assert heart.table(None) == ""


def test_names_of_a_head_cannot_write_html():
    page = heart.table(replace(SCORE, head="<b>", findings={"<i>": Finding(0.9, True, "<u>")}, key_frames=()))
    for tag in ("<b>", "<i>", "<u>"):
        assert tag not in page


def test_another_plane_is_no_warning_for_the_eye():
    said = ("no heart: not a four-chamber view (brain)",)
    assert other_warnings(Analysis(InputInfo("a"), PlaneScores({"brain": 1.0}), said)) == []
    assert other_warnings(Analysis(InputInfo("a"), None, said)) == list(said)


@pytest.mark.parametrize(
    ("seconds", "words", "told"), [(0.4, "frame 12 at 0.40 s", 0.4), (float("nan"), "frame 12", None)]
)
def test_a_frame_of_a_clip_without_times(seconds, words, told):
    frame = ClipFrame(12, seconds)
    assert str(frame) == words
    assert frame.to_dict() == {"index": 12, "seconds": told}


def test_a_drawing_tells_the_findings_and_their_warning():
    frame = Frame(np.full((60, 400), 90, np.uint8))
    line = Analysis(InputInfo("a.mp4", "cine", 400, 60, 20, best_frame=ClipFrame(3, 0.1)), heart=SCORE)
    unwarned = replace(line, heart=replace(SCORE, warnings=()))
    drawn = [draw_analysis(frame, one) for one in (line, unwarned, replace(line, heart=None))]
    assert len({one.tobytes() for one in drawn}) == 3
    assert drawn[0].height >= drawn[1].height > drawn[2].height
