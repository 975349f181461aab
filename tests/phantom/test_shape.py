"""Outlines and the pixels inside them."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.phantom.canvas import oval
from fetalclip.phantom.shape import area, around, ends, hull, inside, longest, within


def test_a_mask_has_the_area_and_the_centre_of_its_outline() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = rng.uniform(20, 30, 2)
        outline = oval((x, y), rng.uniform(8, 20), rng.uniform(5, 12), rng.uniform(0, 3))
        mm = tuple(rng.uniform(0.1, 0.3, 2))
        mask = inside((outline,), (600, 600), mm)
        assert mask.sum() * mm[0] * mm[1] == pytest.approx(area(outline), rel=0.006)
        rows, columns = np.nonzero(mask)
        assert (columns.mean() + 0.5) * mm[0] == pytest.approx(x, abs=0.2 * mm[0])
        assert (rows.mean() + 0.5) * mm[1] == pytest.approx(y, abs=0.2 * mm[1])


def test_a_pixel_counts_when_its_centre_is_inside() -> None:
    square = np.array([[1.4, 0.6], [3.4, 0.6], [3.4, 2.4], [1.4, 2.4]])
    expected = np.zeros((4, 5), dtype=bool)
    expected[1:2, 1:3] = True  # centres at 1.5, 2.5 and at 1.5
    assert np.array_equal(inside((square,), (5, 4), (1.0, 1.0)), expected)
    assert np.array_equal(inside((square[::-1],), (5, 4), (1.0, 1.0)), expected)


def test_what_overlaps_itself_or_another_is_inside_and_what_is_cut_off_is_absent() -> None:
    one, other = oval((5, 5), 6, 6), oval((7, 5), 6, 6)
    both = inside((one, other), (12, 10), (1.0, 1.0))
    assert np.array_equal(both, inside((one,), (12, 10), (1.0, 1.0)) | inside((other,), (12, 10), (1.0, 1.0)))
    twice = np.concatenate([one, one])
    assert np.array_equal(inside((twice,), (12, 10), (1.0, 1.0)), inside((one,), (12, 10), (1.0, 1.0)))
    assert not inside((one + 40.0,), (12, 10), (1.0, 1.0)).any()
    whole = inside((oval((5, 5), 30, 30),), (10, 10), (1.0, 1.0))
    assert whole.all()
    assert not inside((np.zeros((0, 2)),), (10, 10), (1.0, 1.0)).any()


def test_measures_of_an_outline() -> None:
    square = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [0.0, 4.0]])
    assert area(square) == area(square[::-1]) == 12
    assert around(square) == 14
    (x0, y0), (x1, y1) = longest(square)
    assert np.hypot(x1 - x0, y1 - y0) == 5
    (x0, y0), (x1, y1) = ends((1.0, 2.0), 4.0, np.pi / 2)
    assert (x0, y0, x1, y1) == pytest.approx((1, 0, 1, 4))
    dotted = np.concatenate([square, [[1.0, 1.0], [2.0, 3.0], [1.5, 0.0]]])
    assert sorted(map(tuple, hull(dotted))) == sorted(map(tuple, square))


def test_what_lies_beyond_a_border_is_drawn_in_to_it() -> None:
    border = oval((5, 5), 6, 6)
    far, near = oval((7, 5), 4, 2), oval((5, 5), 2, 2)
    assert np.array_equal(within(near, border, (5.0, 5.0)), near)
    kept = within(far, border, (5.0, 5.0))
    reach = np.hypot(*(kept - 5.0).T)
    assert reach.max() <= 3 + 1e-9
    assert np.allclose(kept[reach < 2.9], far[reach < 2.9])
