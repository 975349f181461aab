"""Measures by plane: heads draw on their own planes only, refusals are told, and a measured head has an age."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from fetalclip.clinical.age import IndependentAge
from fetalclip.clinical.growth import median_hc
from fetalclip.phantom import draw
from fetalclip.result import Measurement, PlaneScores, Segmentation
from fetalclip.tasks import BiometryTask, biometry_age

PHANTOM = draw("brain", 3)
BRAIN, FEMUR = PlaneScores({"brain": 0.9, "femur": 0.1}), PlaneScores({"brain": 0.1, "femur": 0.9})


@dataclass(frozen=True)
class Config:
    name: str
    plane: str
    measures: tuple[str, ...]
    simulated: bool = False
    guides: dict[str, str] = field(default_factory=dict)


class Segmenter:
    """Two heads: one draws the phantom's true head, the other nothing at all."""

    def __init__(self):
        self.folders = {"head": Path("head"), "empty": Path("empty"), "view": Path("view")}
        self.configs = {
            "head": Config("head", "brain", ("HC", "BPD", "OFD")),
            "empty": Config("empty", "femur", ("FL",)),
            "view": Config("view", "brain", ()),
        }
        self.asked = []

    def config(self, head):
        return self.configs[head]

    def task(self, head):
        def segment(frames, views=True, overlays=None):
            self.asked.append(head)
            shape = frames[0].gray.shape
            masks = {"femur": np.zeros(shape, bool)} if head == "empty" else {"head": PHANTOM.masks["head"]}
            return [Segmentation(masks, frames[0].mm_per_pixel, head)]

        return segment


def test_a_head_is_measured_and_is_right():
    taken = BiometryTask(Segmenter())(PHANTOM.frame, BRAIN)
    found = {one.name: one for one in taken.measures}
    assert list(found) == ["HC", "BPD", "OFD"]
    assert found["HC"].mm == pytest.approx(PHANTOM.truth["hc_mm"], rel=0.01)
    assert found["HC"].source == "head"
    assert found["HC"].centile_value is None
    assert taken.warnings == ()


def test_only_the_heads_of_the_plane_draw():
    segmenter = Segmenter()
    task = BiometryTask(segmenter)
    assert task.heads == ("head", "empty")  # the third is made for no measure
    task(PHANTOM.frame, BRAIN)
    assert segmenter.asked == ["head"]
    taken = task(PHANTOM.frame, FEMUR)
    assert segmenter.asked == ["head", "empty"]
    (refused,) = taken.measures
    assert refused.value is None
    (said,) = taken.warnings
    assert said.startswith("no FL: ")
    assert refused.note in said


def test_a_head_of_simulated_pictures_says_so():
    segmenter = Segmenter()
    segmenter.configs["head"] = replace(segmenter.configs["head"], simulated=True)
    taken = BiometryTask(segmenter)(PHANTOM.frame, BRAIN)
    assert taken.warnings[0] == "the head head was trained on simulated pictures only, not for real ones"
    assert taken.measures[0].mm is not None


def test_the_direction_of_a_diameter_is_told_by_another_head():
    view = draw("abdomen", 3)

    class Abdomens(Segmenter):
        def task(self, head):
            names = ("spine", "stomach") if head == "view" else ("abdomen",)
            return lambda frames, views=True, overlays=None: [
                Segmentation({n: view.masks[n] for n in names}, frames[0].mm_per_pixel)
            ]

    segmenter, plane = Abdomens(), PlaneScores({"abdomen": 0.9, "brain": 0.1})
    guides = {"spine": "view", "stomach": "view", "liver": "none"}
    segmenter.configs = {
        "head": Config("abdomen", "abdomen", ("AC", "TAD", "APAD"), guides=guides),
        "empty": Config("empty", "femur", ("FL",)),
        "view": Config("view", "abdomen", (), simulated=True),
    }
    taken = BiometryTask(segmenter)(view.frame, plane)
    for one in taken.measures[1:]:
        ends = np.array(view.calipers[one.name])
        true = np.hypot(*((ends[1] - ends[0]) * view.frame.mm_per_pixel))
        assert one.mm == pytest.approx(true, rel=0.03), one
    assert [one.name for one in taken.measures] == ["AC", "TAD", "APAD"]
    assert taken.warnings[0].startswith("the head view was trained on simulated pictures only")
    assert set(taken.masks) == {"abdomen", "spine", "stomach"}


def test_a_head_that_is_named_draws_all_its_structures_allow():
    taken = BiometryTask(Segmenter())(PHANTOM.frame, BRAIN, ["view"])
    assert {one.name for one in taken.measures} == {"HC", "BPD", "OFD", "CI"}


@pytest.mark.parametrize(
    ("plane", "said"),
    [
        (replace(BRAIN, abstained=True), "no biometry: the plane is not certain"),
        (PlaneScores({"thorax": 1.0}), "no biometry of thorax: there are heads for brain, femur"),
    ],
)
def test_without_a_plane_or_a_head_for_it_nothing_is_measured(plane, said):
    segmenter = Segmenter()
    taken = BiometryTask(segmenter)(PHANTOM.frame, plane)
    assert (taken.measures, taken.warnings, segmenter.asked) == ((), (said,), [])


def test_a_centile_is_of_a_chart_that_takes_the_measure_as_it_was_taken():
    age = IndependentAge.given(f"{round(7 * PHANTOM.truth['weeks'])}d")
    found = {one.name: one for one in BiometryTask(Segmenter())(PHANTOM.frame, BRAIN, age=age).measures}
    assert found["HC"].reference == "WHO 2017 V3"
    assert found["BPD"].reference == "INTERGROWTH-21st"  # WHO's is outer-inner, an ellipse's outer-outer
    assert all(0 <= found[name].centile_value <= 100 for name in ("HC", "BPD"))


def test_pixels_without_a_spacing_are_told_once():
    taken = BiometryTask(Segmenter())(PHANTOM.frame.with_spacing(None), BRAIN)
    assert {one.unit for one in taken.measures} == {"px"}
    (said,) = taken.warnings
    assert said.startswith("HC, BPD, OFD: no millimetres per pixel")
    assert biometry_age(taken.measures) == (None, "")


def test_the_age_of_a_measured_head_is_where_it_is_the_median():
    hc = Measurement("HC", median_hc(150), low=median_hc(147), high=median_hc(153))
    found, why = biometry_age([hc])
    assert why == ""
    assert (found.days, found.method) == (150, "biometry")
    assert found.model_low in (146, 147)  # whole days, outwards
    assert found.model_high in (153, 154)
    assert found.low < 147 < 153 < found.high
    assert found.reference


def test_without_an_interval_of_the_measure_the_age_has_the_charts_spread_only():
    found, _ = biometry_age([Measurement("HC", median_hc(150))])
    assert (found.model_low, found.model_high) == (None, None)
    assert found.low < 150 < found.high


def test_a_bound_beyond_the_chart_is_the_charts_end_and_a_head_beyond_it_has_no_age():
    found, _ = biometry_age([Measurement("HC", median_hc(100), low=median_hc(100) - 40, high=median_hc(103))])
    assert found.model_low == 98
    assert "may be lower" in found.note
    none, why = biometry_age([Measurement("HC", 60.0)])
    assert none is None
    assert "60.0 mm is not of the chart's" in why


def test_late_ages_are_no_basis_for_dates():
    found, _ = biometry_age([Measurement("HC", median_hc(230))])
    assert "re-dating" in found.note


def test_no_head_no_age():
    assert biometry_age([]) == (None, "")
    assert biometry_age([Measurement("HC", None, note="cut"), Measurement("FL", 30.0)]) == (None, "")
