"""Masks beside the true ones: what is counted of them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from fetalclip.bench.head_segmentation import from_predictions
from fetalclip.bench.overlaps import Overlaps, distances
from fetalclip.bench.structures import from_predictions as structures_from
from fetalclip.errors import DataMissing, UnreadableInput


def box(top, left, high, wide):
    mask = np.zeros((40, 60), bool)
    mask[top : top + high, left : left + wide] = True
    return mask


def test_dice_by_picture_and_pooled():
    found = Overlaps(["a", "b", "c"], [8, 0, 0], [10, 30, 0], [10, 10, 0], [math.nan] * 3, [math.nan] * 3)
    assert found.dice().tolist() == [0.8, 0.0, 1.0]
    assert found.pooled(np.arange(3)) == pytest.approx(16 / 60)
    rows = {metric.name: metric for metric in found.metrics("", "s", "patients")}
    assert rows["dice"].found.value == pytest.approx(0.6)
    assert rows["empty"].found.value == pytest.approx(1 / 3)
    assert math.isnan(rows["hausdorff_95"].found.value)


def test_distances_are_in_millimetres_of_either_axis():
    pytest.importorskip("monai")
    far, near = distances(box(10, 10, 10, 20), box(12, 10, 10, 20), (0.5, 2.0))
    assert far == pytest.approx(4.0)  # two rows of 2 mm
    assert 0 < near < 4.0
    assert distances(box(5, 5, 9, 9), box(5, 5, 9, 9), None) == (0.0, 0.0)
    assert all(math.isnan(v) for v in distances(box(5, 5, 9, 9), box(0, 0, 0, 0), None))


def test_saved_counts_give_the_table(tmp_path):
    path = tmp_path / "counts.json"
    head = {"both": [90, 50], "said": [100, 50], "true": [100, 50]}
    path.write_text(json.dumps({"group": ["a", "b"], "structures": {"head": head}}))
    result = from_predictions(path)
    assert result["dice"].found.value == pytest.approx(0.95)
    assert result["dice"].goal.met(0.95) is False
    assert result.n == 2
    with pytest.raises(DataMissing, match="brain"):
        structures_from(path)


@pytest.mark.parametrize(
    "head", [{"both": [1]}, {"both": [200, 1], "said": [100, 50], "true": [100, 50]}, {"both": [1, 1.5]}, 3]
)
def test_counts_that_cannot_be_are_refused(tmp_path, head):
    path = tmp_path / "counts.json"
    path.write_text(json.dumps({"group": ["a", "b"], "structures": {"head": head}}))
    with pytest.raises(UnreadableInput):
        from_predictions(path)
