"""Protocols ``probe`` and ``few-shot`` on a small data set of simple pictures, and what they must not do."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fetalclip.bench import few_shot, probe
from fetalclip.bench.learned import mark
from fetalclip.cards import Card
from fetalclip.cli import main
from fetalclip.data import read_dataset
from fetalclip.errors import DataMissing, UsageError
from fetalclip.fit.few import Learned, paired_mean

PLANES = {"Fetal abdomen": 40, "Fetal brain": 90, "Fetal femur": 150, "Fetal thorax": 220}
BRAINS = ("Trans-thalamic", "Trans-cerebellum", "Trans-ventricular")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures whose grey level is their plane, and whose slope is their sub-plane; five patients a side and class."""
    folder = tmp_path_factory.mktemp("data")
    images = folder / "fetal_planes_db" / "Images"
    images.mkdir(parents=True)
    lines = ["Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train "]
    random, number = np.random.default_rng(0), 0
    for train in (1, 0):
        for plane, grey in PLANES.items():
            for i in range(18 if plane == "Fetal brain" else 6):
                number += 1
                brain = BRAINS[i % 3] if plane == "Fetal brain" else "Not A Brain"
                slope = np.linspace(-30, 30, 48) * (0, 1, -1)[i % 3] * (plane == "Fetal brain")
                picture = grey + slope[:, None] + random.normal(0, 4, (48, 48))
                name = f"Patient{number:05d}_Plane1_1_of_1"
                Image.fromarray(picture.clip(1, 255).astype(np.uint8)).save(images / f"{name}.png")
                lines.append(f"{name};{number};{plane};{brain};Op. 1;Aloka;{train}")
    (folder / "fetal_planes_db" / "FETAL_PLANES_DB_data.csv").write_text("\n".join(lines) + "\n")
    return folder


class Sees:
    """An encoder that knows grey level and slope, and as much noise as it is told."""

    def __init__(self, name: str, noise: float = 0.0, training: Any = None) -> None:
        config = {} if training is None else {"training": training}
        self.card = Card(name, "", "CC0-1.0", None, config, available=True)
        self.encoder = SimpleNamespace(engine="numpy")
        self.noise, self.asked = noise, 0

    def encode_image(self, frames: list[Any], normalize: bool = True, overlay: str | None = None) -> np.ndarray:
        assert (normalize, overlay) == (False, "mask")
        self.asked += len(frames)
        rows = []
        for frame in frames:
            grey = frame.gray.astype(float)
            level, slope = grey.mean(), grey[24:].mean() - grey[:24].mean()
            own = np.random.default_rng(round(grey.sum()))
            place = 6.28 * level / 300
            row = np.array([np.cos(place), np.sin(place), slope / 60, 0.3])
            rows.append(row + self.noise * own.normal(size=4))
        return np.array(rows, np.float32)

    def encode_text(self, texts: list[str]) -> np.ndarray:
        return np.ones((len(texts), 4), np.float32)


def test_probe_scores_planes_and_subplanes_of_test_patients(root: Path) -> None:
    model, rival = Sees("sees"), Sees("blind", 3.0)
    found = probe.run(model, root, probe.Options(show_progress=False), [rival])
    assert found.n == 36
    assert found["macro_f1"].found.value > 0.9
    assert found["subplanes_macro_f1"].found.n == 18
    assert found["subplanes_macro_f1"].found.value > 0.9
    assert found["macro_f1_1_blind"].found.value < 0.7
    assert found["less_1_blind"].found.low > 0
    assert found.provenance["learned_from"] == {"pictures": 36, "patients": 36}
    assert found.null["planes, constant answer"]["macro_f1"] < 0.3
    assert "ece" in {metric.name for metric in found.metrics}


def test_few_shot_draws_the_same_support_sets_for_every_model(root: Path) -> None:
    model, rival = Sees("ours"), Sees("theirs", 0.8, {"data": {"other": {}}})
    options = few_shot.Options(shots=(1, 2, 4, 64), sets=4, show_progress=False)
    found = few_shot.run(model, root, options, [rival])
    names = [metric.name for metric in found.metrics]
    assert [name for name in names if name.startswith("macro_f1")] == ["macro_f1_1", "macro_f1_2", "macro_f1_4"]
    assert found["macro_f1_4"].found.value > found["theirs_1_macro_f1_4"].found.value
    assert found["less_1_theirs_4"].found.value == pytest.approx(
        found["macro_f1_4"].found.value - found["theirs_1_macro_f1_4"].found.value
    )
    assert [len(curve.points) for curve in found.curves] == [3, 3]
    assert any("the smallest class has 6 patients" in note for note in found.notes)
    assert found.to_dict()["curves"][0]["points"][0]["at"] == 1.0
    again = few_shot.run(model, root, options, [rival])
    assert again["macro_f1_2"].found == found["macro_f1_2"].found


def test_support_and_held_pictures_are_of_different_patients(root: Path) -> None:
    rows = read_dataset("fetal-planes-db", root)
    learn = {row.group for row in rows if row.split != "test"}
    assert learn
    assert not learn & {row.group for row in rows if row.split == "test"}


def test_a_model_that_has_seen_the_labels_is_marked(root: Path) -> None:
    told = {"data": {"fetal-planes-db": {}}}
    assert mark(Sees("a", training=told), "planes") == "has seen these labels"
    assert mark(Sees("a", training={**told, "labels": ["plane"]}), "subplanes") == "never saw these labels"
    assert mark(Sees("a", training={"data": {}}), "planes") == "never saw these labels"
    assert mark(Sees("a"), "planes") == "not known whether it has seen these labels"
    options = few_shot.Options(shots=(2,), sets=2, show_progress=False)
    found = few_shot.run(Sees("bundled", training=told), root, options)
    assert any("bundled cannot learn these labels from few patients" in note for note in found.notes)


def test_intervals_hold_the_luck_of_patients_and_of_sets() -> None:
    truth = np.array([0, 1] * 20)
    always, never = truth.copy(), 1 - truth
    mixed = Learned(("a", "b"), np.stack([always, never]), truth, (2, 2), (0, 1))
    rows = np.arange(40)
    assert mixed.mean()(rows) == pytest.approx(0.5)
    drawn = {round(mixed.mean(seed)(rows[::-1]), 3) for seed in range(20)}
    assert drawn == {0.0, 0.5, 1.0}
    assert paired_mean(mixed, mixed)(rows[::-1]) == 0.0


def test_seeds_of_a_support_set_are_paired_with_that_set() -> None:
    truth = np.array([0, 1] * 20)
    right, wrong, rows = truth.copy(), 1 - truth, np.arange(40)
    one = Learned(("a", "b"), np.stack([right, wrong]), truth, (2, 2), (0, 1))
    seeded = Learned(("a", "b"), np.stack([right, right, wrong, wrong]), truth, (2,) * 4, (0, 0, 1, 1))
    assert {round(paired_mean(one, seeded, seed)(rows[::-1]), 6) for seed in range(10)} == {0.0}
    first = Learned(("a", "b"), np.stack([right, right]), truth, (2, 2), (0, 0))
    assert paired_mean(one, first)(rows) == 0.0


@pytest.mark.parametrize(
    "options",
    [{"target": "organs"}, {"shots": (4, 2)}, {"shots": ()}, {"sets": 0}, {"methods": ("forest",)}, {"split": "left"}],
)
def test_options_out_of_range(root: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        few_shot.run(Sees("a"), root, few_shot.Options(**options))


def test_too_few_patients_and_no_data(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="6 patients in the smallest class"):
        few_shot.run(Sees("a"), root, few_shot.Options(shots=(32,), show_progress=False))
    with pytest.raises(DataMissing):
        probe.run(Sees("a"), tmp_path)


def test_commands(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot, page = tmp_path / "c.png", tmp_path / "r.html"
    words = ["bench", "few-shot", "--root", str(root), "--model", "fetalclip-tiny", "--shots", "1,2", "--sets", "2"]
    assert main([*words, "--target", "subplanes", "--plot", str(plot), "--report", str(page), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["protocol"], told["n"]) == ("few-shot", 18)
    with Image.open(plot) as drawn:
        assert drawn.size == (760, 500)
    assert "Label-efficiency curves" in page.read_text()
    assert main(["bench", "probe", "--root", str(root), "--model", "fetalclip-tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["subplanes_macro_f1"]["target"] == 0.78
    assert main(["bench", "few-shot", "--root", str(root), "--shots", "a"]) == 2
    assert "whole numbers" in capsys.readouterr().err
