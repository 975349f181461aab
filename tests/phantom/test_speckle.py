"""Speckle of the simulated planes: Rayleigh before compression, log-compressed after, and in the right place."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.phantom.sector import Sector, place
from fetalclip.phantom.speckle import Spread, blur, clutter, compress, envelope, spread, taps

RAYLEIGH = np.sqrt(np.pi / (4 - np.pi))  # mean over standard deviation, 1.913


@pytest.mark.parametrize("psf", [Spread(0.8, 1.2), Spread(1.5, 2.5, defocus=1.0)])
def test_speckle_is_rayleigh_before_compression(psf: Spread) -> None:
    flat = np.ones((600, 500), dtype=np.float32)
    seen = envelope(np.random.default_rng(1), flat, None, psf)
    middle = seen[250:350, 20:-20]  # in focus
    assert middle.mean() / middle.std() == pytest.approx(RAYLEIGH, rel=0.06)
    assert np.sqrt((middle**2).mean()) == pytest.approx(1.0, rel=0.06)
    # Rayleigh: median over root mean square is sqrt(ln 2)
    assert np.median(middle) / np.sqrt((middle**2).mean()) == pytest.approx(np.sqrt(np.log(2)), rel=0.05)


def test_a_mirror_like_echo_has_no_speckle() -> None:
    flat = np.full((80, 80), 3.0, dtype=np.float32)
    seen = envelope(np.random.default_rng(1), flat, np.ones_like(flat), Spread(1.0, 2.0))
    assert seen.mean() == pytest.approx(3.0, rel=1e-3)
    assert seen.std() < 1e-3


def test_the_beam_is_wider_away_from_the_focus() -> None:
    point = np.zeros((101, 81), dtype=np.float32)
    point[[10, 50], 40] = 1.0
    seen = spread(point, Spread(0.0, 1.5, defocus=2.5, focus=0.5), power=False)
    assert seen[50].max() > 1.3 * seen[10].max()
    assert seen[50].sum() == pytest.approx(seen[10].sum(), rel=0.02)


def test_grains_are_as_long_as_the_point_spread() -> None:
    flat = np.ones((300, 300), dtype=np.float32)
    seen = envelope(np.random.default_rng(3), flat, None, Spread(1.0, 3.0, defocus=1.0))
    seen = seen - seen.mean()
    beside = (seen[:, 2:] * seen[:, :-2]).mean() / seen.var()
    below = (seen[2:] * seen[:-2]).mean() / seen.var()
    assert beside > 0.6 > 0.35 > below


def test_taps_and_blur_keep_the_mean() -> None:
    assert taps(0.1).tolist() == [1.0]
    assert taps(2.0).sum() == pytest.approx(1.0)
    field = np.random.default_rng(0).random((40, 30)).astype(np.float32)
    assert blur(np.full_like(field, 2.0), taps(1.5), 0) == pytest.approx(2.0)
    assert blur(field, taps(2.0), 1).std() < 0.6 * field.std()


def test_compression_is_logarithmic_and_bounded() -> None:
    levels = compress(np.array([[1e-6, 0.1, 1.0, 1e6]], dtype=np.float32), 0.0, 50.0)[0]
    assert levels[0] == 0
    assert levels[-1] == 255
    assert 0 < levels[1] < levels[2] < 150
    ten_up = compress(np.array([[1.0]], dtype=np.float32), 20.0, 50.0)
    assert ten_up == pytest.approx(compress(np.array([[10.0]], dtype=np.float32), 0.0, 50.0), abs=0.1)


def test_clutter_is_haze_near_bright_places() -> None:
    amplitude = np.full((160, 240), 0.01, dtype=np.float32)
    amplitude[60:80, 100:140] = 10.0
    haze = clutter(amplitude, -20.0, -40.0)
    assert haze[70, 120] > 10 * haze[150, 10]
    assert haze.min() >= 0.01


@pytest.mark.parametrize("style", ["fan", "zoom", "frame"])
def test_a_sector_covers_much_of_the_frame_and_converts_a_ramp(style: str) -> None:
    for seed in range(8):
        s = place(np.random.default_rng(seed), style, (240, 170), 0.5)
        assert s.inside.mean() > (0.35 if style == "fan" else 0.6)
        depths, beams = s.shape
        ramp = np.repeat(np.linspace(1, 2, depths, dtype=np.float32)[:, None], beams, axis=1)
        seen = s.convert(ramp)
        assert seen.shape == (170, 240)
        assert (seen[~s.inside] == 0).all()
        assert 0.999 < seen[s.inside].min() < seen[s.inside].max() < 2.001


def test_points_and_pixels_agree() -> None:
    s = Sector(200, 150, 0.4, (40.0, -50.0), 30.0, 140.0, 0.6, 60.0)
    at = np.array([[30.0, 25.0]])  # mm
    column, row = s.to_grid(at)[0]
    grid = np.zeros(s.shape, dtype=np.float32)
    grid[round(row) - 1 : round(row) + 2, round(column) - 1 : round(column) + 2] = 1.0
    y, x = np.unravel_index(int(s.convert(grid).argmax()), (150, 200))
    assert ((np.array([x, y]) + 0.5) * 0.4) == pytest.approx(at[0], abs=1.0)
    assert s.cosine(at, np.array([[0.0, 1.0]]))[0] > 0.9
    assert s.cosine(at, np.array([[1.0, 0.0]]))[0] < 0.2
