"""The heart's deformation: it can be undone, folds nowhere, and ejects what it should."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.phantom.hearts.anatomy import FourChambers, volume
from fetalclip.phantom.hearts.tissue import REACH, Motion
from fetalclip.phantom.hearts.warp import Corner


@pytest.mark.parametrize("seed", range(3))
def test_the_left_ventricle_ejects_what_it_should(seed: int) -> None:
    heart = FourChambers.new(np.random.default_rng(seed))
    motion = Motion.of(heart, 0.7)
    lv = heart.chambers["LV"]
    assert 1 - volume(motion.forward(lv, 1.0, 0.0)) / volume(lv) == pytest.approx(0.7, abs=1e-3)
    assert motion.forward(lv, 0.0, 0.0) == pytest.approx(lv)


@pytest.mark.parametrize(("contraction", "kick"), [(1.0, 0.0), (0.5, 0.5), (0.05, 1.0)])
def test_tissue_is_found_where_it_lay_at_rest(contraction: float, kick: float) -> None:
    motion = Motion.of(FourChambers.new(np.random.default_rng(5)), 0.76)
    rest = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    moved = motion.forward(rest, contraction, kick)
    table = motion.inverse(contraction, kick)
    cells = len(table)
    spot = ((moved + REACH) * (cells - 1) / (2 * REACH)).astype(np.float32)
    corner = Corner(spot[:, 0], spot[:, 1], (cells, cells))
    found = moved + np.stack([corner.look(table[..., k].ravel()) for k in (0, 1)], axis=1)
    off = np.hypot(*(found - rest).T)
    assert np.hypot(*(moved - rest).T).max() > 0.04
    assert off.mean() < 0.005  # heart units, about 0.06 mm
    assert off.max() < 0.05


def test_the_deformation_does_not_fold() -> None:
    motion = Motion.of(FourChambers.new(np.random.default_rng(6)), 0.76)
    line = np.linspace(-1.4, 1.4, 120)
    at = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1)
    for state in ((1.0, 0.0), (0.3, 1.0)):
        moved = motion.forward(at.reshape(-1, 2), *state).reshape(at.shape)
        a, b = np.diff(moved, axis=0)[:, :-1], np.diff(moved, axis=1)[:-1]
        assert (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).min() > 0


def test_far_tissue_stays() -> None:
    motion = Motion.of(FourChambers.new(np.random.default_rng(7)), 0.7)
    ring = 2.2 * np.stack([np.cos(np.arange(9)), np.sin(np.arange(9))], axis=1)
    assert np.abs(motion.displacement(ring, 1.0, 1.0)).max() < 1e-9
