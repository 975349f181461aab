"""Checks of image quality on simulated views: they see the fault, and say when they cannot tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fetalclip.frame import Frame
from fetalclip.phantom.faults import FAULTS, sound, spoil
from fetalclip.quality import CHECKS, Scene, examine
from fetalclip.quality.brain import find_midline
from fetalclip.quality.fill import cut_share
from fetalclip.quality.shadow import shadow_share
from fetalclip.result import CANNOT_TELL, FAIL, PASS, Check


def verdicts(scene: Scene) -> dict[str, str]:
    return {check.name: check.verdict for check in examine(scene)}


def scene(view, subplane: str = "trans-thalamic") -> Scene:
    return Scene.of(view.frame, view.plane, subplane if view.plane == "brain" else "", view.masks)


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "no cerebellum"])
def test_each_check_sees_its_fault_and_spares_the_sound(fault: str) -> None:
    seeds = range(10)
    seen = [verdicts(scene(spoil(fault, "brain", seed, "demo")))[fault] for seed in seeds]
    spared = [verdicts(scene(sound("brain", seed, "demo")))[fault] for seed in seeds]
    assert seen.count(FAIL) >= 7
    assert spared.count(FAIL) <= 2


def test_every_fault_has_a_check() -> None:
    assert set(FAULTS) <= {one.name for one in CHECKS}
    assert set(next(one.planes for one in CHECKS if one.name == "midline")) == {"brain"}


def test_without_an_outline_nothing_is_told_of_the_structure() -> None:
    view = sound("abdomen", 1)
    found = {check.name: check for check in examine(Scene.of(view.frame, "abdomen"))}
    assert list(found) == ["size", "edge", "gain low", "gain high", "shadow"]
    assert found["size"].verdict == found["edge"].verdict == CANNOT_TELL
    assert found["size"].value is None
    assert "abdomen" in found["size"].reason
    assert verdicts(Scene.of(view.frame, "cervix")).keys() == {"gain low", "gain high", "shadow"}


def test_the_cerebellum_is_told_by_the_sub_plane() -> None:
    view = sound("brain", 1)
    said = {word: verdicts(scene(view, word))["no cerebellum"] for word in ("", "trans-cerebellum", "trans-thalamic")}
    assert said == {"": CANNOT_TELL, "trans-cerebellum": FAIL, "trans-thalamic": PASS}


@pytest.mark.parametrize(("share", "verdict"), [(0.01, PASS), (0.059, PASS), (0.06, FAIL), (0.4, FAIL)])
def test_a_plane_that_may_show_the_cerebellum_fails(share: float, verdict: str) -> None:
    found = {check.name: check for check in examine(replace(scene(sound("brain", 1)), cerebellum=share))}
    assert found["no cerebellum"].verdict == verdict
    assert found["no cerebellum"].value == pytest.approx(100 * share)


@pytest.mark.parametrize("push", [-0.45, -0.1, 0.0, 0.1, 0.45])
def test_a_line_along_a_head_is_its_midline_if_it_runs_in_the_middle(push: float) -> None:
    y, x = np.mgrid[:240, :320]
    head = ((x - 160) / 140) ** 2 + ((y - 120) / 100) ** 2 < 1
    gray = np.where(head, np.random.default_rng(3).rayleigh(30, head.shape), 0)
    line = np.abs(y - 120 - 100 * push) < 2
    gray[line & head & ((x < 190) | (x > 230))] += 90
    for wall in (-9, 9):  # the cavum interrupts it
        gray[(np.abs(y - 120 - 100 * push - wall) < 2) & (x > 190) & (x < 230)] += 90
    found = find_midline(gray.clip(0, 255).astype(np.uint8), head)
    assert found is not None
    assert found.off == pytest.approx(abs(push), abs=0.06)
    asked = Scene.of(Frame(gray.clip(0, 255).astype(np.uint8)), "brain", masks={"head": head})
    assert verdicts(asked)["midline"] == (PASS if abs(push) < 0.2 else FAIL)


def test_black_white_and_tiny_pictures() -> None:
    for level, name in ((0, "gain low"), (255, "gain high")):
        found = verdicts(Scene.of(Frame(np.full((90, 120), level, np.uint8)), "thorax"))
        assert found[name] == FAIL
        assert found["size"] == CANNOT_TELL
    tiny = Scene.of(Frame(np.full((1, 1), 90, np.uint8)), "brain", masks={"head": np.ones((1, 1), bool)})
    assert verdicts(tiny)["midline"] == CANNOT_TELL


def test_share_of_an_outline_that_is_cut() -> None:
    y, x = np.mgrid[:200, :300]
    disc = (x - 150) ** 2 + (y - 100) ** 2 < 60**2
    everywhere = np.ones_like(disc)
    assert cut_share(disc, everywhere) == 0.0
    assert cut_share(disc[:, 150:], everywhere[:, 150:]) == pytest.approx(2 / (2 + np.pi), abs=0.06)
    assert cut_share(disc, everywhere & (x < 150)) == pytest.approx(0.5, abs=0.06)


def test_share_in_shadow() -> None:
    rng = np.random.default_rng(0)
    gray = rng.integers(80, 140, (240, 320)).astype(np.uint8)
    everywhere = np.ones(gray.shape, bool)
    assert shadow_share(gray, everywhere) == 0.0
    gray[20:, 100:150] = 4
    assert shadow_share(gray, everywhere) == pytest.approx(50 / 320, abs=0.05)
    fluid = rng.integers(80, 140, (240, 320)).astype(np.uint8)
    fluid[60:160, 100:200] = 4  # dark, with tissue below it
    assert shadow_share(fluid, everywhere) == 0.0


def test_masks_of_the_wrong_structure_do_not_count() -> None:
    view = sound("brain", 2)
    other = replace(scene(view), masks={"brain": view.masks["brain"]})
    assert verdicts(other)["size"] == CANNOT_TELL


def test_a_verdict_is_one_of_three() -> None:
    with pytest.raises(ValueError, match="verdict"):
        Check("size", "perhaps", "")
    told = Check("size", FAIL, "small", 21.04, 30.0, "%").to_dict()
    assert told == {"name": "size", "verdict": "fail", "value": 21.04, "limit": 30.0, "unit": "%", "reason": "small"}
