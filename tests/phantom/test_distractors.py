"""Distractors: the same seed gives the same pixels, the profiles differ, and the anatomy is really gone."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from fetalclip.errors import UsageError
from fetalclip.phantom.distractors import FAR, NEAR, far, near, outline

SMALL = (160, 120)
KINDS = [("far", kind) for kind in FAR] + [("near", kind) for kind in NEAR]


def plane(w=200, h=151):
    """A textured fan on black with a bright ring and, in a corner, a few characters' worth of white."""
    y, x = np.mgrid[:h, :w]
    fan = np.abs(x - w / 2) < 0.25 * w + 0.2 * y
    ring = np.abs(np.hypot((x - w / 2) / 45, (y - h / 2) / 35) - 1) < 0.08
    texture = np.random.default_rng(0).integers(40, 120, (h, w))
    gray = np.where(fan, np.where(ring, 240, texture), 0)
    gray[3:6, w - 12 : w - 2] = 255
    return gray.astype(np.uint8)


def draw(group, kind, seed, profile="test", size=SMALL):
    return far(kind, seed, profile, size) if group == "far" else near(kind, seed, None, profile, size)


@pytest.mark.parametrize(("group", "kind"), KINDS)
def test_every_kind_is_a_valid_frame_of_the_asked_size(group, kind):
    for seed in range(6):
        for profile in ("train", "test"):
            frame = draw(group, kind, seed, profile)
            assert (frame.width, frame.height) == SMALL
            assert frame.mm_per_pixel is None
            assert frame.info["drawn"] == kind


@pytest.mark.parametrize(("group", "kind"), KINDS)
def test_the_smallest_size_can_be_drawn(group, kind):
    for seed in range(12):
        assert draw(group, kind, seed, "train", (32, 32)).pixels.shape[:2] == (32, 32)
        assert draw(group, kind, seed, "test", (47, 32)).pixels.shape[:2] == (32, 47)


@pytest.mark.parametrize(("group", "kind"), KINDS)
def test_same_seed_same_pixels_other_seed_other_pixels(group, kind):
    first = [draw(group, kind, seed).pixels for seed in range(8)]
    again = [draw(group, kind, seed).pixels for seed in reversed(range(8))][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({a.tobytes() for a in first}) >= (3 if kind == "blank" else 8)


@pytest.mark.parametrize(("group", "kind"), [k for k in KINDS if k[1] != "blank"])
def test_the_profiles_never_share_a_picture(group, kind):
    train = {draw(group, kind, seed, "train").pixels.tobytes() for seed in range(8)}
    test = {draw(group, kind, seed, "test").pixels.tobytes() for seed in range(8)}
    assert not train & test


def test_pixels_do_not_depend_on_the_process():
    kinds = ("photograph", "text", "gradient")
    code = (
        "import hashlib, sys; from fetalclip.phantom.distractors import far\n"
        "h = hashlib.sha256()\n"
        "for k in sys.argv[1:]: h.update(far(k, 5, 'train', (96, 64)).pixels.tobytes())\n"
        "print(h.hexdigest())"
    )
    env = {**os.environ, "PYTHONHASHSEED": "77"}
    out = subprocess.run([sys.executable, "-c", code, *kinds], env=env, capture_output=True, text=True, check=True)
    here = hashlib.sha256()
    for kind in kinds:
        here.update(far(kind, 5, "train", (96, 64)).pixels.tobytes())
    assert out.stdout.strip() == here.hexdigest()


def test_drawn_sizes_vary_like_real_ones():
    sizes = [(f.width, f.height) for f in (far("blank", seed) for seed in range(60))]
    widths = [w for w, _ in sizes]
    assert min(widths) >= 300
    assert max(widths) <= 960
    assert max(widths) - min(widths) > 300
    assert all(1.0 <= w / h < 1.8 for w, h in sizes)


def test_grey_and_colour_both_occur():
    shapes = {far("photograph", seed, "test", SMALL).pixels.ndim for seed in range(12)}
    assert shapes == {2, 3}


def test_blank_is_blank_and_the_others_are_not():
    assert all(np.ptp(far("blank", seed, "test", SMALL).gray.astype(int)) < 60 for seed in range(20))
    for kind in ("photograph", "drawing", "text", "noise", "document", "radiograph"):
        assert all(far(kind, seed, "test", SMALL).gray.std() > 2 for seed in range(8)), kind


def test_overlay_alone_is_mostly_black():
    for seed in range(20):
        for profile in ("train", "test"):
            gray = far("overlay", seed, profile, (416, 288)).gray
            assert 0 < (gray > 40).mean() < 0.15


def test_speckle_ignores_the_plane_and_has_rayleigh_contrast():
    for seed in range(5):
        bare, given = (near("speckle", seed, g, "test", (256, 192)).pixels for g in (None, plane()))
        assert np.array_equal(bare, given)
        middle = bare[80:130, 100:160].astype(float)
        assert np.abs(np.diff(middle, axis=0)).mean() > 2  # grains, not a flat or a smooth field


@pytest.mark.parametrize("profile", ["train", "test"])
def test_blurring_takes_the_ring_away(profile):
    gray = plane()
    ring = np.abs(np.hypot((np.mgrid[:151, :200][1] - 100) / 45, (np.mgrid[:151, :200][0] - 75.5) / 35) - 1) < 0.08
    inside = np.hypot((np.mgrid[:151, :200][1] - 100) / 45, (np.mgrid[:151, :200][0] - 75.5) / 35) < 0.85
    before = gray[ring].mean() - gray[inside].mean()
    for seed in range(12):
        soft = near("blurred", seed, gray, profile).pixels
        assert soft.shape == gray.shape
        assert abs(soft[ring].mean() - soft[inside].mean()) < 0.25 * before


def test_blurring_without_speckle_removes_high_frequencies():
    gray = plane()

    def fine(pixels):
        core = pixels[40:110, 60:140].astype(float)
        return np.abs(np.diff(core, axis=1)).mean()

    ratios = [fine(near("blurred", seed, gray).pixels) / fine(gray) for seed in range(20)]
    assert sum(ratio < 0.1 for ratio in ratios) >= 5  # the smooth ones
    assert sum(ratio > 0.2 for ratio in ratios) >= 3  # those with speckle put back


def test_inverting_is_a_negative_and_twice_gives_the_picture_back():
    gray = plane()
    whole = 0
    for seed in range(20):
        once = near("inverted", seed, gray, "train").pixels
        sector = outline(gray)
        core = sector & (gray > 0)
        assert np.corrcoef(once[core], gray[core])[0, 1] < -0.999
        if once[75, 2] == 255:  # the border too
            whole += 1
            twice = near("inverted", seed, once, "train").pixels
            assert np.array_equal(twice, gray)
        else:
            assert np.array_equal(once[~sector], gray[~sector])
    assert 0 < whole < 20


@pytest.mark.parametrize("profile", ["train", "test"])
def test_shuffling_keeps_the_histogram_and_moves_every_patch(profile):
    gray = np.random.default_rng(1).integers(0, 256, (151, 200)).astype(np.uint8)
    for seed in range(10):
        moved = near("shuffled", seed, gray, profile).pixels
        assert np.array_equal(np.bincount(moved.ravel(), minlength=256), np.bincount(gray.ravel(), minlength=256))
        assert (moved[:144, :192] == gray[:144, :192]).mean() < 0.05  # chance alone is 1/256


def test_the_plane_given_is_left_alone():
    gray = plane()
    copy = gray.copy()
    for kind in NEAR:
        near(kind, 3, gray)
    assert np.array_equal(gray, copy)


def test_outline_is_the_fan_without_the_corner_text():
    gray = plane()
    fan = gray.copy() > 0
    fan[3:6, 188:198] = False
    found = outline(gray)
    assert (found & fan).sum() / (found | fan).sum() > 0.93
    assert not found[4, 193]
    assert outline(np.zeros((60, 80), dtype=np.uint8)).all()


@pytest.mark.parametrize("call", [far, lambda kind, seed: near(kind, seed, None)])
def test_unknown_kind_lists_the_kinds(call):
    with pytest.raises(UsageError) as caught:
        call("watercolour", 0)
    known = FAR if call is far else NEAR
    assert all(kind in str(caught.value) for kind in known)


def test_other_wrong_calls():
    with pytest.raises(UsageError, match="profile"):
        far("text", 0, "demo")
    with pytest.raises(UsageError, match="negative seed"):
        far("text", -1)
    with pytest.raises(UsageError, match="size"):
        far("text", 0, size=(8, 8))
    with pytest.raises(UsageError, match="uint8"):
        near("blurred", 0, np.zeros((64, 64), dtype=np.float32))
    with pytest.raises(UsageError, match="uint8"):
        near("blurred", 0, np.zeros((64, 64, 3), dtype=np.uint8))
