"""Speckle of the clips: Rayleigh before compression, wider with depth, moving with the tissue, slowly changing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fetalclip.phantom.hearts import draw_heart
from fetalclip.phantom.hearts.machine import Display, State
from fetalclip.phantom.hearts.render import PointSpread, Renderer
from fetalclip.phantom.hearts.warp import Paths

RAYLEIGH = np.sqrt(np.pi / (4 - np.pi))  # mean over standard deviation, 1.913
DISPLAY = Display(1.0, 1.6, 1.0, 0.5, haze=-30, floor=-60, rise=0, gain=5, dynamic=50, smooth=0)


def a_renderer() -> Renderer:
    return draw_heart(2, "demo", frames=1)._renderer


def in_plain_tissue() -> Renderer:
    """A renderer whose picture holds nothing but tissue of one strength."""
    renderer = a_renderer()
    renderer._still = [np.zeros_like(field) for field in renderer._still]
    renderer._draw_leaflets = lambda *_: None  # type: ignore[method-assign]
    renderer._gain = np.zeros_like(renderer._gain)
    return renderer


def still(**change: object) -> State:
    at = State(0.0, 0.0, 0.0, 0.0, shift=(0.0, 0.0), turned=0.0, plane=0.0, noise=(0, 0))
    return replace(at, **change)  # type: ignore[arg-type]


def alike(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@pytest.mark.parametrize("lateral", [0.9, 1.6, 2.5])
def test_speckle_is_rayleigh_before_compression(lateral: float) -> None:
    spread = PointSpread(replace(DISPLAY, lateral=lateral), 500)
    seen = spread(spread.scatterers(np.random.default_rng(1), (500, 400)))[20:-20, 20:-20]
    assert seen.mean() / seen.std() == pytest.approx(RAYLEIGH, rel=0.03)
    assert (seen**2).mean() == pytest.approx(1.0, rel=0.06)
    assert np.median(seen) / np.sqrt((seen**2).mean()) == pytest.approx(np.sqrt(np.log(2)), rel=0.03)


def test_a_frame_of_plain_tissue_is_rayleigh_moved_or_not() -> None:
    renderer = in_plain_tissue()
    renderer.display = replace(renderer.display, haze=-60, floor=-60)
    renderer._floor = renderer._floor * 0
    mm = renderer.scene.sector.mm
    power = []
    for state in (still(), still(shift=(0.5 * mm, 0.4 * mm), contraction=0.6, turned=0.01)):
        seen = renderer.envelope(state)[15:-15, 15:-15]
        assert seen.mean() / seen.std() == pytest.approx(RAYLEIGH, rel=0.05)
        power.append((seen**2).mean())
    assert power[1] / power[0] > 0.75  # a look-up between samples smooths: under 1.3 dB


def test_speckle_is_wider_the_deeper() -> None:
    renderer = a_renderer()
    spread, sector = PointSpread(DISPLAY, 400), renderer.scene.sector
    field = spread(spread.scatterers(np.random.default_rng(3), (400, 800)))
    field = field - field.mean()

    def width(rows: slice, far: float) -> float:
        """Lateral distance in mm over which the correlation falls to a half."""
        part = field[rows]
        fall = [(part[:, k:] * part[:, : part.shape[1] - k]).mean() / part.var() for k in range(8)]
        return float(np.interp(0.5, fall[::-1], np.arange(8)[::-1])) * far / renderer.scene.sector.shape[1]

    assert width(slice(300, 400), sector.far) > 1.15 * width(slice(0, 100), sector.near)


def test_speckle_moves_with_the_tissue() -> None:
    renderer = in_plain_tissue()
    mm = renderer.scene.sector.mm
    before = renderer.picture(still()).astype(float)
    after = renderer.picture(still(shift=(6 * mm, 0.0), noise=(5, 9))).astype(float)
    part = slice(120, 180), slice(60, 150)
    carried = before[part[0], slice(part[1].start - 6, part[1].stop - 6)]
    assert alike(carried, after[part]) > 0.7
    assert abs(alike(before[part], after[part])) < 0.25


def test_speckle_changes_slowly_out_of_the_plane() -> None:
    renderer = in_plain_tissue()
    part = slice(120, 180), slice(60, 150)
    start, near, far = (renderer.picture(still(plane=p)).astype(float)[part] for p in (0.0, 0.2, np.pi / 2))
    assert alike(start, near) > 0.85
    assert abs(alike(start, far)) < 0.25


def test_tissue_is_looked_up_where_it_lay() -> None:
    """Against the slow way: outlines moved forward, then looked up, land on their resting places."""
    renderer = a_renderer()
    scene, state = renderer.scene, still(contraction=0.8, kick=0.2, shift=(0.7, -0.4), turned=0.02)
    paths = Paths(scene)
    table = renderer.motion.inverse(state.contraction, state.kick)
    row, column = paths(table, state.shift, state.turned)
    rest = 0.7 * renderer.heart.outline
    now = np.rint(scene.sector.to_grid(renderer.to_picture(rest, state))).astype(int)  # to whole samples
    expected = scene.sector.to_grid(scene.to_picture(rest))
    found = np.stack([column[now[:, 1], now[:, 0]], row[now[:, 1], now[:, 0]]], axis=1)
    assert np.abs(found - expected).max() < 1.6  # samples; rounding, and walls stretched up to twofold
    assert np.abs(found - expected).mean() < 0.5


def test_bone_casts_a_shadow() -> None:
    renderer = a_renderer()
    shadow = renderer.echoes(still())[2]
    assert (np.diff(shadow.max(axis=1)) > -1.0).all()
    assert shadow.max() > 3.0
