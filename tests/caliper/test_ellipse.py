"""The ellipse fit: exact, robust, and the same after any change of scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetalclip.caliper.ellipse import Ellipse, fit_ellipse, robust_ellipse


def ellipse(long: float, short: float, radians: float, centre: tuple[float, float]) -> Ellipse:
    c, s = np.cos(radians), np.sin(radians)
    return Ellipse(np.array(centre), np.array([[c, -s], [s, c]]) @ np.diag([long / 2, short / 2]))


@settings(max_examples=60, deadline=None)
@given(st.floats(20, 400), st.floats(0.3, 0.99), st.floats(0, 3.1), st.floats(-1e3, 1e3), st.floats(0.05, 20.0))
def test_points_of_an_ellipse_give_it_back(long: float, ratio: float, turn: float, at: float, scale: float) -> None:
    true = ellipse(long, ratio * long, turn, (at, -at)).scaled((scale, 1.0))
    found = fit_ellipse(true.outline(40))
    assert found is not None
    assert found.axes == pytest.approx(true.axes, rel=1e-5)
    assert found.centre == pytest.approx(true.centre, abs=1e-5 * true.axes[0])


@pytest.mark.parametrize("spoilt", [0.1, 0.25, 0.35])
def test_outliers_are_left_out(spoilt: float) -> None:
    rng = np.random.default_rng(2)
    true = ellipse(220, 170, 0.4, (150, 140))
    points = true.outline(1200) + rng.normal(0, 0.3, (1200, 2))
    bad = slice(100, 100 + round(spoilt * 1200))
    points[bad] = true.centre + (points[bad] - true.centre) * rng.uniform(0.75, 0.9, (bad.stop - bad.start, 1))
    plain, robust = fit_ellipse(points), robust_ellipse(points, (1.0, 1.0))
    assert plain is not None
    assert robust is not None
    assert abs(plain.axes[1] / 170 - 1) + abs(plain.axes[0] / 220 - 1) > 0.01
    assert robust[0].axes == pytest.approx((220, 170), rel=2e-3)
    assert robust[1][bad].max() < -4  # they lie inside


def test_noise_does_not_make_it_smaller() -> None:
    rng = np.random.default_rng(3)
    true = ellipse(220, 170, 0.4, (150, 140))
    sizes = []
    for _ in range(40):
        found = robust_ellipse(true.outline(700) + rng.normal(0, 3.0, (700, 2)), (1.0, 1.0))
        assert found is not None
        sizes.append(found[0].axes)
    assert np.mean(sizes, axis=0) == pytest.approx((220, 170), rel=2e-3)


def test_shrinking_and_scaling() -> None:
    one = ellipse(100, 60, 0.7, (5, 6))
    assert one.shrunk(2.0) is not None
    assert one.shrunk(2.0).axes == pytest.approx((96, 56))  # type: ignore[union-attr]
    assert one.shrunk(30.0) is None
    assert one.scaled((2.0, 2.0)).axes == pytest.approx((200, 120))
    ends = one.diameter(short=True)
    assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(60)
    assert one.level(one.outline()) == pytest.approx(np.ones(72))


@pytest.mark.parametrize("points", [np.zeros((30, 2)), np.stack([np.arange(30.0)] * 2, 1), np.zeros((3, 2))])
def test_what_makes_no_ellipse(points: np.ndarray) -> None:
    found = fit_ellipse(points)
    assert found is None or min(found.axes) < 1e-3
