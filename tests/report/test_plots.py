"""Plots of the benchmark: every mark is where its number says."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

from fetalclip.report.axes import HEIGHT, PAPER, TEAL, WIDTH, Axes, ticks
from fetalclip.report.plots import draw_differences, draw_risk_coverage


def png(drawn: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(drawn)) as picture:
        return np.asarray(picture.convert("RGB"))


def told(estimate: list[float], truth: list[float]) -> dict:
    off = np.array(estimate) - np.array(truth)
    bias, sd = float(off.mean()), float(off.std(ddof=1)) if len(off) > 1 else None
    ends = {"bias": bias, "low": None if sd is None else bias - 2 * sd, "high": None if sd is None else bias + 2 * sd}
    around = {
        name: {
            "value": value,
            "low": None if value is None else value - 1,
            "high": None if value is None else value + 1,
        }
        for name, value in ends.items()
    }
    return {"estimate": estimate, "truth": truth, **around}


def test_numbers_lie_where_the_axes_say() -> None:
    axes = Axes.open("svg", (0.0, 10.0), (0.0, 1.0))
    left, foot = axes.at(0, 0)
    right, top = axes.at(10, 1)
    assert axes.at(5, 0.5) == ((left + right) / 2, (foot + top) / 2)
    assert 0 < left < right < WIDTH
    assert 0 < top < foot < HEIGHT
    flat = Axes.open("svg", (3.0, 3.0), (0.0, 0.0))  # one number only
    assert flat.at(3, 0) == ((left + right) / 2, (foot + top) / 2)
    assert list(ticks(0, 1)) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert 4 <= len(list(ticks(-37, 54))) <= 10


def test_a_difference_stands_at_mean_and_gap() -> None:
    both = told([100.0, 160.0, 230.0], [90.0, 170.0, 210.0])
    drawn = draw_differences(both, "t", kind="svg").decode()
    dots = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawn)
    assert len(dots) == 3
    (x0, y0), (x1, y1), (x2, y2) = ((float(x), float(y)) for x, y in dots)
    assert (x1 - x0) / (x2 - x0) == pytest.approx((165 - 95) / (220 - 95), abs=0.01)  # means 95, 165, 220
    assert (y0 - y1) / (y2 - y1) == pytest.approx((10 + 10) / (20 + 10), abs=0.01)  # gaps 10, -10, 20
    for number in ("+6.7", "+37.2", "-23.9"):  # bias and limits are written at the side
        assert number in drawn
    assert tuple(png(draw_differences(both, "t", kind="png"))[round(y0), round(x0)]) == TEAL


def test_a_curve_ends_at_the_share_of_all_wrong_answers() -> None:
    points = [{"coverage": 0.25, "risk": 0.0}, {"coverage": 0.5, "risk": 0.1}, {"coverage": 1.0, "risk": 0.3}]
    drawn = draw_risk_coverage(points, "t", "f", "svg").decode()
    assert "all: 0.300" in drawn
    assert 'stroke-dasharray="7 5"' in drawn
    assert len(re.findall("<circle", drawn)) == 1


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_any_numbers_and_titles_hold(kind: str) -> None:
    for title in ("", "a very long name " * 30, "\x1b[31m<b>\nname"):
        for drawn in (
            draw_risk_coverage([], title, title, kind),
            draw_risk_coverage([{"coverage": 1.0, "risk": 0.0}], title, title, kind),
            draw_differences(told([140.0], [140.0]), title, title, kind),
        ):
            if kind == "svg":
                assert b"<b>" not in drawn
                assert b"\x1b" not in drawn
            else:
                picture = png(drawn)
                assert picture.shape == (HEIGHT, WIDTH, 3)
                for edge in (picture[:4], picture[-4:], picture[:, :4], picture[:, -4:]):
                    assert (edge == PAPER).all()
