"""The value itself: what it refuses, what it says."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.errors import UsageError
from fetalclip.result import Attribution


def made(heat: np.ndarray, against: tuple[str, ...] = ("femur",)) -> Attribution:
    return Attribution(heat, "hires-cam", "brain", against, 1.5, 0.3)


def test_it_says_where_and_how_much():
    heat = np.zeros((4, 6), np.float32)
    heat[1, 4], heat[0, 0] = 1.0, 0.5
    found = made(heat)
    assert found.peak == (4, 1)
    mask = np.zeros((4, 6), bool)
    mask[1] = True
    assert found.inside(mask) == pytest.approx(2 / 3)
    told = found.to_dict()
    assert (told["peak"], told["quantity"], told["against"]) == ([4, 1], "log-odds", ["femur"])
    assert "map" not in told
    heat[1, 4] = 0
    assert found.map[1, 4] == 1.0  # its own copy
    assert not found.map.flags.writeable


def test_an_empty_map_has_no_peak():
    found = made(np.zeros((2, 2), np.float32), ())
    assert found.empty
    assert found.peak is None
    assert found.quantity == "cosine"
    assert found.inside(np.ones((2, 2), bool)) == 0
    with pytest.raises(UsageError, match="shape"):
        found.inside(np.ones((3, 2), bool))


@pytest.mark.parametrize(
    "heat",
    [
        np.zeros((2, 2)),
        np.zeros(4, np.float32),
        np.zeros((0, 2), np.float32),
        np.full((2, 2), np.nan, np.float32),
        np.full((2, 2), -0.1, np.float32),
        np.full((2, 2), 1.1, np.float32),
    ],
)
def test_what_is_no_map(heat):
    with pytest.raises(UsageError, match="map"):
        made(heat)
