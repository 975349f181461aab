"""Small pictures side by side in one."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from fetalclip.frame import Frame
from fetalclip.report.sprite import SIDE, Sprite


def test_each_picture_is_in_its_square():
    frames = [Frame(np.full((50, 100), level, np.uint8)) for level in range(0, 250, 5)]
    sprite = Sprite(frames)
    sheet = np.asarray(Image.open(io.BytesIO(sprite.data)))
    assert sheet.shape == (2 * SIDE, 40 * SIDE)
    assert sprite.sizes == [(64, 32)] * 50
    for i, level in enumerate(range(0, 250, 5)):
        y, x = i // 40 * SIDE, i % 40 * SIDE
        assert abs(int(sheet[y + 15, x + 30]) - level) < 8
        assert sheet[y + 50, x + 30] < 8  # below the picture
    assert sprite.uri.startswith("data:image/jpeg;base64,")


def test_colour_stays_and_none_is_a_sheet_too():
    red = np.zeros((20, 20, 3), np.uint8)
    red[..., 0] = 200
    sheet = np.asarray(Image.open(io.BytesIO(Sprite([Frame(red), Frame(red[..., 0])]).data)))
    assert sheet.ndim == 3
    assert sheet[5, 5, 0] > 150 > 60 > sheet[5, 5, 2]
    assert Sprite([]).sizes == []
