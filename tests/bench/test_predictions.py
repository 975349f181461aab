"""Saved answers through the same table."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from fetalclip.bench import planes_from_predictions, subplanes_from_predictions
from fetalclip.errors import UnreadableInput


def _write(folder: Path, data: Any) -> Path:
    path = folder / "answers.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def test_by_hand_with_patients(tmp_path: Path) -> None:
    data = {
        "prediction": ["femur", "kidney", "heart", "brain", "brain", "femur"],
        "label": ["femur", "femur", "thorax", "brain", "brain", "Other"],
        "group": [1, 1, 2, 2, 3, 3],
    }
    result = planes_from_predictions(_write(tmp_path, data))
    assert result.n == 5  # Other is left out
    assert result["macro_f1"].found.value == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert result["f1_femur"].found.value == pytest.approx(2 / 3)
    assert result["accuracy"].found.value == 0.8
    assert result["macro_f1"].found.groups == 3
    assert result.null["constant answer"]["accuracy"] == 0.4
    assert not any("group" in note for note in result.notes)
    json.dumps(result.to_dict(), allow_nan=False)
    assert result.to_dict()["metrics"]["macro_f1"]["value"] == result["macro_f1"].found.value  # unrounded


def test_cervix_counts_when_it_is_in_the_truth(tmp_path: Path) -> None:
    data = {"prediction": ["cervix", "brain"], "label": ["cervix", "cervix"]}
    assert planes_from_predictions(_write(tmp_path, data))["f1_cervix"].found.value == pytest.approx(2 / 3)


def test_without_patients_a_note_says_the_intervals_are_too_narrow(tmp_path: Path) -> None:
    result = planes_from_predictions(_write(tmp_path, {"prediction": ["a", "b"], "label": ["a", "b"]}))
    assert "too narrow" in result.notes[0]
    assert not math.isnan(result["macro_f1"].found.low)


def test_numbers_as_classes(tmp_path: Path) -> None:
    result = planes_from_predictions(_write(tmp_path, {"prediction": [0, 1, 1], "label": [0, 1, 0]}))
    assert result["accuracy"].found.value == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("{", "not JSON"),
        ("[]", "list"),
        ({"prediction": ["a"]}, "no 'label'"),
        ({"prediction": ["a"], "label": ["a", "b"]}, "1 of prediction, 2 of label"),
        ({"prediction": ["a"], "label": ["a"], "group": []}, "0 of group"),
        ({"prediction": [0.5], "label": ["a"]}, "unusable 'prediction'"),
        ({"prediction": [True], "label": ["a"]}, "unusable 'prediction'"),
        ({"prediction": "a", "label": "a"}, "unusable 'prediction'"),
        ({"prediction": [], "label": []}, "no labelled picture"),
        ({"prediction": ["a"], "label": ["Other"]}, "no labelled picture"),
        ({"prediction": ["a"], "label": ["a"], "scores": []}, "0 of scores"),
        ({"prediction": ["a"], "label": ["a"], "scores": {}}, "unusable 'scores'"),
        ({"prediction": ["a"], "label": ["a"], "scores": [{}]}, "unusable 'scores'"),
        ({"prediction": ["a"], "label": ["a"], "scores": [[1.0]]}, "unusable 'scores'"),
        ({"prediction": ["a"], "label": ["a"], "scores": [{"a": 1.5}]}, "unusable 'scores'"),
        ({"prediction": ["a"], "label": ["a"], "scores": [{"a": True}]}, "unusable 'scores'"),
        ({"prediction": ["a"], "label": ["a"], "scores": [{"heart": 0.5, "thorax": 0.5}]}, "unusable 'scores'"),
        ({"prediction": ["a"], "label": ["a"], "scores": [{"b": 1.0}]}, "'a' without a score"),
        ({"prediction": ["a", "a"], "label": ["a", "a"], "scores": [{"a": 1}, {"b": 1}]}, "unusable 'scores'"),
        ('{"prediction": ["a"], "label": ["a"], "scores": [{"a": NaN}]}', "unusable 'scores'"),
    ],
)
def test_another_shape_is_one_clear_error(tmp_path: Path, data: Any, says: str) -> None:
    with pytest.raises(UnreadableInput, match=says):
        planes_from_predictions(_write(tmp_path, data))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match=r"gone\.json"):
        planes_from_predictions(tmp_path / "gone.json")


def test_scores_bring_calibration(tmp_path: Path) -> None:
    data = {
        "prediction": ["heart", "brain", "brain", "brain"],
        "label": ["thorax", "brain", "thorax", "Other"],
        "scores": [{"heart": p, "brain": 1 - p} for p in (0.8, 0.3, 0.4, 0.1)],
    }
    result = planes_from_predictions(_write(tmp_path, data))
    assert result["brier"].found.value == pytest.approx((2 * 0.2**2 + 2 * 0.3**2 + 2 * 0.6**2) / 3)
    assert result["ece"].found.value == pytest.approx((0.2 + 0.3 + 0.6) / 3)
    assert result["ece"].goal is None
    assert sum(point.n for point in result.reliability) == 3
    json.dumps(result.to_dict(), allow_nan=False)


def test_without_scores_there_is_no_calibration(tmp_path: Path) -> None:
    result = planes_from_predictions(_write(tmp_path, {"prediction": ["a"], "label": ["a"]}))
    assert result.reliability == ()
    assert not {"brier", "ece", "ece_corrected"} & {metric.name for metric in result.metrics}


def test_subplanes_under_their_published_names(tmp_path: Path) -> None:
    data = {
        "prediction": ["trans-thalamic", "Trans-cerebellum", "trans-thalamic", "trans-ventricular"],
        "label": ["Trans-thalamic", "Trans-cerebellum", "Trans-ventricular", "Not A Brain"],
        "group": [1, 2, 3, 3],
        "scores": [{"Trans-thalamic": 0.6, "Trans-cerebellum": 0.3, "Trans-ventricular": 0.1}] * 4,
    }
    result = subplanes_from_predictions(_write(tmp_path, data))
    assert (result.protocol, result.n) == ("subplanes", 3)
    assert result["macro_f1"].found.value == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert result["macro_f1"].goal is not None
    assert result["macro_f1"].goal.target == 0.75
    assert result["ece"].goal is not None
    assert (result["ece"].goal.target, result["ece"].goal.at_most) == (0.08, True)
    assert {m.name for m in result.missed} == {"macro_f1", "ece"}
