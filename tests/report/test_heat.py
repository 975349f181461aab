"""Heat over grey: nothing changes where there is none, and more heat is more colour."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.frame import Frame
from fetalclip.report import Report
from fetalclip.report.heat import draw_attribution, heat_thumbnail, heated, score_words
from fetalclip.result import Analysis, Attribution, InputInfo, PlaneScores


def attribution(heat: np.ndarray, text: str = "brain", against: tuple[str, ...] = ("a", "b", "c")) -> Attribution:
    return Attribution(heat.astype(np.float32), "hires-cam", text, against, 6.06, 0.4712)


@pytest.fixture
def frame() -> Frame:
    return Frame(np.random.default_rng(0).integers(0, 256, (60, 90), dtype=np.uint8))


def test_without_heat_the_picture_is_as_it_was(frame):
    drawn = np.asarray(heated(frame, np.zeros((60, 90), np.float32)))
    np.testing.assert_array_equal(drawn, np.repeat(frame.gray[..., None], 3, axis=-1))


def test_heat_is_lighter_and_the_picture_shines_through():
    frame = Frame(np.full((1, 4), 100, np.uint8))
    drawn = np.asarray(heated(frame, np.array([[0.0, 0.2, 0.6, 1.0]], np.float32))).astype(int)[0]
    assert drawn[0].tolist() == [100, 100, 100]
    assert drawn[1].sum() < drawn[2].sum() < drawn[3].sum()
    assert np.ptp(drawn[3]) > 20
    dark = np.asarray(heated(Frame(np.zeros((1, 4), np.uint8)), np.ones((1, 4), np.float32))).astype(int)[0]
    assert (drawn[3] > dark[3]).all()


@pytest.mark.parametrize("shape", [(60, 90), (10, 5), (300, 700), (20, 20, 3)])
def test_a_drawing_of_any_size(shape):
    frame = Frame(np.full(shape, 50, np.uint8))
    drawn = draw_attribution(frame, attribution(np.ones(shape[:2]), "a long text " * 60))
    assert drawn.width == max(shape[1], 280)
    assert drawn.height > shape[0]


def test_the_words(frame):
    assert score_words(attribution(np.zeros((2, 2)))) == "hires-cam; log-odds +6.1 against 3 others; cosine 0.471"
    assert "against a and b;" in score_words(attribution(np.zeros((2, 2)), against=("a", "b")))
    assert score_words(attribution(np.zeros((2, 2)), against=())) == "hires-cam; cosine 0.471"


def test_on_a_page_what_comes_from_outside_is_escaped(frame):
    analysis = Analysis(InputInfo("x.png", "image", 90, 60, 1, None), PlaneScores({"brain": 0.9, "femur": 0.1}))
    report = Report()
    report.add(analysis, frame, attribution(np.ones((60, 90)), '"><script>'))
    report.add(analysis, frame)
    page = report.html()
    assert page.count("<img") == 3
    assert "<script>" not in page
    small = heat_thumbnail(frame, attribution(np.ones((60, 90))), 30)
    assert max(small.width, small.height) == 30
