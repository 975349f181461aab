"""The sub-planes protocol with a stand-in model on tiny pictures in the published layout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fetalclip.bench import answers, subplanes
from fetalclip.clinical.vocabulary import SUBPLANES
from fetalclip.errors import DataMissing, UsageError
from fetalclip.frame import Frame
from fetalclip.result import PlaneScores

HEADER = "Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train \n"
GRAY = {"trans-thalamic": 60, "trans-cerebellum": 120, "trans-ventricular": 180}
ODD = 220  # grey level of what is not of the protocol


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "RESAMPLES", 40)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six test patients with a picture of each sub-plane (two thalamic ones), and others that are left out."""
    folder = tmp_path / "fetal_planes_db"
    (folder / "Images").mkdir(parents=True)
    lines = []

    def add(patient: int, plane: str, sub: str, level: int, train: int) -> None:
        name = f"Patient{patient}_Plane{len(lines)}_1_of_1"
        Image.fromarray(np.full((40, 50), level, dtype=np.uint8)).save(folder / "Images" / f"{name}.png")
        lines.append(f"{name};{patient};{plane};{sub};Op. 1;Aloka;{train}\n")

    for patient in range(90001, 90007):
        for sub, level in [*GRAY.items(), ("trans-thalamic", 60)]:
            add(patient, "Fetal brain", sub.capitalize(), level, 0)
    add(90001, "Fetal brain", "Other", ODD, 0)
    add(90002, "Fetal femur", "Not A Brain", ODD, 0)
    add(90020, "Fetal brain", "Trans-thalamic", ODD, 1)
    (folder / "FETAL_PLANES_DB_data.csv").write_text(HEADER + "".join(lines))
    return tmp_path


class Fake:
    """Names a sub-plane by its grey level."""

    def __init__(self, wrong: dict[str, str] | None = None, share: float = 0.9, shy: bool = False) -> None:
        self.wrong, self.share, self.shy = wrong or {}, share, shy
        self.calls: set[tuple[Any, str]] = set()
        self.levels: set[int] = set()

    def subplanes(self, scans: Sequence[Frame], prompts: Any = None, overlay: str = "mask") -> list[PlaneScores]:
        self.calls.add((prompts, overlay))
        return [self._one(frame, overlay) for frame in scans]

    def _one(self, frame: Frame, overlay: str) -> PlaneScores:
        level = int(frame.gray.flat[0])
        self.levels.add(level)
        name = next(sub for sub, value in GRAY.items() if value == level)
        name = "trans-thalamic" if overlay == "only" else self.wrong.get(name, name)
        rest = (1 - self.share) / 2
        return PlaneScores({sub: self.share if sub == name else rest for sub in GRAY}, abstained=self.shy)


def _run(model: Any, root: Path, **options: Any) -> subplanes.BenchResult:
    return subplanes.run(model, root, subplanes.Options(show_progress=False, **options))


def test_a_perfect_model(root: Path) -> None:
    model = Fake(share=0.95)
    result = _run(model, root)
    assert (result.protocol, result.n) == ("subplanes", 24)
    headline = result["macro_f1"]
    assert (headline.found.value, headline.found.n, headline.found.groups) == (1.0, 24, 6)
    assert headline.goal is not None
    assert headline.goal.target == 0.78
    assert result["macro_f1_keep"].found.value == 1.0
    assert result["macro_f1_only"].found.value == pytest.approx((2 / 3) / 3)  # says thalamic always
    assert result["accuracy"].found.value == 1.0
    assert result["ece"].found.value == result["ece_corrected"].found.value == pytest.approx(0.05)
    assert result["brier"].found.value == pytest.approx(0.05**2 + 2 * 0.025**2)
    assert {f"f1_{name}" for name in SUBPLANES} <= {metric.name for metric in result.metrics}
    assert not result.missed
    assert model.calls == {("brain-3", overlay) for overlay in ("mask", "keep", "only")}
    assert model.levels == set(GRAY.values()), "a picture that is not of the protocol was shown"


def test_goals_are_missed_by_a_poor_and_overconfident_model(root: Path) -> None:
    result = _run(Fake(wrong={"trans-cerebellum": "trans-thalamic"}), root)
    assert result["f1_trans-cerebellum"].found.value == 0.0
    assert result["macro_f1"].found.value == pytest.approx((2 * 12 / (12 + 18) + 0 + 1) / 3)
    assert [metric.name for metric in result.missed] == ["macro_f1", "ece"]
    assert result.confusion is not None
    assert result.confusion.truth == tuple(sorted(SUBPLANES))
    assert result.confusion.counts.tolist() == [[0, 6, 0], [0, 12, 0], [0, 0, 6]]


def test_the_null_row_is_the_most_frequent_subplane(root: Path) -> None:
    null = _run(Fake(), root).null["constant answer"]
    assert null["label"] == "trans-thalamic"
    assert null["macro_f1"] == pytest.approx((2 / 3) / 3)
    assert null["accuracy"] == 0.5


def test_what_abstained_is_scored_all_the_same(root: Path) -> None:
    result = _run(Fake(shy=True), root)
    assert result["macro_f1"].found.value == 1.0
    assert result["abstained"].found.value == 1.0


def test_json_form_and_table(root: Path) -> None:
    result = _run(Fake(), root)
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert (data["schema"], data["protocol"], data["n"]) == ("fetalclip.bench/1", "subplanes", 24)
    assert data["metrics"]["ece"]["direction"] == "at most"
    assert data["provenance"]["split"] == "split-v1 test"
    (point,) = data["reliability"]
    assert (point["n"], point["accuracy"]) == (24, 1.0)
    assert str(root) not in json.dumps(data)
    assert all(metric.title in str(result) for metric in result.metrics)
    assert not result.notes


def test_a_quick_look_says_what_it_is(root: Path) -> None:
    result = _run(Fake(), root, limit=9)
    assert result.n == 9
    assert any("quick look" in note for note in result.notes)


@pytest.mark.parametrize("options", [{"limit": 0}, {"split": "all"}])
def test_options_out_of_range(root: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        _run(Fake(), root, **options)


def test_missing_data_is_told(root: Path) -> None:
    table = root / "fetal_planes_db" / "FETAL_PLANES_DB_data.csv"
    table.write_text("".join(line for line in table.read_text().splitlines(True) if "rans-" not in line))
    with pytest.raises(DataMissing, match="sub-plane"):
        _run(Fake(), root)
    with pytest.raises(DataMissing):
        _run(Fake(), root / "nowhere")
