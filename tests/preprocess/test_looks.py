"""Looks at a picture under small changes: what a look shows comes back to the picture's own pixels."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.preprocess import letterbox
from fetalclip.preprocess.looks import LOOKS, Look, weights


def blob(width: int, height: int) -> np.ndarray:
    """A smooth hill off the centre, (H, W) in 0-255."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    hill = np.exp(-(((x - 0.4 * width) / (0.2 * width)) ** 2) - ((y - 0.55 * height) / (0.25 * height)) ** 2)
    return np.rint(255 * hill).astype(np.uint8)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("size", [(120, 80), (80, 120), (101, 101)])
def test_what_a_look_shows_comes_back(look, size):
    picture = blob(*size)
    square, box = letterbox(picture, 64)
    seen = look.seen(square).astype(np.float32) / 255
    back = look.laid_out(seen, box)
    assert back.shape == picture.shape
    wanted = (picture / 255.0) ** look.gamma
    assert np.abs(back - wanted).max() < 0.05


def test_the_plain_look_changes_nothing():
    square = blob(32, 32)
    assert LOOKS[0].plain
    assert Look().seen(square) is square


def test_a_flip_is_a_flip():
    square = blob(32, 32)
    np.testing.assert_array_equal(Look(flip=True).seen(square), square[:, ::-1])


def test_black_stays_black_and_beyond_the_edge_is_black():
    square = np.zeros((32, 32), np.uint8)
    assert not Look(zoom=0.8, gamma=0.5).seen(square).any()
    assert not Look(zoom=0.8).seen(np.full((32, 32), 255, np.uint8))[:2].any()


def test_cubic_weights_sum_to_one_and_hit_the_samples():
    places = np.linspace(-1, 11, 49)
    table = weights(places, 10)
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(weights(np.arange(10) + 0.5, 10), np.eye(10), atol=1e-6)
    line = np.arange(10, dtype=float)
    inner = (places > 2) & (places < 8)
    np.testing.assert_allclose((table @ line)[inner], places[inner] - 0.5, atol=1e-5)  # a line stays a line
