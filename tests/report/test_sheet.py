"""The contact sheet: every picture pixel for pixel in its place, words that fit."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from fetalclip.report.sheet import contact_sheet


def opened(data: bytes) -> np.ndarray:
    picture = Image.open(io.BytesIO(data))
    assert picture.format == "PNG"
    return np.asarray(picture)


def find(sheet: np.ndarray, picture: np.ndarray) -> list[tuple[int, int]]:
    """Every place (left, top) where the picture stands in the sheet."""
    windows = np.lib.stride_tricks.sliding_window_view(sheet[..., 0], picture.shape)
    return [(int(x), int(y)) for y, x in zip(*np.nonzero((windows == picture).all(axis=(2, 3))), strict=True)]


def test_pictures_stand_in_rows_and_columns():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 3, 20, 20), dtype=np.uint8)
    sheet = opened(contact_sheet("Title", ["a", "b", "c"], pictures))
    assert sheet.shape[2] == 3
    places = np.array([[find(sheet, cell) for cell in row] for row in pictures])
    assert places.shape == (2, 3, 1, 2)  # each once
    left, top = places[..., 0, 0], places[..., 0, 1]
    assert (np.diff(left, axis=1) == 26).all()
    assert (np.diff(top, axis=0) == 26).all()
    assert (left == left[:1]).all()
    assert (top == top[:, :1]).all()


def test_the_words_are_drawn():
    black = [[np.zeros((60, 60), np.uint8)] * 2]
    bare = opened(contact_sheet("", ["", ""], black))
    for title, columns, note in (("Title", ["", ""], ""), ("", ["", "shadow"], ""), ("", ["", ""], "a note")):
        assert (opened(contact_sheet(title, columns, black, note)) != bare).any()


@pytest.mark.parametrize("word", ["W" * 300, "a\nb\x1b[31m", "é" * 99])
def test_a_column_s_name_stays_in_its_column(word):
    black = [[np.zeros((60, 60), np.uint8)] * 3]
    bare = opened(contact_sheet("", ["", "", ""], black))
    changed = np.nonzero((opened(contact_sheet("", ["", word, ""], black)) != bare).any(axis=(0, 2)))[0]
    assert changed.min() >= 34 + 66 - 3
    assert changed.max() <= 34 + 126 + 3
