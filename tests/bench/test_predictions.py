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
    result = planes_from_predictions(_write(tmp_path, {"prediction": ["femur", "brain"], "label": ["femur", "brain"]}))
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
        ({"prediction": ["brain"]}, "no 'label'"),
        ({"prediction": ["brain"], "label": ["brain", "femur"]}, "1 of prediction, 2 of label"),
        ({"prediction": ["brain"], "label": ["brain"], "group": []}, "0 of group"),
        ({"prediction": [0.5], "label": ["brain"]}, "unusable 'prediction'"),
        ({"prediction": [True], "label": ["brain"]}, "unusable 'prediction'"),
        ({"prediction": "brain", "label": "brain"}, "unusable 'prediction'"),
        ({"prediction": [], "label": []}, "no labelled picture"),
        ({"prediction": ["brain"], "label": ["Other"]}, "no labelled picture"),
        ({"prediction": ["brain"], "label": ["brain"], "scores": []}, "0 of scores"),
        ({"prediction": ["brain"], "label": ["brain"], "scores": {}}, "unusable 'scores'"),
        ({"prediction": ["brain"], "label": ["brain"], "scores": [{}]}, "unusable 'scores'"),
        ({"prediction": ["brain"], "label": ["brain"], "scores": [[1.0]]}, "unusable 'scores'"),
        ({"prediction": ["brain"], "label": ["brain"], "scores": [{"brain": 1.5}]}, "unusable 'scores'"),
        ({"prediction": ["brain"], "label": ["brain"], "scores": [{"brain": True}]}, "unusable 'scores'"),
        ({"prediction": ["brain"], "label": ["brain"], "scores": [{"heart": 0.5, "thorax": 0.5}]}, "unusable 'scores'"),
        ({"prediction": ["brain"], "label": ["brain"], "scores": [{"femur": 1.0}]}, "'brain' without a score"),
        (
            {"prediction": ["brain"] * 2, "label": ["brain"] * 2, "scores": [{"brain": 1}, {"femur": 1}]},
            "unusable 'scores'",
        ),
        ('{"prediction": ["brain"], "label": ["brain"], "scores": [{"brain": NaN}]}', "unusable 'scores'"),
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
    result = planes_from_predictions(_write(tmp_path, {"prediction": ["brain"], "label": ["brain"]}))
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
    assert result["macro_f1"].goal.target == 0.78
    assert result["ece"].goal is not None
    assert (result["ece"].goal.target, result["ece"].goal.at_most) == (0.06, True)
    assert {m.name for m in result.missed} == {"macro_f1", "ece"}


def test_any_other_candidate_is_a_wrong_answer_and_no_class(tmp_path: Path) -> None:
    # published words, under their own and other names; F1 by hand over the five classes of the labels
    label = ["heart", "chest", "brain", "head", "abdomen", "femur", "femur", "cervix"]
    prediction = ["thorax", "spine", "brain", "kidney", "abdomen", "femur", "profile_patient", "lips_nose"]
    result = planes_from_predictions(_write(tmp_path, {"prediction": prediction, "label": label}))
    wanted = {"thorax": 2 / 3, "brain": 2 / 3, "abdomen": 1.0, "femur": 2 / 3, "cervix": 0.0}
    assert {name: result[f"f1_{name}"].found.value for name in wanted} == pytest.approx(wanted)
    assert result["macro_f1"].found.value == pytest.approx(sum(wanted.values()) / 5)
    assert [m.name for m in result.metrics if m.name.startswith("f1_")] == [f"f1_{name}" for name in sorted(wanted)]
    assert result.confusion is not None
    assert result.confusion.answers[5:] == ("kidney", "lips_nose", "profile_patient", "spine")


def test_planes_and_subplanes_in_one_file_are_the_mean_of_all_classes(tmp_path: Path) -> None:
    planes = {"prediction": ["brain", "heart", "kidney"], "label": ["brain", "heart", "heart"]}
    brains = {
        "prediction": ["trans-thalamic", "trans-thalamic", "trans-ventricular"],
        "label": ["trans-thalamic", "trans-cerebellum", "trans-ventricular"],
    }
    one = planes_from_predictions(_write(tmp_path, planes))["macro_f1"].found.value
    other = subplanes_from_predictions(_write(tmp_path, brains))["macro_f1"].found.value
    both = {key: planes[key] + brains[key] for key in planes}
    together = planes_from_predictions(_write(tmp_path, both))["macro_f1"].found.value
    assert one == pytest.approx((1 + 2 / 3) / 2)
    assert other == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert together == pytest.approx((2 * one + 3 * other) / 5)


@pytest.mark.parametrize(
    ("read", "prediction", "label", "says"),
    [
        (planes_from_predictions, ["brain", "banana"], ["brain", "femur"], "row 2: the prediction 'banana'"),
        (planes_from_predictions, ["brain", "femur"], ["brain", "banana"], "row 2: the label 'banana'"),
        (planes_from_predictions, ["trans-thalamic"], ["brain"], "row 1: the prediction 'trans-thalamic'"),
        (planes_from_predictions, ["kidney"], ["trans-thalamic"], "row 1: the prediction 'kidney'"),
        (planes_from_predictions, ["Other"], ["brain"], "row 1: the prediction 'Other'"),
        (planes_from_predictions, [9], [0], "row 1: the prediction '9'"),
        (subplanes_from_predictions, ["brain"], ["Trans-thalamic"], "row 1: the prediction 'brain'"),
        (subplanes_from_predictions, [2, 3], [2, 2], "row 2: the prediction '3'"),
        (subplanes_from_predictions, ["trans-thalamic"], ["femur"], "row 1: the label 'femur'"),
    ],
)
def test_what_was_no_candidate_is_named_with_its_row(tmp_path: Path, read, prediction, label, says) -> None:
    with pytest.raises(UnreadableInput, match=says) as raised:
        read(_write(tmp_path, {"prediction": prediction, "label": label}))
    assert "trans-thalamic" in str(raised.value) or "heart, head, chest too" in str(raised.value)


def test_published_label_names_mean_the_same(tmp_path: Path) -> None:
    data = {
        "prediction": ["heart", "cervix", "BRAIN", "head"],
        "label": ["Fetal thorax", "Maternal cervix", "Fetal brain", "Other"],
    }
    result = planes_from_predictions(_write(tmp_path, data))
    assert (result.n, result["macro_f1"].found.value) == (3, 1.0)


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        ('[{"brain": 1.0}, {"brain": NaN}]', "row 2 has nan for brain"),
        ('[{"brain": 1.0}, {"brain": 1.5}]', "row 2 has 1.5 for brain"),
        ('[{"brain": 1.0}, {"femur": 1.0}]', "row 2 has other classes"),
        ('[{"brain": 1.0, "banana": 0}, {"brain": 1.0, "banana": 0}]', "the class 'banana'"),
    ],
)
def test_a_bad_score_is_named_with_its_row(tmp_path: Path, scores: str, says: str) -> None:
    text = '{"prediction": ["brain", "brain"], "label": ["brain", "brain"], "scores": ' + scores + "}"
    with pytest.raises(UnreadableInput, match=says):
        planes_from_predictions(_write(tmp_path, text))


def test_machines_and_operators_part_the_answers(tmp_path: Path) -> None:
    data = {
        "prediction": ["brain", "brain", "femur", "femur", "brain"],
        "label": ["brain", "femur", "femur", "femur", "Other"],
        "machine": ["E6", "E6", "S10", "S10", "E6"],
        "operator": ["Op. 1", "Op. 1", "Op. 1", "Op. 1", "Op. 1"],
        "scores": [{"brain": p, "femur": 1 - p} for p in (0.8, 0.8, 0.2, 0.2, 0.8)],
    }
    result = planes_from_predictions(_write(tmp_path, data))
    # one operator parts nothing; the picture labelled Other is in no part
    assert [(part.by, part.name, part.metrics[0].found.n) for part in result.subgroups] == [
        ("machine", "E6", 2),
        ("machine", "S10", 2),
    ]
    first = {metric.name: metric.found.value for metric in result.subgroups[0].metrics}
    assert first == pytest.approx({"macro_f1": (2 / 3 + 0) / 2, "accuracy": 0.5, "ece": 0.3})
    told = result.to_dict()["subgroups"]
    assert told[1]["metrics"]["accuracy"]["value"] == 1.0
    assert "By machine" in str(result)
    assert "E6" in str(result)


def test_risk_and_coverage_come_with_scores(tmp_path: Path) -> None:
    data = {
        "prediction": ["brain", "brain", "femur"],
        "label": ["brain", "femur", "femur"],
        "scores": [{"brain": p, "femur": 1 - p} for p in (0.9, 0.6, 0.3)],
    }
    result = planes_from_predictions(_write(tmp_path, data))
    assert [(p.coverage, p.risk) for p in result.risk_coverage] == [(1 / 3, 0), (2 / 3, 0), (1.0, 1 / 3)]
    assert result["aurc"].found.value == pytest.approx((0 + 0 + 1 / 3) / 3)
    assert result["ece_adaptive"].found.value == pytest.approx((0.1 + 0.6 + 0.3) / 3)
    assert len(result.to_dict()["risk_coverage"]) == 3
