"""The protocol of attribution maps: its parts on cases with a known answer, saved rows, and the bundled model."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import fetalclip as fc
from fetalclip.bench.explain import Options, from_predictions, run
from fetalclip.bench.explain_curves import areas, centre_heat, random_heat
from fetalclip.bench.explain_rows import OFF_CENTRE, Rows
from fetalclip.bench.explain_sanity import STAGES, randomised, rank_correlation
from fetalclip.cli import main
from fetalclip.errors import DataMissing, UnreadableInput, UsageError
from fetalclip.explain.explainer import finish
from fetalclip.overlay import find_overlay
from fetalclip.phantom import PLANES, draw
from fetalclip.preprocess import prepare
from fetalclip.preprocess.letterbox import Letterbox

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def model() -> fc.FetalCLIP:
    return fc.load("fetalclip-open", device="cpu")


class Corner:
    """An encoder and a question in one: the score is how bright the brightest pixel of the upper left quarter is."""

    def images(self, pictures):
        return np.array([[p[:8, :8].max()] for p in pictures], np.float32)

    def of(self, images):
        return (images[:, 0] - 150) / 20


def test_curves_of_a_score_that_is_known():
    square = np.full((32, 32), 10, np.uint8)
    square[2:6, 2:6] = 255
    everywhere, right, wrong = np.ones((32, 32), bool), np.zeros((32, 32), np.float32), np.zeros((32, 32), np.float32)
    right[:8, :8] = 1
    wrong[8:, :] = wrong[:, 8:] = 1
    known = Corner()
    good, bad = areas(known, known, square, everywhere, [right, wrong])
    assert good[0] < bad[0]  # deletion: the answer goes at once
    assert good[1] > bad[1]  # insertion: it comes at once
    assert ((np.array([good, bad]) >= 0) & (np.array([good, bad]) <= 1)).all()
    nowhere = areas(known, known, square, np.zeros((32, 32), bool), [right])[0]
    assert np.isfinite(nowhere).all()  # nothing is deleted outside the sector


def test_chance_and_centre():
    first, second = random_heat(48, 1), random_heat(48, 2)
    np.testing.assert_array_equal(first, random_heat(48, 1))
    assert abs(rank_correlation(first, second, np.ones((48, 48), bool))) < 0.4
    heat = centre_heat(30, 100)
    columns = np.mgrid[0:30, 0:100][1] + 0.5
    assert np.sqrt((heat.sum(0) * (columns[0] - 50) ** 2).sum() / heat.sum()) == pytest.approx(12, abs=0.2)
    assert heat.argmax() in (14 * 100 + 49, 14 * 100 + 50, 15 * 100 + 49, 15 * 100 + 50)


def test_rank_correlation():
    a = np.arange(16, dtype=np.float32).reshape(4, 4)
    everywhere = np.ones((4, 4), bool)
    assert rank_correlation(a, a**3, everywhere) == pytest.approx(1)
    assert rank_correlation(a, -a, everywhere) == pytest.approx(-1)
    assert rank_correlation(a, np.zeros_like(a), everywhere) == 0
    assert rank_correlation(a, a, ~everywhere) == 0


def test_weights_are_drawn_anew_from_the_top_down(model):
    trained = model.encoder.model.visual
    before = copy.deepcopy(trained.state_dict())
    state = torch.random.get_rng_state()
    counts = []
    for stage in STAGES:
        tower = randomised(model.encoder, stage, 0)
        same = [name for name, value in tower.state_dict().items() if torch.equal(value, before[name])]
        counts.append(len(same))
        assert not tower.training
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == len(STAGES)
    weights = [name for name in before if name.endswith("weight")]
    left = randomised(model.encoder, "all", 0).state_dict()
    assert not any(torch.equal(left[name], before[name]) for name in weights)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in trained.state_dict().items())


@pytest.mark.slow
def test_the_map_goes_when_the_weights_go(model):
    """The sanity check on simulated views."""
    tower, found = randomised(model.encoder, "all", 0), []
    explainer = model.explainer
    method = explainer.method()
    for plane in PLANES:
        for seed in (1, 2):
            frame = draw(plane, seed, "test").frame
            ready, sector = prepare(frame, 192), find_overlay(frame.gray).sector
            question = explainer.ask(plane)
            maps = [
                finish(explainer.grid(ready, question, method, sector, one), ready.letterbox, 1.0, sector)
                for one in (None, tower)
            ]
            found.append(rank_correlation(*maps, sector))
    assert np.mean(found) <= 0.3


@pytest.mark.slow
def test_deleting_what_is_hot_costs_more_than_deleting_by_chance(model):
    """On simulated views; the goal is that of the protocol."""
    won = []
    explainer = model.explainer
    method = explainer.method()
    for plane in PLANES:
        for seed in range(3):
            frame = draw(plane, seed, "test").frame
            overlay = find_overlay(frame.gray)
            ready = prepare(frame, 192, "mask", False, overlay)
            question, box = explainer.ask(plane), Letterbox(192, 192, 192)
            sector = ready.letterbox.mask_in(overlay.sector)
            heat = finish(explainer.grid(ready, question, method, overlay.sector), box, method.power, sector)
            mine, chance = areas(explainer.encoder, question, ready.pixels, sector, [heat, random_heat(192, seed)])
            won.append(mine[0] < chance[0])
    assert np.mean(won) >= 0.8  # twelve views: 10 of them


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "hc18").is_dir(), reason="the data sets are not in ../shared/data")
def test_a_quick_look_at_the_real_thing(model):
    found = run(model, DATA, Options("val", limit=4, reference=False, show_progress=False))
    assert found["deletion_wins"].found.n == 4
    assert found["inside"].found.n == 4
    assert found["correlation_all"].goal is not None
    assert found["inside_over_centre_off_centre"].found.n <= 4
    assert any("quick look" in note for note in found.notes)


def saved() -> dict[str, list[dict]]:
    curves = [
        {"group": str(i), "deletion": {"mine": 0.2, "random": 0.4}, "insertion": {"mine": 0.7, "random": 0.6}}
        for i in range(4)
    ]
    curves[3]["deletion"]["mine"] = 0.5
    stages = {stage: {"mine": -0.4 if stage == "all" else 0.6} for stage in STAGES}
    heads = [
        {"group": "a", "offset": 0.02, "inside": {"mine": 0.9, "centre": 0.95}},
        {"group": "b", "offset": OFF_CENTRE + 0.1, "inside": {"mine": 0.9, "centre": 0.5}},
        {"group": "c", "offset": OFF_CENTRE + 0.1, "inside": {"mine": 0.8, "centre": 0.6}},
    ]
    return {"curves": curves, "sanity": [{"group": "a", "correlation": stages}], "heads": heads}


def test_saved_rows(tmp_path, capsys):
    file = tmp_path / "rows.json"
    file.write_text(json.dumps(saved()))
    found = from_predictions(file)
    assert found["deletion_wins"].found.value == 0.75
    assert found["insertion_wins"].found.value == 1.0
    assert found["correlation_all"].found.value == pytest.approx(-0.4)
    assert found["absolute_correlation_all"].found.value == pytest.approx(0.4)
    assert found["inside_over_centre_off_centre"].found.value == pytest.approx(0.3)
    assert found["inside_over_centre"].found.value == pytest.approx((-0.05 + 0.4 + 0.2) / 3)
    assert [metric.name for metric in found.missed] == ["deletion_wins"]
    assert main(["bench", "explain", "--predictions", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["protocol"] == "explain"


def test_two_files_are_compared_picture_by_picture(tmp_path, capsys):
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    first.write_text(json.dumps(saved()))
    worse = saved()
    for row in worse["curves"]:
        row["deletion"]["mine"] += 0.1
    second.write_text(json.dumps(worse))
    assert main(["bench", "explain", "--predictions", str(first), "--versus", str(second), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["metrics"]
    assert told["versus_deletion"]["value"] == pytest.approx(-0.1)
    assert told["versus_insertion"]["value"] == 0
    assert main(["bench", "explain", "--predictions", str(first), "--plot", str(tmp_path / "p.png")]) == 2


def change(key: str, value: object) -> dict[str, list[dict]]:
    data = saved()
    data[key] = [value]  # type: ignore[list-item]
    return data


@pytest.mark.parametrize(
    "data",
    [
        "x",
        "[]",
        {},
        {"curves": 3},
        change("curves", {"group": "a", "deletion": {"mine": 0.1}, "insertion": {"mine": 0.1}}),
        change("curves", {"group": "a", "deletion": {"random": "a"}, "insertion": {"random": 0.1}}),
        change("curves", {"deletion": {"random": 0.1}, "insertion": {"random": 0.1}}),
        change("heads", {"group": "a", "inside": {"centre": 0.1}}),
        change("heads", {"group": "a", "offset": True, "inside": {"centre": 0.1}}),
        change("sanity", {"group": "a", "correlation": {"all": {"mine": 0.1}}}),
        change("sanity", 7),
    ],
)
def test_files_that_are_no_rows(tmp_path, data):
    file = tmp_path / "wrong.json"
    file.write_text(data if isinstance(data, str) else json.dumps(data))
    with pytest.raises(UnreadableInput, match=r"wrong\.json"):
        from_predictions(file)


def test_rows_without_a_map_of_the_method_have_no_row():
    assert [metric.name for metric in Rows().metrics("mine")] == []


def test_wrong_calls(model, tmp_path):
    with pytest.raises(UsageError):
        run(model, tmp_path, Options(limit=0))
    with pytest.raises(UsageError, match="rollout"):
        run(model, tmp_path, Options(method="rollout"))
    with pytest.raises(DataMissing):
        run(model, tmp_path, Options(reference=False, show_progress=False))
    assert main(["bench", "explain", "--root", str(tmp_path), "--method", "magic"]) == 2
