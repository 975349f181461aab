"""Letterbox: what goes in comes back, the padding is centred, the pixels are Pillow's antialiased bicubic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from fetalclip.errors import UsageError
from fetalclip.preprocess import Letterbox, letterbox

SIDES = st.integers(1, 90)
SHAPES = st.tuples(SIDES, SIDES, st.integers(1, 120))  # width, height, size
ODD = [(1, 1, 1), (1, 90, 7), (89, 2, 64), (33, 47, 120), (3, 2, 119), (64, 64, 64), (65, 64, 65)]


def picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def shapes(test):
    for odd in ODD:
        test = example(shape=odd)(test)
    return settings(max_examples=60, deadline=None)(given(shape=SHAPES)(test))


@shapes
def test_points_come_back(shape):
    box = Letterbox(*shape)
    points = np.random.default_rng(1).uniform((0, 0), (box.width, box.height), (20, 2))
    inside = box.points_in(points)
    np.testing.assert_allclose(box.points_out(inside), points, atol=1e-9)
    assert inside.min() >= 0
    assert inside.max() <= box.size + 1e-9


@shapes
def test_spacing_comes_back_and_keeps_millimetres(shape):
    box = Letterbox(*shape)
    spacing = (0.07, 0.11)
    after = box.spacing_in(spacing)
    assert box.spacing_out(after) == pytest.approx(spacing)
    # A length in mm is the same whichever pixels it is measured in.
    ends = np.array([[0.0, 0.0], [box.width, box.height]])
    before_mm = np.diff(ends, axis=0) * spacing
    after_mm = np.diff(box.points_in(ends), axis=0) * after
    np.testing.assert_allclose(after_mm, before_mm)


@shapes
def test_masks_come_back_exactly_where_nothing_is_thrown_away(shape):
    box = Letterbox(*shape)
    mask = picture(box.width, box.height) > 127
    there = box.mask_in(mask)
    assert there.shape == (box.size, box.size)
    back = box.mask_out(there)
    assert back.shape == mask.shape
    if box.size >= box.side:
        np.testing.assert_array_equal(back, mask)


@pytest.mark.parametrize("shape", [(641, 383, 96), (200, 777, 64), (300, 300, 101)])
def test_a_shrunk_mask_comes_back_within_one_pixel_of_the_square(shape):
    box = Letterbox(*shape)
    y, x = np.mgrid[: box.height, : box.width]
    radius = min(box.width, box.height) * 0.4
    distance = np.hypot(x + 0.5 - box.width / 2, y + 0.5 - box.height / 2)
    back = box.mask_out(box.mask_in(distance < radius))
    slack = 1 / box.scale  # one pixel of the square, in original pixels
    assert back[distance < radius - slack].all()
    assert not back[distance > radius + slack].any()


@shapes
def test_mask_stands_where_its_points_stand(shape):
    box = Letterbox(*shape)
    whole = box.mask_in(np.ones((box.height, box.width), bool))
    low, high = box.points_in([[0, 0], [box.width, box.height]])
    centre = np.arange(box.size) + 0.5
    across = (centre >= low[0] + 1e-6) & (centre < high[0] - 1e-6)
    down = (centre >= low[1] + 1e-6) & (centre < high[1] - 1e-6)
    assert whole[np.ix_(down, across)].all()
    outside = (centre < low[0] - 1e-6) | (centre > high[0] + 1e-6)
    assert not whole[:, outside].any()


@shapes
def test_padding_is_zero_and_centred(shape):
    width, height, _ = shape
    box = Letterbox(width, height, max(width, height))  # no resizing: the bare padding
    square = box.picture_in(np.full((height, width), 200, np.uint8))
    rows, columns = np.flatnonzero(square.any(axis=1)), np.flatnonzero(square.any(axis=0))
    for found, extent in ((rows, height), (columns, width)):
        before, after = found[0], box.side - 1 - found[-1]
        assert len(found) == extent
        assert after - before in (0, 1)  # the odd one goes right or below
    assert np.count_nonzero(square) == width * height
    assert set(np.unique(square)) <= {0, 200}


@shapes
def test_pixels_are_pillows(shape):
    width, height, size = shape
    gray = picture(width, height)
    made, box = letterbox(gray, size)
    assert (made.shape, made.dtype) == ((size, size), np.uint8)
    left, top = box.left, box.top
    border = (left, top, box.side - width - left, box.side - height - top)
    wanted = ImageOps.expand(Image.fromarray(gray), border, 0).resize((size, size), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(made, np.asarray(wanted))


@pytest.mark.parametrize(("side", "size"), [(240, 96), (301, 65), (40, 99)])
def test_pixels_agree_with_another_antialiased_bicubic(side, size):
    gray = picture(side, side) // 2 + 64  # away from 0 and 255, where Pillow clips between its two passes
    made, _ = letterbox(gray, size)
    x = torch.from_numpy(gray).float()[None, None]
    other = torch.nn.functional.interpolate(x, (size, size), mode="bicubic", antialias=True)
    wanted = other[0, 0].numpy()
    assert np.abs(made - wanted).max() < 1.5  # Pillow rounds to 8 bits between the passes


def test_fine_lines_are_averaged_and_not_picked():
    stripes = np.tile(np.array([0, 255], np.uint8), (256, 128))
    made, _ = letterbox(stripes, 32)
    assert made.std() < 4
    assert abs(made.mean() - 127.5) < 3


def test_a_landmark_lands_where_the_record_says():
    gray = np.zeros((301, 477), np.uint8)
    gray[100:111, 300:311] = 255  # centre of mass at (305.5, 105.5)
    made, box = letterbox(gray, 159)
    weight = made.astype(float)
    where = np.array([(weight.sum(axis=i) * (np.arange(159) + 0.5)).sum() for i in (0, 1)]) / weight.sum()
    np.testing.assert_allclose(where, box.points_in([[305.5, 105.5]])[0], atol=0.05)


@pytest.mark.parametrize("sizes", [(0, 5, 5), (5, 0, 5), (5, 5, 0), (5, 5, -1)])
def test_an_empty_letterbox_is_refused(sizes):
    with pytest.raises(UsageError, match="at least 1 pixel"):
        Letterbox(*sizes)


def test_another_pictures_record_is_refused():
    box = Letterbox(30, 20, 16)
    for call in (box.picture_in, box.mask_in, box.mask_out):
        with pytest.raises(UsageError, match="the one this letterbox was made for"):
            call(np.zeros((30, 20), bool))
