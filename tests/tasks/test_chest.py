"""Facts of a drawn chest are those it was drawn by, whichever way it lies."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fetalclip.tasks.chest import FACTS, facts

SIDE = 240
MIDDLE = np.array([120.0, 118.0])
RADIUS = 90.0
AT = np.array([-18.0, -27.0])  # of the heart's middle from the chest's: left and up, away from the spine below
LONG, SHORT = 40.0, 28.0
AXIS = math.radians(50)  # of the apex from the way forward, to the left


def ellipse(middle: np.ndarray, half: tuple[float, float], turned: float = 0.0) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    x, y = x - middle[0], y - middle[1]
    along, across = x * math.cos(turned) + y * math.sin(turned), -x * math.sin(turned) + y * math.cos(turned)
    return (along / half[0]) ** 2 + (across / half[1]) ** 2 <= 1


def drawn(axis: float = AXIS, at: np.ndarray = AT) -> dict[str, np.ndarray]:
    """A round chest with the spine below; the heart's apex is ``axis`` to the left of straight up."""
    way = np.array([-math.sin(axis), -math.cos(axis)])
    aside = np.array([-way[1], way[0]])
    heart, turned = MIDDLE + at, math.atan2(way[1], way[0])
    return {  # the middle of both atria is on the axis: 6.75 * 8^2 = 12 * 6^2
        "thorax": ellipse(MIDDLE, (RADIUS, RADIUS)),
        "spine": ellipse(MIDDLE + [0, 80.0], (8, 8)),
        "heart": ellipse(heart, (LONG, SHORT), turned),
        "LV": ellipse(heart + 15 * way + 10 * aside, (14, 7), turned),
        "RV": ellipse(heart + 15 * way - 10 * aside, (14, 7), turned),
        "LA": ellipse(heart - 20 * way + 6.75 * aside, (8, 8)),
        "RA": ellipse(heart - 20 * way - 12 * aside, (6, 6)),
        "septum": ellipse(heart + 15 * way, (16, 2), turned),
    }


def named(masks: dict[str, np.ndarray]) -> dict[str, float]:
    found = facts(masks)
    assert (found.shape, found.dtype) == ((len(FACTS),), np.float32)
    return dict(zip(FACTS, found.tolist(), strict=True))


def test_the_facts_are_those_drawn():
    found = named(drawn())
    heart = LONG * SHORT
    wanted = {
        "size": math.sqrt(heart) / RADIUS,
        "forward": 27 / RADIUS,
        "aside": 18 / RADIUS,
        "flatness": SHORT / LONG,
        "cos axis": math.cos(AXIS),
        "sin axis": math.sin(AXIS),
        "cos twice axis": math.cos(2 * AXIS),
        "sin twice axis": math.sin(2 * AXIS),
        "same side": math.sin(AXIS),
        "ventricles": math.sqrt(2 * 14 * 7 / heart),
        "atria": math.sqrt((64 + 36) / heart),
        "smaller ventricle": 1.0,
        "smaller atrium": 6 / 8,
        "septum": math.sqrt(16 * 2 / heart),
        "whole": 1.0,
    }
    assert found == {name: pytest.approx(value, abs=0.03) for name, value in wanted.items()}


def test_an_apex_to_the_other_side_than_the_heart_is_told():
    assert named(drawn(axis=-AXIS))["same side"] == pytest.approx(-math.sin(AXIS), abs=0.03)
    assert named(drawn(axis=-AXIS))["sin axis"] == pytest.approx(math.sin(AXIS), abs=0.03)  # without sign
    assert named(drawn(at=AT * [-1, 1]))["same side"] == pytest.approx(-math.sin(AXIS), abs=0.03)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_way_the_picture_lies_changes_nothing(turns, mirrored):
    masks = drawn()
    other = {name: np.rot90(mask[:, ::-1] if mirrored else mask, turns) for name, mask in masks.items()}
    np.testing.assert_allclose(facts(other), facts(masks), atol=1e-5)


def test_what_is_not_found_is_zero():
    for name in ("thorax", "spine", "heart"):
        masks = drawn()
        assert not facts({**masks, name: np.zeros_like(masks[name])}).any()
        del masks[name]
        assert not facts(masks).any()
    masks = drawn()
    for name in ("LA", "RA", "septum"):
        del masks[name]
    found = named(masks)
    axis = ("cos axis", "sin axis", "cos twice axis", "sin twice axis", "same side")
    assert [found[name] for name in (*axis, "atria", "smaller atrium", "septum")] == [0.0] * 8
    assert found["whole"] == 1
    assert found["size"] > 0.3
