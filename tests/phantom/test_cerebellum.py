"""The trans-cerebellar view: a picture of its own with the cerebellum, the cisterna and the cavum where they belong."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.errors import UsageError
from fetalclip.phantom import PROFILES, SUBPLANES, draw, resample

HIND = "trans-cerebellum"


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_cerebellum_and_cisterna_lie_behind_and_the_cavum_before(profile: str) -> None:
    for seed in range(4):
        drawn = draw("brain", seed, profile, subplane=HIND)
        assert drawn.subplane == HIND
        assert set(drawn.masks) == {"head", "brain", "cavum septi pellucidi", "cerebellum", "cisterna magna"}
        assert all(mask.any() for mask in drawn.masks.values())
        assert not (drawn.masks["cerebellum"] & ~drawn.masks["brain"]).any()
        middle = {name: np.argwhere(mask).mean(axis=0) for name, mask in drawn.masks.items()}
        brow = middle["cavum septi pellucidi"] - middle["brain"]
        assert (middle["cerebellum"] - middle["brain"]) @ brow < 0
        assert (middle["cisterna magna"] - middle["cerebellum"]) @ brow < 0
        gray = drawn.frame.pixels.astype(float)
        fluid = drawn.masks["cisterna magna"] & ~drawn.masks["cerebellum"]
        assert gray[fluid].mean() < gray[drawn.masks["cerebellum"]].mean()


def test_the_transcerebellar_diameter() -> None:
    for seed in range(6):
        drawn = draw("brain", seed, "train", subplane=HIND)
        (x0, y0), (x1, y1) = drawn.calipers["TCD"]
        assert drawn.frame.mm_per_pixel is not None
        assert np.hypot(x1 - x0, y1 - y0) * drawn.frame.mm_per_pixel[0] == pytest.approx(drawn.truth["tcd_mm"])
        assert 0.4 < drawn.truth["tcd_mm"] / drawn.truth["bpd_mm"] < 0.58


def test_it_is_a_picture_of_its_own_and_always_the_same() -> None:
    one, again = draw("brain", 3, subplane=HIND), draw("brain", 3, subplane=HIND)
    assert np.array_equal(one.frame.pixels, again.frame.pixels)
    plain = draw("brain", 3)
    assert plain.subplane == SUBPLANES[0]
    assert one.truth["weeks"] != plain.truth["weeks"]
    assert np.array_equal(plain.frame.pixels, draw("brain", 3, subplane=SUBPLANES[0]).frame.pixels)
    assert draw("femur", 3).subplane == ""


def test_another_spacing_keeps_the_sub_plane() -> None:
    drawn = draw("brain", 1, subplane=HIND)
    wide = resample(drawn, (0.3, 0.2))
    assert wide.subplane == HIND
    assert set(wide.masks) == set(drawn.masks)


@pytest.mark.parametrize(("plane", "subplane"), [("femur", HIND), ("brain", "trans-orbital")])
def test_a_wrong_sub_plane_is_told_what_there_is(plane: str, subplane: str) -> None:
    with pytest.raises(UsageError, match="sub-plane"):
        draw(plane, 0, subplane=subplane)
