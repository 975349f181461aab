"""A map as a picture: a dot for each, in the colour of its label, and a legend that names no picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from fetalclip.report.maps import UNLABELLED, by_size, colours, draw_map


def read(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def count(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    """Pixels of the field in about that colour."""
    return int((np.abs(picture[94:610, 30:626] - np.array(colour)).sum(axis=2) < 40).sum())


def test_every_label_has_its_colour_and_place():
    places = np.array([[0, 0], [0, 1], [10, 0], [10, 1], [5, 5]], np.float32)
    picture = read(draw_map(places, ["a", "a", "b", "b", ""], "Map", "5 embeddings"))
    first, second = colours(2)
    left, right = picture[:, :330], picture[:, 330:640]
    assert count(left, first) > 50 > count(left, second)
    near = [int((np.abs(half - np.array(second)).sum(axis=2) < 40).sum()) for half in (left, right)]
    assert near[1] > 50 > near[0]
    assert count(picture, UNLABELLED) > 20
    assert picture.shape == (640, 900, 3)


@pytest.mark.parametrize("n", [3, 600, 3000])
def test_without_labels_there_is_one_colour(n):
    places = np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)
    picture = read(draw_map(places, [], "Map <b>&"))
    assert count(picture, colours(1)[0]) > 50
    assert count(picture, colours(2)[1]) == 0


def test_one_place_for_all_is_drawn_too():
    assert count(read(draw_map(np.ones((4, 2), np.float32), ["a"] * 4, "Map")), colours(1)[0]) > 20


def test_colours_differ():
    found = colours(40)
    assert len(set(found)) == 40
    assert UNLABELLED not in found
    assert by_size(["b", "a", "b", "", "c"]) == [("b", 2), ("a", 1), ("c", 1)]
