"""The simulated planes: the same call gives the same picture, and the masks hold what the truth says."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pytest

from fetalclip.errors import UsageError
from fetalclip.phantom import PLANES, PROFILES, STRUCTURES, Phantom, draw
from fetalclip.phantom.canvas import oval, ribbon
from fetalclip.phantom.sizes import diameters, median, perimeter


def moments(mask: npt.NDArray[np.bool_], mm: float) -> tuple[float, float, float]:
    """(area in mm2, long and short diameter in mm) of the ellipse with a mask's second moments."""
    y, x = np.nonzero(mask)
    low, high = np.linalg.eigvalsh(np.cov(np.stack([x, y])))
    return mask.sum() * mm**2, 4 * np.sqrt(high) * mm, 4 * np.sqrt(low) * mm


def whole(drawn: Phantom, name: str) -> bool:
    """True when the frame cuts nothing off the structure."""
    mask = drawn.masks[name]
    return not (mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_plane_is_a_grey_picture_with_spacing_masks_and_truth(plane: str, profile: str) -> None:
    for seed in range(3):
        drawn = draw(plane, seed, profile)
        frame = drawn.frame
        assert drawn.plane == plane
        assert frame.pixels.dtype == np.uint8
        assert frame.pixels.ndim == 2
        assert frame.mm_per_pixel is not None
        assert frame.mm_per_pixel[0] == frame.mm_per_pixel[1]
        assert 30 < frame.width * frame.mm_per_pixel[0] < 400
        assert tuple(drawn.masks) == STRUCTURES[plane]
        assert set(drawn.shapes) == set(drawn.masks)
        for mask in drawn.masks.values():
            assert mask.dtype == bool
            assert mask.shape == frame.pixels.shape
            assert mask.any()
        low, high = PROFILES[profile].weeks
        assert low <= drawn.truth["weeks"] <= high
        assert 8 < frame.pixels.mean() < 110
        assert np.percentile(frame.pixels, 99) > 70
        assert frame.pixels.min() < 4


@pytest.mark.parametrize("plane", PLANES)
def test_the_same_call_gives_the_same_pixels(plane: str) -> None:
    one, two = draw(plane, 4, "test"), draw(plane, 4, "test")
    assert np.array_equal(one.frame.pixels, two.frame.pixels)
    assert one.truth == two.truth
    assert not np.array_equal(one.frame.pixels, draw(plane, 5, "test").frame.pixels[: one.frame.height])


def test_the_profiles_share_no_numbers_and_no_ranges() -> None:
    weeks = [draw("brain", seed, profile).truth["weeks"] for profile in PROFILES for seed in range(4)]
    assert len(set(weeks)) == len(weeks)
    streams = {p.stream for p in PROFILES.values()}
    assert len(streams) == len(PROFILES)
    for name in ("gain", "dynamic", "axial", "lateral", "haze", "margin"):
        assert len({getattr(p, name) for p in PROFILES.values()}) == len(PROFILES)


@pytest.mark.parametrize(
    ("plane", "mask", "around"),
    [
        ("brain", "head", "hc_mm"),
        ("abdomen", "abdomen", "ac_mm"),
        ("thorax", "thorax", "thorax_circumference_mm"),
        ("thorax", "heart", "heart_circumference_mm"),
    ],
)
def test_the_mask_has_the_circumference_of_the_truth(plane: str, mask: str, around: str) -> None:
    seen = 0
    for seed in range(12):
        drawn = draw(plane, seed, "train")
        if not whole(drawn, mask):
            continue
        assert drawn.frame.mm_per_pixel is not None
        _, long, short = moments(drawn.masks[mask], drawn.frame.mm_per_pixel[0])
        assert perimeter(long, short) == pytest.approx(drawn.truth[around], rel=0.015)
        seen += 1
    assert seen >= 4


def test_head_diameters_and_area() -> None:
    for seed in range(6):
        drawn = draw("brain", seed)
        assert drawn.frame.mm_per_pixel is not None
        assert whole(drawn, "head")
        area, long, short = moments(drawn.masks["head"], drawn.frame.mm_per_pixel[0])
        truth = drawn.truth
        assert long == pytest.approx(truth["ofd_mm"], rel=0.02)
        assert short == pytest.approx(truth["bpd_mm"], rel=0.02)
        assert area == pytest.approx(np.pi / 4 * truth["ofd_mm"] * truth["bpd_mm"], rel=0.02)
        assert truth["hc_mm"] == pytest.approx(median("hc", truth["weeks"]), rel=0.12)


def test_the_femur_is_as_long_as_the_truth() -> None:
    for seed in range(10):
        drawn = draw("femur", seed, "test")
        assert drawn.frame.mm_per_pixel is not None
        assert whole(drawn, "femur")
        y, x = np.nonzero(drawn.masks["femur"])
        points = np.stack([x, y], axis=1) - np.array([x.mean(), y.mean()])
        along = points @ np.linalg.svd(points, full_matrices=False)[2][0]
        length = (along.max() - along.min() + 1) * drawn.frame.mm_per_pixel[0]
        assert length == pytest.approx(drawn.truth["fl_mm"], rel=0.04)
        assert drawn.truth["angle_degrees"] < 45


def test_structures_lie_and_look_as_named() -> None:
    for seed in range(6):
        abdomen = draw("abdomen", seed)
        inside = abdomen.masks["abdomen"]
        stomach = abdomen.masks["stomach"]
        assert (stomach & inside).sum() == stomach.sum()
        gray = abdomen.frame.pixels.astype(float)
        assert gray[stomach].mean() < 0.6 * gray[inside & ~stomach].mean()
        thorax = draw("thorax", seed)
        heart, chest = thorax.masks["heart"], thorax.masks["thorax"]
        gray = thorax.frame.pixels.astype(float)
        assert gray[heart].mean() < 0.9 * gray[chest & ~heart].mean()
        assert 0.17 < thorax.truth["heart_to_thorax_area"] < 0.37
        femur = draw("femur", seed)
        gray = femur.frame.pixels.astype(float)
        assert gray[femur.masks["femur"]].mean() > 2 * gray.mean()


def test_the_overlay_is_burned_in_only_when_asked() -> None:
    plain, marked = draw("brain", 1), draw("brain", 1, overlay=True)
    changed = plain.frame.pixels != marked.frame.pixels
    assert changed.any()
    assert changed.mean() < 0.03
    assert not changed[:, 10 : plain.frame.width // 2].any()


@pytest.mark.parametrize(
    ("plane", "seed", "profile", "expected"),
    [
        ("kidney", 0, "demo", "abdomen"),
        ("brain", 0, "validation", "train"),
        ("brain", -1, "demo", "0 or more"),
    ],
)
def test_a_wrong_call_is_told_what_there_is(plane: str, seed: int, profile: str, expected: str) -> None:
    with pytest.raises(UsageError) as told:
        draw(plane, seed, profile)
    assert expected in told.value.expected
    if plane == "kidney":
        assert all(name in told.value.expected for name in PLANES)


def test_sizes_follow_the_charts_and_the_ellipse() -> None:
    # WHO charts: HC 20 weeks 173.4, AC 149.6, FL 32.2 mm.
    assert median("hc", 20) == pytest.approx(173.4, abs=0.1)
    assert median("ac", 20) == pytest.approx(149.6, abs=0.1)
    assert median("fl", 20) == pytest.approx(32.2, abs=0.1)
    assert perimeter(2, 2) == pytest.approx(2 * np.pi)
    long, short = diameters(200, 0.78)
    assert short / long == pytest.approx(0.78)
    t = np.linspace(0, 2 * np.pi, 20001)
    steps = np.diff(np.stack([0.5 * long * np.cos(t), 0.5 * short * np.sin(t)], 1), axis=0)
    assert np.hypot(*steps.T).sum() == pytest.approx(200, rel=1e-6)


def test_shapes_in_mm() -> None:
    tilted = oval((10, 20), 8, 4, np.pi / 2)
    assert np.ptp(tilted[:, 1]) == pytest.approx(8, abs=0.01)
    assert np.ptp(tilted[:, 0]) == pytest.approx(4, abs=0.01)
    stroke = ribbon(np.array([[0.0, 0.0], [5.0, 0.0], [10.0, 0.0]]), 2.0)
    assert np.ptp(stroke[:, 1]) == pytest.approx(2.0)
    assert np.ptp(stroke[:, 0]) == pytest.approx(10.0)


def test_drawing_is_quick_enough() -> None:
    draw("brain", 0)
    spent = []
    for seed in range(8):
        start = time.process_time()
        draw(PLANES[seed % 4], seed)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.3  # seconds; about 0.05 on an idle machine
