from __future__ import annotations

import base64
import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from fetalclip.frame import Frame
from fetalclip.report.draw import draw_analysis, thumbnail
from fetalclip.result import AgeEstimate, Analysis, PlaneScores

Make = Callable[..., Analysis]


def test_thumbnail_is_small_and_keeps_the_shape(frame: Frame) -> None:
    small = thumbnail(frame, 200)
    picture = Image.open(io.BytesIO(small.data))
    assert picture.format == "JPEG"
    assert picture.size == (small.width, small.height) == (200, 150)
    assert base64.b64decode(small.uri.removeprefix("data:image/jpeg;base64,")) == small.data


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (20, 30, 3), (700, 500, 3)])
def test_thumbnail_of_any_frame_fits_and_is_not_enlarged(shape: tuple[int, ...]) -> None:
    small = thumbnail(Frame(np.full(shape, 90, np.uint8)))
    assert 1 <= small.height <= min(320, shape[0])
    assert 1 <= small.width <= min(320, shape[1])


def test_drawing_keeps_every_pixel_of_the_picture(frame: Frame, analysis: Make) -> None:
    drawn = np.asarray(draw_analysis(frame, analysis()))
    assert drawn.shape[1:] == (400, 3)
    assert drawn.shape[0] > frame.height + 30
    np.testing.assert_array_equal(drawn[: frame.height], np.repeat(frame.pixels[:, :, None], 3, axis=2))


def test_caption_tells_answers_apart(frame: Frame, analysis: Make, age: AgeEstimate) -> None:
    closest = {"brain": 0.9, "femur": 0.1}
    answers = [
        analysis(plane=PlaneScores(closest)),
        analysis(plane=PlaneScores(closest), subplane=PlaneScores({"trans-thalamic": 0.7, "trans-cerebellum": 0.3})),
        analysis(plane=PlaneScores(closest), age=age),
        analysis(plane=PlaneScores({"brain": 0.8, "femur": 0.2})),
        analysis(plane=PlaneScores({"femur": 0.9, "brain": 0.1})),
        analysis(plane=PlaneScores(closest, abstained=True)),
        analysis(plane=None),
        analysis(error="not a picture"),
    ]
    strips = {draw_analysis(frame, a).crop((0, frame.height, 400, frame.height + 90)).tobytes() for a in answers}
    assert len(strips) == len(answers)


def test_drawing_does_not_hold_the_name(frame: Frame, analysis: Make) -> None:
    one, other = (draw_analysis(frame, analysis(path)).tobytes() for path in ("doe_jane.png", "b.png"))
    assert one == other


@pytest.mark.parametrize("shape", [(1, 1), (40, 60, 3), (30, 2500)])
def test_caption_fits_any_picture(shape: tuple[int, ...], analysis: Make) -> None:
    plane = PlaneScores({"a very long plane " * 40: 0.6, "brain": 0.4})
    drawn = draw_analysis(Frame(np.full(shape, 255, np.uint8)), analysis(plane=plane))
    assert drawn.mode == "RGB"
    assert drawn.width == max(shape[1], 280)
    right = np.asarray(drawn)[shape[0] :, -4:]  # no letter runs over the edge
    assert np.unique(right.reshape(-1, 3), axis=0).shape[0] == 1
