"""Intervals of measures: calibrated on held pictures, and only where there are enough of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from fetalclip.caliper import measure
from fetalclip.data.structures import Outlined
from fetalclip.fit import widen
from fetalclip.fit.widen import length_thresholds, measure_held, own_habit
from fetalclip.frame import Frame
from fetalclip.result import Segmentation

SHAPE = (160, 200)


def ellipse(a: float, b: float) -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return ((x - 100) / a) ** 2 + ((y - 80) / b) ** 2 <= 1


class Task:
    """Draws each head too large or too small by some pixels, and its views around that."""

    def __init__(self, axes, errors, measures=("HC",)):
        none = {"guides": {}, "structures": ("head",), "convention_of": lambda width, height: {}}
        config = SimpleNamespace(measures=measures, level=0.9, **none)
        self.head, self.pairs = SimpleNamespace(config=config), iter(zip(axes, errors, strict=True))

    def __call__(self, frames):
        found = []
        for frame in frames:
            (a, b), off = next(self.pairs)
            views = tuple({"head": ellipse(a + off + v, b + off + v)} for v in (-1.0, 0.0, 1.0, 0.5))
            found.append(Segmentation({"head": ellipse(a + off, b + off)}, frame.mm_per_pixel, "fake", {}, views))
        return found


def rows(axes):
    def of(a, b):
        return lambda: (Frame(np.zeros(SHAPE, np.uint8), (0.5, 0.5)), {"head": ellipse(a, b)})

    return [Outlined(of(a, b), ("head",), "x", str(i), "val", "made", "CC0-1.0") for i, (a, b) in enumerate(axes)]


def test_the_interval_holds_its_share_and_the_error_is_told():
    rng = np.random.default_rng(0)
    axes = [(long, 0.78 * long) for long in rng.uniform(55, 85, 60)]
    errors = rng.normal(0.5, 1.0, 60)
    factors, told = measure_held(Task(axes, errors), rows(axes))
    assert told["HC"]["n"] == 60
    assert told["HC"]["refused"] == 0
    # A pixel more on both semi-axes is about 2 pi pixels of circumference, 0.5 mm each.
    assert told["HC"]["mean_difference"] == pytest.approx(np.pi * errors.mean(), abs=0.3)
    assert told["HC"]["mean_absolute_difference"] == pytest.approx(np.pi * np.abs(errors).mean(), abs=0.3)
    held = 0
    for pair, error, row in zip(axes, errors, rows(axes), strict=True):
        frame, masks = row.load()
        said = Task([pair], [error])([frame])[0]
        one = measure(replace(said, widen=factors), "HC")
        held += one.low <= measure(Segmentation(masks, frame.mm_per_pixel), "HC").value <= one.high
    assert 0.88 <= held / 60 <= 0.96


def test_too_few_pictures_give_no_interval_but_their_error():
    axes = [(70.0, 50.0)] * 5
    factors, told = measure_held(Task(axes, [1.0] * 5), rows(axes))
    assert factors == {}
    assert told["HC"]["n"] == 5
    assert "width" not in told["HC"]


def test_a_refused_measure_is_counted_and_one_without_truth_is_not():
    axes = [(70.0, 50.0)] * 3
    _, told = measure_held(Task(axes, [0.0, -47.5, 0.0], ("HC", "AC")), rows(axes))
    assert told["HC"]["n"] == 3
    assert told["HC"]["refused"] == 1
    assert "AC" not in told


def test_the_habit_is_what_the_head_draws_too_far_out():
    rng = np.random.default_rng(1)
    axes = [(long, 0.78 * long) for long in rng.uniform(55, 85, 30)]
    errors = rng.normal(0.8, 0.6, 30)
    found = own_habit(Task(axes, errors, ("HC", "BPD")), rows(axes))
    # told for a longer side of 800 pixels; these have 200
    assert found["head"]["pixels"] * 200 / found["head"]["side"] == pytest.approx(errors.mean(), abs=0.05)
    assert own_habit(Task(axes[:5], errors, ("HC",)), rows(axes[:5])) == {}  # too few
    assert own_habit(Task(axes, errors, ("BPD",)), rows(axes)) == {}  # no circumference


def test_a_length_chooses_its_threshold(monkeypatch):
    @dataclass(frozen=True)
    class Config:
        measures: tuple[str, ...]
        thresholds: dict[str, float]

    @dataclass(frozen=True)
    class Head:
        config: Config

    errors = {0.35: 0.03, 0.5: 0.01, 0.65: 0.02}
    monkeypatch.setattr(widen, "SegmentTask", lambda encoder, head: head)
    monkeypatch.setattr(widen, "_length_error", lambda head, name, rows: errors[head.config.thresholds["femur"]])
    task = SimpleNamespace(encoder=None, head=Head(Config(("FL",), {"femur": 0.4})))
    assert length_thresholds(task, []) == {"femur": 0.5}
    round_one = SimpleNamespace(encoder=None, head=Head(Config(("HC",), {"head": 0.4})))
    assert length_thresholds(round_one, []) == {"head": 0.4}


def test_a_length_that_is_refused_costs_more_than_a_small_error(monkeypatch):
    lengths = [(100.0, 101.0), (200.0, None), (None, 50.0)]  # true, said; without a truth nothing is asked
    monkeypatch.setattr(widen, "_held", lambda task, rows: lengths)
    monkeypatch.setattr(widen, "_value", lambda length, name: length)
    assert widen._length_error(None, "FL", []) == pytest.approx((0.01 + 0.05) / 2)


def test_both_diameters_are_told_apart_by_the_true_short_one():
    mask = ellipse(60, 45)
    found = widen._pointer({"head": mask}, {"spine": "another"}, ("head",))
    (y,), (x,) = np.nonzero(found["spine"])
    rows_, columns = np.nonzero(mask)
    assert abs(x - columns.mean()) < 2
    assert 25 < abs(y - rows_.mean()) < 45
    assert widen._pointer({"head": mask}, {}, ("head",)) == {}
    assert widen._pointer({"head": np.zeros_like(mask)}, {"spine": "another"}, ("head",)) == {}
