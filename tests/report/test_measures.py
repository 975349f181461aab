"""Measures over a picture: on their lines, nowhere else, and at the picture's own scale."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from fetalclip import caliper, phantom
from fetalclip.frame import Frame
from fetalclip.report.draw import draw_analysis, thumbnail
from fetalclip.report.measures import CALIPER, OUTLINE, WITHIN, mark
from fetalclip.result import Analysis, Measurement, Segmentation

Make = Callable[..., Analysis]
Head = tuple[Measurement, ...]


def grey(width: int = 400, height: int = 300, level: int = 60) -> Image.Image:
    return Image.new("L", (width, height), level)


def test_nothing_to_draw_is_the_picture_itself() -> None:
    picture = grey()
    refused = Measurement("HC", None, note="tiny", drawing=((1.0, 1.0), (9.0, 9.0)))
    assert mark(picture, ()) is picture
    assert mark(picture, [refused, Measurement("CI", 78.0, "%")]) is picture


def test_an_ellipse_changes_the_pixels_on_its_line_and_no_others(head: Head) -> None:
    drawn = np.asarray(mark(grey(), head[:1])).astype(int)
    rows, columns = np.nonzero((drawn != 60).any(axis=2))
    off = np.abs(np.hypot((columns - 200) / 100, (rows - 150) / 80) - 1) * 80  # pixels from the ellipse, at most
    assert off.max() < 3.0
    for x, y in ((300, 150), (100, 150), (200, 70), (200, 230)):  # its four ends bear its colour
        np.testing.assert_allclose(drawn[y, x], OUTLINE, atol=30)


def test_a_caliper_has_crosses_at_its_ends(head: Head) -> None:
    drawn = np.asarray(mark(grey(), head[1:2])).astype(int)
    for x, y in head[1].drawing:
        for dx, dy in ((0, 0), (4, 0), (-4, 0), (0, 4), (0, -4)):
            np.testing.assert_allclose(drawn[int(y) + dy, int(x) + dx], CALIPER, atol=30)
    between = (drawn[80:220, 200] != 60).any(axis=1)
    assert 0.2 < between.mean() < 0.9  # dots, not a line
    assert (drawn[:, :190] == 60).all()
    assert (drawn[:, 211:] == 60).all()


def test_lines_are_smooth_and_keep_their_place_at_any_scale(head: Head) -> None:
    half = np.asarray(mark(grey(200, 150), head[:1], scale=0.5)).astype(float)
    weight = half[:, :, 2] - half[:, :, 0]  # of the line alone: its rim and the picture are grey
    middle = [(weight.sum(axis=axis) * np.arange(length)).sum() / weight.sum() for axis, length in ((0, 200), (1, 150))]
    np.testing.assert_allclose(middle, [(200 + 0.5) / 2 - 0.5, (150 + 0.5) / 2 - 0.5], atol=0.1)
    assert len(np.unique(half[:, :, 2])) > 20  # partly covered pixels


def test_lines_grow_with_the_picture(head: Head) -> None:
    def share(side: int) -> int:
        scale = side / 400
        drawn = np.asarray(mark(grey(side, side * 3 // 4), head[:1], scale=scale))
        return int((drawn[round(150 * scale), round(250 * scale) :] == OUTLINE).all(axis=1).sum())

    assert share(2000) > share(400) >= 1


def test_the_heart_within_the_thorax_has_a_colour_of_its_own(head: Head) -> None:
    heart = Measurement("CC", 120.0, drawing=head[0].drawing)
    np.testing.assert_allclose(np.asarray(mark(grey(), [heart]))[150, 300].astype(int), WITHIN, atol=30)


@pytest.mark.parametrize(
    "drawing",
    [
        ((float("nan"), 1.0), (5.0, 5.0)),
        ((1e12, 0.0), (0.0, 1e12)),
        ((3.0, 3.0),),
    ],
)
def test_a_drawing_of_no_picture_is_left_out(drawing: tuple[tuple[float, float], ...]) -> None:
    picture = grey()
    assert mark(picture, [Measurement("FL", 30.0, drawing=drawing)]) is picture


@pytest.mark.parametrize("size", [(1, 1), (8, 3), (40, 900)])
def test_lines_beyond_the_edge_are_cut_there(size: tuple[int, int]) -> None:
    far = 2.0 * max(size)
    one = Measurement("FL", 30.0, drawing=((-far, 0.0), (far, 1.0)))
    same = Measurement("BPD", 30.0, drawing=((0.0, 0.0), (0.0, 0.0)))
    assert mark(grey(*size), [one, same], named=True).size == size


def test_names_stand_inside_the_picture() -> None:
    top = Measurement("BPD", 48.0, drawing=((200.0, 2.0), (200.0, 297.0)))
    bare, named = (np.asarray(mark(grey(), [top], named=word)) for word in (False, True))
    rows, columns = np.nonzero((bare != named).any(axis=2))
    assert rows.size > 20
    assert rows.min() >= 0
    assert columns.max() < 399


def test_drawing_keeps_every_pixel_away_from_the_lines(frame: Frame, analysis: Make, head: Head) -> None:
    drawn = np.asarray(draw_analysis(frame, analysis(biometry=head)))
    same = (drawn[: frame.height] == frame.pixels[:, :, None]).all(axis=2)
    assert 0.9 < same.mean() < 0.995
    rows, columns = np.nonzero(~same)
    level = np.hypot((columns - 200) / 100, (rows - 150) / 80)
    assert ((level < 1.1) | (np.abs(rows - 150) < 12) | (np.abs(columns - 200) < 25)).all()


def test_the_strip_tells_measures_and_refusals(frame: Frame, analysis: Make, head: Head) -> None:
    def strip(*taken: Measurement) -> int:
        return draw_analysis(frame, analysis(biometry=taken)).height

    assert strip() < strip(head[0]) < strip(*head)
    assert strip() < strip(head[3])


def test_a_small_picture_bears_the_lines_at_its_scale(frame: Frame, head: Head) -> None:
    small = thumbnail(frame, 200, head[:1])
    pixels = np.asarray(Image.open(io.BytesIO(small.data)).convert("RGB")).astype(int)
    assert pixels.shape == (150, 200, 3)
    colour = np.ptp(pixels, axis=2)
    rows, columns = np.nonzero(colour > 40)
    assert np.abs(np.hypot((columns - 99.75) / 50, (rows - 74.75) / 40) - 1).max() < 0.15
    assert np.ptp(np.asarray(Image.open(io.BytesIO(thumbnail(frame, 200).data)).convert("RGB")), axis=2).max() < 20


def test_a_measured_phantom_is_drawn_on_its_skull() -> None:
    drawn = phantom.draw("brain", 3, profile="demo")
    taken = caliper.measure_all(Segmentation(drawn.masks, drawn.frame.mm_per_pixel, "truth"))
    assert {one.name for one in taken if one.value is not None} >= {"HC", "BPD", "OFD"}
    plain = np.asarray(Image.fromarray(drawn.frame.pixels).convert("RGB"))
    changed = (np.asarray(mark(Image.fromarray(drawn.frame.pixels), [taken[0]])) != plain).any(axis=2)
    mask = drawn.masks["head"]
    edge = np.zeros_like(mask)
    edge[1:-1, 1:-1] = (mask[1:-1, 1:-1] != mask[:-2, 1:-1]) | (mask[1:-1, 1:-1] != mask[1:-1, :-2])
    assert changed[edge].mean() > 0.9
