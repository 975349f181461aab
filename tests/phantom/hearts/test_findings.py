"""Findings: nothing at severity 0, more with severity, and the motion group hidden in single frames."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.phantom.hearts import FINDINGS, HeartClip, draw_heart

# finding: truth that tells it, sign of the change
TOLD = {
    "ventricular septal defect": ("defect_mm", 1),
    "atrioventricular septal defect": ("primum_mm", 1),
    "hypoplastic left heart": ("lv_rv_area", -1),
    "single ventricle": ("defect_mm", 1),
    "cardiomegaly": ("ctr", 1),
    "pericardial effusion": ("effusion_mm", 1),
    "abnormal axis": ("axis_degrees", 0),
    "poor contraction": ("ejection_fraction", -1),
    "arrhythmia": ("unevenness", 1),
    "closed valve": ("", 0),
    "right atrial enlargement": ("offset_mm", 1),
    "rhabdomyoma": ("mass_mm", 1),
}
STILL = [name for name, finding in FINDINGS.items() if not finding.motion]


def drawn(name: str | None, severity: float = 1.0, seed: int = 6, frames: int = 30) -> HeartClip:
    return draw_heart(seed, "test", name, severity, frames, "apical")


def test_every_finding_is_told() -> None:
    assert set(TOLD) == set(FINDINGS)
    assert sum(not finding.trained for finding in FINDINGS.values()) == 2
    assert [name for name, finding in FINDINGS.items() if finding.motion] == [
        "poor contraction",
        "arrhythmia",
        "closed valve",
    ]


@pytest.mark.parametrize("name", FINDINGS)
def test_severity_0_is_the_healthy_heart_and_more_is_more(name: str) -> None:
    healthy, none, half, full = drawn(None), drawn(name, 0.0), drawn(name, 0.5), drawn(name, 1.0)
    assert none.findings == {}
    assert none.truth == healthy.truth
    assert half.findings == {name: 0.5}
    key, sign = TOLD[name]
    if name == "abnormal axis":
        values = [abs(c.truth[key] - 45) for c in (healthy, half, full)]
    elif name == "closed valve":
        values = [1 - min(c.truth["mitral_opening"], c.truth["tricuspid_opening"]) for c in (healthy, half, full)]
    else:
        values = [sign * c.truth[key] for c in (healthy, half, full)]
    assert values[0] < values[1] < values[2]


@pytest.mark.parametrize("name", STILL)
def test_a_still_shows_the_structural_findings(name: str) -> None:
    healthy, full = drawn(None, frames=2).picture(1).astype(float), drawn(name, frames=2).picture(1).astype(float)
    slight = drawn(name, 0.05, frames=2).picture(1).astype(float)
    near = drawn(None, frames=2).masks(1)["heart"]
    changed = np.abs(full - healthy)[near].mean()
    assert changed > 1.5  # grey levels over all of the heart; of a hole or a lump only a part of it changes
    assert np.abs(slight - healthy)[near].mean() < 0.7 * changed


@pytest.mark.parametrize("name", [name for name in STILL if name not in {"cardiomegaly", "abnormal axis"}])
def test_the_chest_about_a_finding_stays(name: str) -> None:
    """One seed is one chest, probe and speckle; only the heart tells the finding."""
    healthy, full = drawn(None, frames=1), drawn(name, frames=1)
    assert full.mm_per_pixel == healthy.mm_per_pixel
    assert full.rate == healthy.rate
    y = slice(0, 30)  # far from the heart
    assert np.abs(full.picture(0)[y].astype(float) - healthy.picture(0)[y]).mean() < 6


def test_a_weak_heart_is_as_large_as_a_healthy_one_is_at_some_time() -> None:
    for seed in range(4):
        healthy, weak = drawn(None, seed=seed), drawn("poor contraction", seed=seed)
        assert weak.truth["ejection_fraction"] < 0.25 < 0.55 < healthy.truth["ejection_fraction"]
        healthy_area = [healthy.masks(i)["LV"].sum() for i in range(0, 30, 2)]
        weak_area = [weak.masks(i)["LV"].sum() for i in range(0, 30, 5)]
        low, high = min(healthy_area), max(healthy_area)
        assert low * 0.93 <= min(weak_area)
        assert max(weak_area) <= high * 1.07
        assert np.ptp(weak_area) < 0.4 * np.ptp(healthy_area)


def test_frames_of_an_uneven_heart_are_frames_of_an_even_one() -> None:
    uneven = drawn("arrhythmia")
    assert uneven.truth["unevenness"] > 0.12
    assert uneven.cycle.contraction.min() >= 0
    assert uneven.cycle.contraction.max() <= 1
    assert uneven.truth["ejection_fraction"] == drawn(None).truth["ejection_fraction"]


def test_one_valve_stays_shut_while_the_other_works() -> None:
    shut = drawn("closed valve")
    ends = sorted([shut.cycle.mitral.max(), shut.cycle.tricuspid.max()])
    assert ends[0] == 0
    assert ends[1] > 0.5
    assert shut.truth["ejection_fraction"] == drawn(None).truth["ejection_fraction"]


def test_findings_may_come_together() -> None:
    both = draw_heart(6, "test", {"pericardial effusion": 0.8, "arrhythmia": 0.5, "cardiomegaly": 0.0}, frames=4)
    assert both.findings == {"arrhythmia": 0.5, "pericardial effusion": 0.8}
    assert both.truth["effusion_mm"] > 2
