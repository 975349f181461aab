"""The reliability diagram: every point is where its numbers say."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fetalclip.metrics import ReliabilityBin, reliability_curve
from fetalclip.report import reliability
from fetalclip.report.reliability import SIDE, draw_reliability


def point(confidence: float, accuracy: float, n: int = 10) -> ReliabilityBin:
    low = np.floor(confidence * 15) / 15
    around = max(0.0, accuracy - 0.1), min(1.0, accuracy + 0.1)
    return ReliabilityBin(low, low + 1 / 15, confidence, accuracy, n, *around)


def colour(picture: Image.Image, across: float, up: float) -> tuple[int, ...]:
    at = round(reliability._across(across)), round(reliability._up(up))
    return picture.getpixel(at)


@pytest.mark.parametrize(("confidence", "accuracy"), [(0.5, 0.5), (0.93, 0.4), (0.41, 0.85)])
def test_a_point_stands_at_its_confidence_and_accuracy(confidence: float, accuracy: float) -> None:
    empty, drawn = draw_reliability([], "t"), draw_reliability([point(confidence, accuracy)], "t")
    assert colour(drawn, confidence, accuracy) == reliability._TEAL
    assert colour(empty, confidence, accuracy) != reliability._TEAL
    assert colour(drawn, confidence, accuracy + 0.08) == reliability._WASH  # its interval
    assert colour(drawn, confidence, accuracy + 0.14) == colour(empty, confidence, accuracy + 0.14)


def test_counts_are_bars_of_their_height() -> None:
    drawn = np.asarray(draw_reliability([point(0.5, 0.5, 5), point(0.9, 0.9, 20)], "t"))
    strip = drawn[reliability._BARS_TOP : reliability._BARS_BOTTOM]
    heights = [
        int((strip[:, round(reliability._across(share))] == reliability._WASH).all(axis=1).sum())
        for share in (7.2 / 15, 13.2 / 15, 3.5 / 15)
    ]
    assert heights[2] == 0
    assert heights[1] == pytest.approx(4 * heights[0], abs=5)


def test_the_size_and_the_edges_hold_for_any_title() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0, 1, 200)
    points = reliability_curve(p, rng.random(200) < p)
    for title in ("", "Sub-planes", "a very long name " * 30, "\x1b[31m\nname"):
        drawn = draw_reliability(points, title, title)
        assert (drawn.size, drawn.mode) == ((SIDE, SIDE), "RGB")
        edge = np.asarray(drawn)
        for rows in (edge[:4], edge[-4:], edge[:, :4], edge[:, -4:]):
            assert (rows == 255).all()
