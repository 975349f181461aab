"""Saved answers through the same table."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from fetalclip.bench import planes_from_predictions
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
    ],
)
def test_another_shape_is_one_clear_error(tmp_path: Path, data: Any, says: str) -> None:
    with pytest.raises(UnreadableInput, match=says):
        planes_from_predictions(_write(tmp_path, data))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match=r"gone\.json"):
        planes_from_predictions(tmp_path / "gone.json")
