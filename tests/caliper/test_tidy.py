"""Tidied masks: an ellipse where one fits, untouched where none does."""

from __future__ import annotations

import numpy as np

from fetalclip.caliper import as_ellipse

SHAPE = (180, 240)


def ellipse(a: float, b: float) -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return ((x - 120.3) / a) ** 2 + ((y - 90.6) / b) ** 2 <= 1


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_an_ellipse_stays_one():
    true = ellipse(80, 60)
    assert dice(as_ellipse(true, "head"), true) > 0.998


def test_a_dent_is_closed():
    true = ellipse(80, 60)
    bitten = true.copy()
    bitten[:48, 105:160] = False  # a part of the edge that was not seen
    assert dice(bitten, true) < 0.98
    assert dice(as_ellipse(bitten, "head"), true) > 0.99


def test_what_is_no_ellipse_stays_as_it_is():
    two = ellipse(80, 60)
    two[:, 110:130] = False  # two pieces
    for mask in (np.zeros(SHAPE, bool), two):
        assert as_ellipse(mask, "head") is mask
    thin = ellipse(100, 12)
    assert as_ellipse(thin, "head") is thin
