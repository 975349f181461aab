"""The heart protocol on saved answers worked out by hand, and on a head."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from fetalclip import api
from fetalclip.bench import heart, heart_metrics
from fetalclip.bench.heart import from_predictions
from fetalclip.bench.heart_saved import HeartAnswers, read_saved
from fetalclip.bench.versus import compare
from fetalclip.cli import main
from fetalclip.errors import BadRecipe, UnreadableInput, UsageError
from fetalclip.fit.clips import TEST, Clip, Clips
from fetalclip.frame import Frame
from fetalclip.metrics import auroc
from fetalclip.models.heart import HeartNet, HeartShape
from fetalclip.models.heart_head import Gate, save_heart
from fetalclip.tasks.track import shots_of

GOOD = {
    "findings": ["hole", "fluid"],
    "probability": [[0.9, 0.2], [0.4, 0.7], [0.6, 0.1], [0.1, 0.3], [0.2, 0.2]],
    "label": [[1, 0], [1, None], [0, 0], [0, 1], [0, 0]],
    "patient": ["a", "b", "c", "d", "e"],
}


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    """Values are looked at here, and not their intervals."""
    monkeypatch.setattr(heart_metrics, "RESAMPLES", 40)


@pytest.fixture
def saved(tmp_path):
    def write(**change):
        path = tmp_path / "answers.json"
        path.write_text(json.dumps({**GOOD, **change}))
        return path

    return write


def test_by_hand(saved):
    result = from_predictions(saved())
    # hole: 0.9 beats 3, 0.4 beats two of 0.6, 0.1, 0.2; fluid: 0.3 beats 0.2, 0.1, 0.2, one clip unknown.
    assert result["hole_auroc"].found.value == pytest.approx(5 / 6)
    assert result["fluid_auroc"].found.value == 1.0
    assert result["auroc_mean"].found.value == pytest.approx((5 / 6 + 1) / 2)
    assert result["fluid_auroc"].found.n == 4
    # Pooled pairs: positives 0.9, 0.4, 0.3 against 0.2, 0.6, 0.1, 0.1, 0.2, 0.2.
    assert result["auroc"].found.value == pytest.approx((6 + 5 + 5) / 18)
    assert result["hole_average_precision"].found.value == pytest.approx((1 + 2 / 3) / 2)
    assert result["hole_sensitivity"].found.value == 0.5
    assert result["fluid_sensitivity"].found.value == 1.0
    p, true = np.array([0.9, 0.4, 0.6, 0.1, 0.2]), np.array([1, 1, 0, 0, 0])
    assert result["hole_ece"].found.value == pytest.approx(np.abs(p - true).mean())  # each in a bin of its own
    assert result.null["share of clips with it"] == {"hole": 0.4, "fluid": 0.25}
    assert result.n == 5
    json.dumps(result.to_dict(), allow_nan=False)
    assert "hole (2 of 5)" in str(result)


def test_severities_and_what_was_never_trained(saved):
    severity = [{"hole": 0.5}, {"hole": 1.0}, {}, {"mass": 0.5}, {}]
    abstained = [[True, True], [False, True], [False, False], [True, True], [False, False]]
    result = from_predictions(saved(severity=severity, mildest_trained=0.5, abstained=abstained))
    assert result["auroc_mildest"].found.value == 1.0  # 0.9 against 0.6, 0.2, 0.1, 0.2
    assert result["auroc_mildest"].goal.target == 0.9
    curve = {(part.by, part.name): part.metrics[0].found.value for part in result.subgroups}
    assert curve == {("severity of hole", "0.50"): 1.0, ("severity of hole", "1.00"): 0.5}
    assert result["mass_any_auroc"].found.value == 0.5  # 0.3 against 0.6 and 0.2
    assert result["mass_abstained"].found.value == 1.0
    assert result["abstained"].found.value == 0.5
    assert result["abstained_clips"].found.value == pytest.approx(0.4)
    assert any("never of diagnosis" in note for note in result.notes)


def test_what_one_frame_shows(saved):
    single = [[0.5, 0.2], [0.5, 0.7], [0.5, 0.1], [0.5, 0.3], [0.5, 0.2]]
    result = from_predictions(saved(single_frame=single))
    assert result["hole_single_frame"].found.value == 0.5
    assert result["hole_single_frame_loss"].found.value == pytest.approx(5 / 6 - 0.5)
    assert result["fluid_single_frame_loss"].found.value == 0.0
    answers = read_saved(saved(single_frame=single))
    moving = HeartAnswers(**{**answers.__dict__, "motion": ("hole",)})
    assert heart.result(moving, {}, [])["hole_single_frame_loss"].goal.target == 0.1


def test_without_patients_it_is_told(saved):
    result = from_predictions(saved(patient=None))
    assert 'no "patient"' in result.notes[0]


def test_against_another_head(saved, tmp_path):
    first = from_predictions(saved())
    other = from_predictions(saved(probability=[[0.5, 0.5]] * 5))
    both = compare(first, other, "baseline")
    assert both["versus_hole_auroc"].found.value == pytest.approx(5 / 6 - 0.5)
    assert both["hole_auroc"].rival.value == 0.5


def test_the_command(saved, capsys):
    assert main(["bench", "heart", "--predictions", str(saved()), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["protocol"] == "heart"
    assert told["metrics"]["hole_auroc"]["value"] == pytest.approx(5 / 6)
    assert main(["bench", "heart", "--simulated", "3", "--root", "."]) == 2
    assert main(["bench", "heart", "--root", "nowhere"]) == 3


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"findings": []}, "findings"),
        ({"findings": ["a", "a"]}, "findings"),
        ({"probability": [[0.9, 1.2]] * 5}, "row 1"),
        ({"probability": [[0.9]] * 5}, "row 1"),
        ({"probability": [[0.9, math.nan]] * 5}, "row 1"),
        ({"label": [[1, 0], [2, 0], [0, 0], [0, 1], [0, 0]]}, "row 2"),
        ({"label": GOOD["label"][:4]}, "4 of label"),
        ({"patient": ["a"]}, "1 of patient"),
        ({"patient": [None] * 5}, "patient"),
        ({"severity": [{}] * 4}, "4 of severity"),
        ({"severity": [{"hole": 2}] * 5}, "row 1"),
        ({"single_frame": [[0.5, 0.5]]}, "1 of single_frame"),
        ({"abstained": [[1, 0]] * 5}, "abstained"),
        ({"mildest_trained": "low"}, "mildest_trained"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(saved, change, part):
    with pytest.raises(UnreadableInput, match=part):
        from_predictions(saved(**change))


def head_folder(model, folder, findings=("hole", "fluid"), **more):
    torch.manual_seed(0)
    net, gate = HeartNet(HeartShape("attention", 16, len(findings), 16, 16, 1, 2)), Gate(16)
    config = {
        "name": folder.name,
        "license": "CC0-1.0",
        "simulated": False,
        "findings": list(findings),
        "encoder": {"name": "tiny", "sha256": model.encoder.embedding_sha256},
        "clips": {"overlay": "keep", "rate": 60.0, "stride": 8, "join": "mean", "segment": False},
        "temperatures": dict.fromkeys(findings, 1.0),
        "offsets": dict.fromkeys(findings, 0.0),
        "bounds": {name: [0.6, 0.6] for name in findings},
        "level": 0.9,
        "gate": 1e6,
        "stranger": 1e6,
        **more,
    }
    return save_heart(net, gate, config, folder)


def clip(number: int, fold: int | None) -> Clip:
    rng = np.random.default_rng(number)
    frames = [Frame(rng.integers(0, 255, (40, 40)).astype(np.uint8)) for _ in range(10)]
    labels = np.array([np.nan, float(number % 2), float(number % 3 == 0)])
    return Clip(lambda: shots_of(frames), f"p{number // 2}", labels, fold, f"bench {number}")


@pytest.mark.filterwarnings("ignore:fetalclip-tiny HAS RANDOM WEIGHTS")
def test_a_head_on_the_marked_rows_of_a_table(monkeypatch, tmp_path):
    model = api.load("fetalclip-tiny")
    folder = head_folder(model, tmp_path / "head")
    clips = Clips(("other", "fluid", "hole"), tuple(clip(i, TEST if i > 3 else 0) for i in range(12)), False)
    monkeypatch.setattr(heart, "table_clips", lambda *_, **__: clips)
    result = heart.run(model, tmp_path, heart.Options(head=folder))
    assert result.n == 8
    said = [model.heart(list(c.open()), folder) for c in clips.clips[4:]]
    hole = np.array([score["hole"].probability for score in said])
    true = np.array([c.labels[2] for c in clips.clips[4:]])
    assert result["hole_auroc"].found.value == pytest.approx(auroc(hole, true > 0.5))
    assert result["hole_auroc"].found.groups == 4
    share = np.mean([finding.abstained for score in said for finding in score.findings.values()])
    assert result["abstained"].found.value == pytest.approx(share)
    assert result.notes == ()
    assert result.provenance["head"] == "head"
    assert heart.run(model, tmp_path, heart.Options(head=folder, limit=3)).n == 3
    unmarked = Clips(clips.findings, tuple(clip(i, None) for i in range(6)), False)
    monkeypatch.setattr(heart, "table_clips", lambda *_, **__: unmarked)
    assert "has seen them" in heart.run(model, tmp_path, heart.Options(head=folder)).notes[0]
    other = head_folder(model, tmp_path / "other", ("hole",))
    with pytest.raises(UsageError, match="single frames"):
        heart.run(model, tmp_path, heart.Options(head=folder, single=other))
    with pytest.raises(BadRecipe, match="'mass'"):
        heart.run(model, tmp_path, heart.Options(head=head_folder(model, tmp_path / "third", ("mass",))))


def test_simulated_clips_of_the_protocol():
    hearts = pytest.importorskip("fetalclip.phantom.hearts")
    clips = heart.simulated_test(2, ("cardiomegaly", "arrhythmia"), (0.25, 0.5))
    assert len(clips.clips) == 2 * 2 * len(hearts.FINDINGS) + 8
    at = [c for c in clips.clips if "cardiomegaly" in c.severity]
    assert [c.severity["cardiomegaly"] for c in at] == [0.25, 0.25, 0.5, 0.5]
    assert len({c.patient for c in at}) == 2  # the same hearts at every severity
    assert clips.labels.sum(axis=0).tolist() == [4, 4]
    healthy = {c.patient for c in clips.clips if not c.severity}
    assert len(healthy) == 8
    assert healthy.isdisjoint(c.patient for c in clips.clips if c.severity)
