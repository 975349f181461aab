"""A clip: the same call gives the same pictures, masks lie where the picture shows them, truth is what was drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fetalclip.frame
from fetalclip.errors import UsageError
from fetalclip.phantom.hearts import HEART_PROFILES, STRUCTURES, VIEWS, HeartClip, draw_heart


@pytest.fixture(scope="module")
def clip() -> HeartClip:
    return draw_heart(3, "demo", frames=24, view="apical")


def middle(mask: Any) -> Any:
    """(x, y) of a mask's middle."""
    return np.array(np.nonzero(mask))[::-1].mean(axis=1)


def test_a_clip_is_grey_pictures_with_time_masks_and_truth(clip: HeartClip) -> None:
    pictures = list(clip.pictures())
    assert len(pictures) == len(clip) == 24
    assert all(p.dtype == np.uint8 and p.shape == (224, 224) for p in pictures)
    assert clip.findings == {}
    assert np.diff(clip.seconds) == pytest.approx(1 / clip.rate)
    assert ((clip.cycle.phase >= 0) & (clip.cycle.phase < 1)).all()
    assert 120 <= clip.truth["heart_rate_bpm"] <= 160
    assert 0.55 < clip.truth["ejection_fraction"] < 0.80
    assert 0.44 < clip.truth["ctr"] < 0.56
    assert 30 <= clip.truth["axis_degrees"] <= 60
    assert 0.1 < clip.mm_per_pixel[0] < 0.8


def test_frames_are_drawn_by_themselves_and_the_same_every_time(clip: HeartClip) -> None:
    again = draw_heart(3, "demo", frames=12, view="apical")
    assert np.array_equal(again.picture(7), clip.picture(7))
    assert np.array_equal(list(again.pictures())[7], again.picture(7))
    assert {k: v for k, v in again.truth.items() if k != "unevenness"} == {
        k: v for k, v in clip.truth.items() if k != "unevenness"
    }


def test_profiles_share_no_hearts() -> None:
    sizes = [draw_heart(seed, p, frames=1, size=64).truth["ctr"] for p in HEART_PROFILES for seed in range(3)]
    assert len(set(sizes)) == len(sizes)
    train, test = HEART_PROFILES["train"], HEART_PROFILES["test"]
    assert test.turn > train.turn
    for name in ("rate", "gain", "dynamic", "shade", "bone", "axial", "lateral"):  # wider nuisance
        (a, b), (c, d) = getattr(train, name), getattr(test, name)
        assert d - c > b - a


def test_masks_follow_the_beat(clip: HeartClip) -> None:
    contracted, filled = int(clip.cycle.contraction.argmax()), int(clip.cycle.contraction.argmin())
    small, large = clip.masks(contracted), clip.masks(filled)
    assert tuple(small) == STRUCTURES
    for name in ("LV", "RV"):  # ventricles empty while atria fill
        assert small[name].sum() < 0.75 * large[name].sum()
    for name in ("LA", "RA"):
        assert small[name].sum() > 1.1 * large[name].sum()

    def volume(mask: Any) -> float:  # by area and length; its length is that of the ellipse with its second moments
        return float(mask.sum() ** 2 / np.sqrt(np.linalg.eigvalsh(np.cov(np.array(np.nonzero(mask))))[1]))

    assert 1 - volume(small["LV"]) / volume(large["LV"]) == pytest.approx(clip.truth["ejection_fraction"], abs=0.09)
    assert large["heart"].sum() / large["thorax"].sum() == pytest.approx(clip.truth["ctr_area"], rel=0.12)


def test_masks_lie_on_the_picture(clip: HeartClip) -> None:
    for i in (0, 9, 17):
        picture, masks = clip.picture(i).astype(float), clip.masks(i)
        for name in ("LV", "RV", "LA", "RA", "aorta"):
            assert picture[masks[name]].mean() < 0.5 * picture[masks["septum"]].mean()
        assert picture[masks["spine"]].mean() > 1.3 * picture[masks["LV"]].mean()
        inner = masks["LV"] | masks["RV"] | masks["LA"] | masks["RA"] | masks["septum"]
        assert (inner & masks["heart"]).sum() > 0.97 * inner.sum()


def test_views_show_the_apex_where_they_say() -> None:
    for seed in range(4):
        for view in VIEWS:
            drawn = draw_heart(seed, "demo", frames=1, view=view)
            assert drawn.view == view
            masks = drawn.masks(0)
            x, y = middle(masks["LV"] | masks["RV"]) - middle(masks["LA"] | masks["RA"])
            assert (-y > abs(x)) == (view == "apical")
    assert {draw_heart(seed, frames=1, size=64).view for seed in range(8)} == set(VIEWS)


def test_the_tricuspid_valve_hangs_nearer_the_apex(clip: HeartClip) -> None:
    assert clip.truth["offset_mm"] > 0.5
    masks = clip.masks(int(clip.cycle.contraction.argmin()))
    apex = middle(masks["LV"] | masks["RV"]) - middle(masks["LA"] | masks["RA"])
    apex = apex / np.linalg.norm(apex)

    def lowest(name: str) -> float:
        return float((np.array(np.nonzero(masks[name]))[::-1].T @ apex).min())

    assert lowest("RV") > lowest("LV")


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"profile": "other"},
        {"finding": "other"},
        {"finding": "arrhythmia", "severity": 1.1},
        {"finding": {"arrhythmia": float("nan")}},
        {"finding": "rhabdomyoma", "profile": "train"},
        {"frames": 0},
        {"view": "side"},
        {"size": 20},
    ],
)
def test_wrong_arguments_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        draw_heart(**{"seed": 0, **wrong})


def test_a_frame_that_is_not_there_is_refused(clip: HeartClip) -> None:
    with pytest.raises(UsageError, match="frame 24"):
        clip.picture(24)
    with pytest.raises(UsageError):
        clip.masks(-1)


@pytest.mark.skipif(not hasattr(fetalclip.frame, "Cine"), reason="fetalclip.frame has no Cine yet")
def test_a_clip_is_a_cine(clip: HeartClip) -> None:
    cine = clip.cine()
    assert cine.rate == pytest.approx(clip.rate)
    shot = next(iter(cine))
    assert np.array_equal(shot.frame.gray, clip.picture(0))
