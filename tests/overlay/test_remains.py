"""Text that a model gets to see: found on tissue, told apart from what is masked, and not made up."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from fetalclip.overlay import Overlay, find_overlay
from fetalclip.overlay.raster import opened, opened_gray
from fetalclip.overlay.remains import LONGEST, _smaller, text_left
from fetalclip.phantom import PLANES, draw

WORDS = "DOE JANE 12345"


def tissue(seed: int, size: tuple[int, int] = (800, 600)) -> Image.Image:
    return Image.fromarray(draw(PLANES[seed % 4], seed).frame.gray).resize(size, Image.Resampling.BICUBIC)


def written(page: Image.Image, place: tuple[int, int], height: int = 16, level: int = 255) -> np.ndarray:
    """The page with a line of text from ``place`` (x, y) on."""
    ImageDraw.Draw(page).text(place, WORDS, fill=level, font=ImageFont.load_default(height))
    return np.array(page)


def covers(boxes: list[tuple[int, int, int, int]], x: int, y: int) -> bool:
    return any(y0 <= y < y1 and x0 <= x < x1 for y0, x0, y1, x1 in boxes)


def masking(shape: tuple[int, ...], *boxes: tuple[int, int, int, int]) -> Overlay:
    mask = np.zeros(shape, dtype=bool)
    for y0, x0, y1, x1 in boxes:
        mask[y0:y1, x0:x1] = True
    return Overlay(mask, np.ones(shape, dtype=bool))


@pytest.mark.parametrize("size", [(416, 312), (800, 600), (1024, 768), (1600, 1200)])
@pytest.mark.parametrize("level", [255, 200])
def test_a_line_of_text_is_seen_where_it_stands(size: tuple[int, int], level: int) -> None:
    seen = []
    for seed, height in enumerate((12, 14, 18, 24) if size[0] < 1200 else (24, 28, 36, 48)):
        x, y = size[0] // 5, size[1] // 3
        boxes = text_left(written(tissue(seed, size), (x, y), height, level))
        seen.append(covers(boxes, x + 3 * height, y + 2 * height // 3))
        assert all(0 <= y0 < y1 <= size[1] and 0 <= x0 < x1 <= size[0] for y0, x0, y1, x1 in boxes)
    assert sum(seen) >= 3


@pytest.mark.parametrize("size", [(416, 312), (800, 600), (1600, 1200)])
def test_tissue_has_no_text(size: tuple[int, int]) -> None:
    assert [text_left(np.array(tissue(seed, size))) for seed in range(8)] == [[]] * 8


def test_what_is_masked_does_not_remain_and_the_rest_does() -> None:
    page = tissue(1)
    written(page, (100, 150), 20)
    gray = written(page, (400, 400), 20)
    assert len(text_left(gray)) == 2
    one = text_left(gray, masking(gray.shape, (140, 90, 180, 300)))
    assert len(one) == 1
    assert covers(one, 440, 412)
    assert text_left(gray, masking(gray.shape, (140, 90, 180, 300), (390, 390, 430, 600))) == []


def test_a_word_that_the_mask_cuts_in_two_remains() -> None:
    gray = written(tissue(1), (100, 150), 20)
    assert len(text_left(gray, masking(gray.shape, (140, 90, 180, 140)))) == 1


def test_edges_of_a_mask_are_no_text() -> None:
    gray = np.array(tissue(2))
    bars = [(100, x, 500, x + 4) for x in range(200, 600, 9)]
    assert text_left(gray, masking(gray.shape, *bars)) == []


def test_saturated_words_are_masked_by_the_finder_and_small_grey_ones_left() -> None:
    bright = written(tissue(0), (160, 200), 24)
    assert text_left(bright)
    assert text_left(bright, find_overlay(bright)) == []
    left = []
    for seed in range(6):
        faint = written(tissue(seed), (160, 200), 12, 170)
        found = find_overlay(faint)
        if found.mask[202:212, 165:240].mean() < 0.2:
            left.append(covers(text_left(faint, found), 200, 207))
    assert len(left) >= 3
    assert np.mean(left) > 0.6


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (120, 120), (121, 301), (5000, 2), (1300, 2001)])
def test_odd_sizes(shape: tuple[int, int]) -> None:
    gray = np.zeros(shape, np.uint8)
    assert text_left(gray) == []
    assert text_left(gray, masking(shape, (0, 0, 1, 1))) == []


def test_a_smaller_copy_is_the_average() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (31, 47)).astype(np.uint8)
    for step in (2, 3):
        rows, cols = (side // step for side in gray.shape)
        squares = gray[: rows * step, : cols * step].reshape(rows, step, cols, step).mean(axis=(1, 3))
        assert np.abs(_smaller(gray, step) - squares).max() <= 1.0  # rounded twice
    assert _smaller(gray, 1) is gray or np.array_equal(_smaller(gray, 1), gray)
    assert _smaller(gray[:2], 3).shape == (2, 15)


def test_the_copy_is_bounded() -> None:
    big = written(tissue(3, (2 * LONGEST + 10, LONGEST)), (300, 300), 40)
    (box,) = text_left(big)
    assert covers([box], 400, 325)


def test_opening_bytes_is_opening() -> None:
    gray = np.random.default_rng(1).integers(0, 256, (40, 33)).astype(np.uint8)
    assert np.array_equal(opened_gray(gray, 5), opened(gray.astype(np.float32), 5))
