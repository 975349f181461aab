"""Planted faults: each is there, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.errors import UsageError
from fetalclip.phantom import PLANES
from fetalclip.phantom.faults import FAULTS, FILLING, sound, spoil

EVERY = [(fault, plane) for fault, one in FAULTS.items() for plane in one.planes]


@pytest.mark.parametrize("plane", PLANES)
def test_a_sound_view_is_whole(plane: str) -> None:
    for seed in range(4):
        view = sound(plane, seed, "test")
        mask = view.masks[FILLING[plane]]
        assert view.sector is not None
        assert view.sector.shape == mask.shape == view.frame.gray.shape
        assert not (mask & ~view.sector).any()


@pytest.mark.parametrize(("fault", "plane"), EVERY)
def test_a_fault_is_seeded_and_changes_the_picture(fault: str, plane: str) -> None:
    one, again, other = spoil(fault, plane, 3), spoil(fault, plane, 3), sound(plane, 3)
    assert np.array_equal(one.frame.pixels, again.frame.pixels)
    assert one.frame.gray.shape == one.masks[FILLING[plane]].shape
    same = one.frame.pixels.shape == other.frame.pixels.shape
    assert not (same and np.array_equal(one.frame.pixels, other.frame.pixels))


def test_gain_moves_the_grey_levels() -> None:
    plain = float(sound("brain", 1).frame.gray.mean())
    assert float(spoil("gain low", "brain", 1).frame.gray.mean()) < 0.5 * plain
    assert float(spoil("gain high", "brain", 1).frame.gray.mean()) > 1.5 * plain


def test_a_shadow_only_darkens_and_only_a_part() -> None:
    plain, shaded = sound("abdomen", 2), spoil("shadow", "abdomen", 2)
    change = shaded.frame.gray.astype(int) - plain.frame.gray
    assert change.max() <= 1  # rounding
    assert 0.05 < float((change < 0).mean()) < 0.6


def test_an_oblique_plane_leaves_the_skull() -> None:
    plain, moved = sound("brain", 4), spoil("midline", "brain", 4)
    outside = ~plain.masks["head"]
    assert np.array_equal(plain.frame.gray[outside], moved.frame.gray[outside])


def test_an_edge_cuts_the_structure() -> None:
    whole, cut = sound("thorax", 5), spoil("edge", "thorax", 5)
    assert cut.sector is not None
    left = int((cut.masks["thorax"] & cut.sector).sum())
    assert left < 0.95 * int(whole.masks["thorax"].sum())


def test_wrong_calls_say_what_there_is() -> None:
    with pytest.raises(UsageError, match="unknown fault"):
        spoil("blur", "brain", 0)
    with pytest.raises(UsageError, match="midline"):
        spoil("midline", "femur", 0)
    with pytest.raises(UsageError, match="unknown profile"):
        sound("brain", 0, "real")
    with pytest.raises(UsageError, match="negative"):
        spoil("shadow", "brain", -1)
