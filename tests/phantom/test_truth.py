"""The true measures of the simulated planes are those of their masks, within 1 %, at any spacing."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from fetalclip.errors import UsageError
from fetalclip.phantom import PLANES, PROFILES, STRUCTURES, Phantom, draw, resample
from fetalclip.phantom.shape import inside
from fetalclip.phantom.sizes import perimeter
from fetalclip.phantom.thorax import Thorax

Points = npt.NDArray[np.floating]
UNEQUAL = (0.12, 0.08)  # mm per pixel: fine, so that small structures have many pixels, and not square


def points(drawn: Phantom, name: str) -> Points:
    """Centres of a mask's pixels, (N, 2) mm."""
    y, x = np.nonzero(drawn.masks[name])
    assert drawn.frame.mm_per_pixel is not None
    return (np.stack([x, y], axis=1) + 0.5) * drawn.frame.mm_per_pixel


def area(drawn: Phantom, name: str) -> float:
    assert drawn.frame.mm_per_pixel is not None
    return float(drawn.masks[name].sum() * np.prod(drawn.frame.mm_per_pixel))


def diameters(drawn: Phantom, name: str) -> tuple[float, float]:
    """(long, short) diameter in mm of the ellipse with a mask's second moments."""
    low, high = np.linalg.eigvalsh(np.cov(points(drawn, name).T))
    return 4 * float(np.sqrt(high)), 4 * float(np.sqrt(low))


def extent(drawn: Phantom, name: str, angle: float) -> float:
    """Length of a mask's shadow on a line of a given direction, mm."""
    along = points(drawn, name) @ np.array([np.cos(angle), np.sin(angle)])
    assert drawn.frame.mm_per_pixel is not None
    return float(np.ptp(along)) + float(np.mean(drawn.frame.mm_per_pixel))


def caliper(drawn: Phantom, name: str) -> tuple[float, float]:
    """Length in mm and direction of a caliper."""
    assert drawn.frame.mm_per_pixel is not None
    dx, dy = (np.array(drawn.calipers[name][1]) - drawn.calipers[name][0]) * drawn.frame.mm_per_pixel
    return float(np.hypot(dx, dy)), float(np.arctan2(dy, dx))


def whole(drawn: Phantom, name: str) -> bool:
    """True when the frame cuts nothing off the structure."""
    mask = drawn.masks[name]
    edges = mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
    return bool(mask.any()) and not edges


@cache
def fine(plane: str) -> list[Phantom]:
    """Four views of every profile on fine pixels that are not square."""
    return [resample(draw(plane, seed, profile), UNEQUAL) for profile in PROFILES for seed in range(4)]


def views(plane: str, structure: str) -> list[Phantom]:
    """Those that show a structure whole."""
    found = [drawn for drawn in fine(plane) if whole(drawn, structure)]
    assert len(found) >= 6
    return found


@pytest.mark.parametrize(
    ("plane", "structure", "around", "long", "short"),
    [
        ("brain", "head", "hc_mm", "ofd_mm", "bpd_mm"),
        ("abdomen", "abdomen", "ac_mm", "apad_mm", "tad_mm"),
        ("thorax", "thorax", "thorax_circumference_mm", None, None),
        ("thorax", "heart", "heart_circumference_mm", None, None),
    ],
)
def test_ellipses(plane: str, structure: str, around: str, long: str | None, short: str | None) -> None:
    for drawn in views(plane, structure):
        found = diameters(drawn, structure)
        assert perimeter(*found) == pytest.approx(drawn.truth[around], rel=0.01)
        if long is not None and short is not None:
            expected = sorted((drawn.truth[long], drawn.truth[short]), reverse=True)
            assert found == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("plane", "structure", "name", "measure"),
    [
        ("brain", "head", "OFD", "ofd_mm"),
        ("brain", "head", "BPD", "bpd_mm"),
        ("abdomen", "abdomen", "TAD", "tad_mm"),
        ("abdomen", "abdomen", "APAD", "apad_mm"),
        ("abdomen", "stomach", "stomach", "stomach_length_mm"),
        ("femur", "femur", "FL", "fl_mm"),
        *[("thorax", room, f"{room} length", f"{room.lower()}_length_mm") for room in ("LV", "RV", "LA", "RA")],
    ],
)
def test_calipers_span_their_mask(plane: str, structure: str, name: str, measure: str) -> None:
    for drawn in views(plane, structure):
        length, angle = caliper(drawn, name)
        assert length == pytest.approx(drawn.truth[measure], rel=1e-6)
        assert extent(drawn, structure, angle) == pytest.approx(length, rel=0.01, abs=max(UNEQUAL))  # or a pixel


def test_the_heart() -> None:
    for drawn in views("thorax", "thorax"):
        truth = drawn.truth
        for name in ("heart", "LV", "RV", "LA", "RA"):
            assert area(drawn, name) == pytest.approx(truth[f"{name.lower()}_area_mm2"], rel=0.01)
        for name in ("LV", "RV", "LA", "RA"):
            _, angle = caliper(drawn, f"{name} length")
            across = extent(drawn, name, angle + np.pi / 2)
            assert across == pytest.approx(truth[f"{name.lower()}_width_mm"], rel=0.01, abs=max(UNEQUAL))
        _, angle = caliper(drawn, "LV length")
        assert area(drawn, "septum") / extent(drawn, "septum", angle) == pytest.approx(
            truth["septum_thickness_mm"], rel=0.02
        )
        assert area(drawn, "thorax") == pytest.approx(truth["thorax_area_mm2"], rel=0.01)
        assert area(drawn, "heart") / area(drawn, "thorax") == pytest.approx(truth["heart_to_thorax_area"], rel=0.01)
        ratio = perimeter(*diameters(drawn, "heart")) / perimeter(*diameters(drawn, "thorax"))
        assert ratio == pytest.approx(truth["heart_to_thorax_circumference"], rel=0.01)
        assert 2 * np.sqrt(area(drawn, "aorta") / np.pi) == pytest.approx(truth["aorta_mm"], rel=0.01)
        assert area(drawn, "spine") == pytest.approx(truth["spine_area_mm2"], rel=0.01)


def test_the_heart_lies_as_in_a_healthy_fetus() -> None:
    sides = set()
    for drawn in views("thorax", "thorax"):
        middle = {name: points(drawn, name).mean(axis=0) for name in drawn.masks}
        front = middle["thorax"] - middle["spine"]
        front = front / np.linalg.norm(front)
        _, angle = caliper(drawn, "LV length")
        apex = np.array([np.cos(angle), np.sin(angle)])
        left = apex - front * (apex @ front)  # the apex points to the fetus's left
        left = left / np.linalg.norm(left)
        sides.add(bool(front[0] * left[1] - front[1] * left[0] > 0))
        between = points(drawn, "septum")
        course = np.linalg.eigh(np.cov(between.T))[1][:, 1]
        turned = np.degrees(np.arccos(abs(course @ front)))
        assert turned == pytest.approx(drawn.truth["axis_degrees"], abs=1.0)
        assert 25 < drawn.truth["axis_degrees"] < 65
        assert (middle["LV"] - middle["RV"]) @ left > 0
        assert (middle["LA"] - middle["RA"]) @ left > 0
        assert (middle["RV"] - middle["LV"]) @ front > 0
        assert (middle["LV"] - middle["LA"]) @ apex > 0
        assert (middle["RV"] - middle["RA"]) @ apex > 0
        near = min(("LV", "RV", "LA", "RA"), key=lambda name: np.linalg.norm(middle[name] - middle["aorta"]))
        assert near == "LA"
        assert (middle["aorta"] - middle["spine"]) @ front > 0
        assert (middle["aorta"] - middle["spine"]) @ left > 0
        assert 0.17 < drawn.truth["heart_to_thorax_area"] < 0.37
        assert 0.41 < drawn.truth["heart_to_thorax_circumference"] < 0.62
    assert sides == {True, False}


def test_the_spine_of_the_chest_lies_anywhere() -> None:
    backs = [Thorax.new(np.random.default_rng(seed), 24, 0.3).trunk.back for seed in range(60)]
    assert {round(back / (np.pi / 2)) % 4 for back in backs} == {0, 1, 2, 3}


def test_the_brain() -> None:
    for drawn in views("brain", "head"):
        truth = drawn.truth
        assert area(drawn, "brain") == pytest.approx(truth["brain_area_mm2"], rel=0.01)
        along = np.linalg.eigvalsh(np.cov(points(drawn, "cavum septi pellucidi").T))
        assert np.sqrt(12 * along[1]) == pytest.approx(truth["csp_length_mm"], rel=0.01)
        assert np.sqrt(12 * along[0]) == pytest.approx(truth["csp_width_mm"], rel=0.015)
        near, far = (np.array(p) for p in drawn.calipers["BPD outer-inner"])
        line = near + np.linspace(-0.05, 1.05, 2201)[:, None] * (far - near)
        column, row = np.rint(line).astype(int).clip(0, np.array(drawn.frame.pixels.shape[::-1]) - 1).T
        begin = line[drawn.masks["head"][row, column]][0]
        end = line[drawn.masks["brain"][row, column]][-1]
        found = np.linalg.norm((end - begin) * UNEQUAL)
        assert found == pytest.approx(truth["bpd_outer_inner_mm"], rel=0.005)
        assert truth["bpd_outer_inner_mm"] < truth["bpd_mm"]
        assert np.linalg.norm((far - near) * UNEQUAL) == pytest.approx(truth["bpd_outer_inner_mm"], rel=1e-6)


def test_the_lateral_ventricle_is_as_wide_as_the_truth() -> None:
    for seed in range(6):
        drawn = draw("brain", seed, "train")
        outline = drawn.shapes["lateral ventricle"][0]  # the far side
        steps = np.linspace(0, 1, 12, endpoint=False)[:, None, None]
        edge = (outline + steps * (np.roll(outline, -1, axis=0) - outline)).reshape(-1, 2)
        width, height = drawn.frame.width, drawn.frame.height
        assert drawn.frame.mm_per_pixel is not None
        y, x = np.nonzero(inside((outline,), (width, height), drawn.frame.mm_per_pixel))
        fluid = (np.stack([x, y], axis=1) + 0.5) * drawn.frame.mm_per_pixel
        widest = 2 * np.linalg.norm(fluid[:, None] - edge[None], axis=2).min(axis=1).max()
        assert widest == pytest.approx(drawn.truth["ventricle_mm"], rel=0.03)


def test_structures_lie_in_one_another() -> None:
    for profile in PROFILES:
        for seed in range(4, 8):
            head = draw("brain", seed, profile).masks
            assert not (head["brain"] & ~head["head"]).any()
            assert not (head["cavum septi pellucidi"] & ~head["brain"]).any()
            assert not (head["lateral ventricle"] & ~head["brain"]).any()
            assert not (head["lateral ventricle"] & head["cavum septi pellucidi"]).any()
            abdomen = draw("abdomen", seed, profile).masks
            for name in ("stomach", "umbilical vein", "spine"):
                assert not (abdomen[name] & ~abdomen["abdomen"]).any()
            assert not (abdomen["stomach"] & abdomen["spine"]).any()
            chest = draw("thorax", seed, profile).masks
            rooms = [chest[name] for name in ("LV", "RV", "LA", "RA", "septum")]
            assert np.sum(rooms, axis=0).max() <= 1
            for room in rooms:
                assert not (room & ~chest["heart"]).any()
            for name in ("heart", "spine", "aorta"):
                assert not (chest[name] & ~chest["thorax"]).any()
            assert not (chest["heart"] & (chest["aorta"] | chest["spine"])).any()
            assert not (chest["spine"] & chest["aorta"]).any()


@pytest.mark.parametrize("plane", PLANES)
def test_another_spacing_shows_the_same_view(plane: str) -> None:
    drawn = draw(plane, 2, "train")
    old = drawn.frame.mm_per_pixel
    assert old is not None
    same = resample(drawn, old)
    assert np.array_equal(same.frame.pixels, drawn.frame.pixels)
    assert same.calipers.keys() == drawn.calipers.keys()
    for name in STRUCTURES[plane]:
        assert np.array_equal(same.masks[name], drawn.masks[name])
    wide = resample(drawn, (0.5 * old[0], 1.25 * old[1]))
    assert wide.frame.mm_per_pixel == (0.5 * old[0], 1.25 * old[1])
    assert wide.frame.width == 2 * drawn.frame.width
    assert wide.truth == drawn.truth
    gray = drawn.frame.pixels.astype(float)
    for name, mask in wide.masks.items():
        assert mask.shape == wide.frame.pixels.shape
        assert area(wide, name) == pytest.approx(area(drawn, name), rel=0.05)
        here, there = wide.frame.pixels[mask].mean(), gray[drawn.masks[name]].mean()
        assert here == pytest.approx(there, abs=4)
    for name in drawn.calipers:
        assert caliper(wide, name)[0] == pytest.approx(caliper(drawn, name)[0])


@pytest.mark.parametrize(
    "spacing", [(0.0, 0.2), (float("nan"), 0.2), (0.2, float("inf")), (-0.1, 0.1), (1e-4, 0.2), (40.0, 0.2)]
)
def test_a_spacing_that_makes_no_picture_is_refused(spacing: tuple[float, float]) -> None:
    with pytest.raises(UsageError) as told:
        resample(draw("femur", 0), spacing)
    assert "positive" in told.value.expected or "16 to 4096" in told.value.expected
