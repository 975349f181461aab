"""The planes protocol with a stand-in model on tiny pictures in the published layout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fetalclip.bench import answers, planes, refusals
from fetalclip.bench.ask import Picture, ask
from fetalclip.data import read_dataset
from fetalclip.errors import DataMissing, UsageError
from fetalclip.frame import Frame
from fetalclip.result import PlaneScores

HEADER = "Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train \n"
GRAY = {"abdomen": 60, "brain": 90, "femur": 120, "thorax": 150}
ODD = 200  # grey level of pictures that are no standard plane, and of the training side
PUBLISHED = {
    "abdomen": "Fetal abdomen",
    "brain": "Fetal brain",
    "femur": "Fetal femur",
    "thorax": "Fetal thorax",
}


def _save(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((40, 50), level, dtype=np.uint8)).save(path)


def _add_planes(root: Path) -> None:
    """Eight test patients with one picture of each plane, one with others, one of the training side."""
    folder = root / "fetal_planes_db"
    lines = []

    def add(patient: int, published: str, level: int, train: int) -> None:
        name = f"Patient{patient}_Plane{len(lines)}_1_of_1"
        _save(folder / "Images" / f"{name}.png", level)
        machine, operator = ("Aloka", "Op. 1") if patient < 90003 else ("Voluson E6", "Op. 2")
        lines.append(f"{name};{patient};{published};Not A Brain;{operator};{machine};{train}\n")

    for patient in range(90001, 90009):
        for plane, level in GRAY.items():
            add(patient, PUBLISHED[plane], level, 0)
    add(90001, "Other", ODD, 0)
    add(90002, "Maternal cervix", ODD, 0)
    add(90020, "Fetal brain", ODD, 1)
    (folder / "FETAL_PLANES_DB_data.csv").write_text(HEADER + "".join(lines))


def _add_heads(root: Path) -> None:
    folder = root / "hc18"
    lines = []
    for number in range(9000, 9030):
        _save(folder / "training_set" / f"{number}_HC.png", GRAY["brain"])
        lines.append(f"{number}_HC.png,0.1,{80 if number % 2 else 200}\n")
    table = "filename,pixel size(mm),head circumference (mm)\n" + "".join(lines)
    (folder / "training_set_pixel_size_and_HC.csv").write_text(table)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "RESAMPLES", 40)
    monkeypatch.setattr(planes, "RESAMPLES", 40)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    _add_planes(tmp_path)
    _add_heads(tmp_path)
    return tmp_path


class Fake:
    """Names a plane by its one grey level and abstains on whatever is not of one level."""

    def __init__(self, wrong: dict[str, str] | None = None, shy: bool = False, reads: bool = False) -> None:
        self.wrong = wrong or {}
        self.shy = shy
        self.reads = reads  # still right when only the overlay is left
        self.calls: list[tuple[int, Any, str]] = []
        self.levels: set[int] = set()

    def planes(self, scans: Sequence[Frame], prompts: Any = None, overlay: str = "mask") -> list[PlaneScores]:
        self.calls.append((len(scans), prompts, overlay))
        return [self._one(frame, prompts, overlay) for frame in scans]

    def _one(self, frame: Frame, prompts: Any, overlay: str) -> PlaneScores:
        gray = frame.gray
        level = int(gray.flat[0])
        self.levels.add(level)
        plain = bool((gray == level).all())
        name = next((plane for plane, value in GRAY.items() if value == level), "abdomen")
        if overlay == "only" and not self.reads:
            name = "brain"
        name = self.wrong.get(name, name)
        names = [*GRAY, "kidney"] if prompts == "planes-9" else list(GRAY)
        scores = {("heart" if n == "thorax" else n): 0.9 if n == name else 0.02 for n in names}
        return PlaneScores(scores, abstained=self.shy or not plain or level not in GRAY.values())


def _run(model: Fake, root: Path, supervised: Fake | None = None, **options: Any) -> planes.BenchResult:
    options = {"distractors": 0, "show_progress": False} | options
    return planes.run(model, root, planes.Options(**options), supervised)


def test_a_perfect_model(root: Path) -> None:
    result = _run(Fake(), root)
    assert result.n == 32  # Other, cervix and the training side are not in it
    headline = result["macro_f1"]
    assert (headline.found.value, headline.found.n, headline.found.groups) == (1.0, 32, 8)
    assert result["macro_f1_9"].found.value == 1.0
    assert result["accuracy"].found.value == 1.0
    assert result["ece"].found.value == pytest.approx(0.1)
    assert result["ece_corrected"].found.value == pytest.approx(0.1)
    # 0.9 of the truth, 0.02 of the four others
    assert result["brier"].found.value == pytest.approx(0.1**2 + 4 * 0.02**2)
    (point,) = result.reliability
    assert (point.n, point.accuracy, point.confidence) == (32, 1.0, pytest.approx(0.9))
    assert result["f1_thorax"].found.value == 1.0  # heart is thorax
    assert result["abstained"].found.value == 0.0
    assert not result.missed


def test_every_way_of_asking_is_the_models_own(root: Path) -> None:
    model = Fake()
    _run(model, root)
    asked = {(prompts, overlay) for _, prompts, overlay in model.calls}
    assert asked == {(p, o) for p in ("planes-4", "planes-9") for o in ("mask", "keep", "only")}
    assert ODD not in model.levels, "a picture that is not of the protocol was shown"
    assert model.levels == set(GRAY.values()), "the pixels must come as they were read"
    assert max(size for size, _, _ in model.calls) <= 32


def test_reading_the_overlay_is_found_out(root: Path) -> None:
    honest, cheat = _run(Fake(), root), _run(Fake(reads=True), root)
    assert honest["macro_f1_only"].found.value == pytest.approx(0.1)  # says brain always
    assert honest["macro_f1_only"].goal is not None
    assert [m.name for m in honest.missed] == []
    assert [m.name for m in cheat.missed] == ["macro_f1_only", "macro_f1_9_only"]


def test_what_abstained_is_scored_all_the_same(root: Path) -> None:
    result = _run(Fake(shy=True), root)
    assert result["macro_f1"].found.value == 1.0
    assert result["abstained"].found.value == 1.0
    assert result["hc18_brain"].found.value == 1.0
    assert {"abstained", "hc18_abstained", "hc18_abstained_first_trimester"} <= {m.name for m in result.missed}


def test_a_distractor_answer_lowers_only_the_larger_set(root: Path) -> None:
    class Nine(Fake):
        def _one(self, frame: Frame, prompts: Any, overlay: str) -> PlaneScores:
            self.wrong = {"femur": "kidney"} if prompts == "planes-9" else {}
            return super()._one(frame, prompts, overlay)

    result = _run(Nine(), root)
    assert result["macro_f1"].found.value == 1.0
    assert result["macro_f1_9"].found.value == pytest.approx(0.75)
    assert result.confusion is not None
    assert result.confusion.truth == ("abdomen", "brain", "femur", "thorax")
    assert result.confusion.answers == ("abdomen", "brain", "femur", "thorax", "kidney")
    assert result.confusion.counts[2].tolist() == [0, 0, 0, 0, 8]


def test_heads_held_and_all(root: Path) -> None:
    rows = read_dataset("hc18", root)
    held = [row for row in rows if row.split == "test"]
    small = [row for row in held if row.hc_mm == 80]
    assert 0 < len(small) < len(held) < 30
    result = _run(Fake(), root)
    assert result["hc18_brain"].found.n == len(held)
    assert result["hc18_brain_all"].found.n == 30
    assert result["hc18_abstained_first_trimester"].found.n == len(small)
    assert result["hc18_abstained_first_trimester_all"].found.n == 15
    assert result["hc18_brain"].unit == "examinations"
    assert result["hc18_brain"].found.low < 1.0  # never seen to fail is not sure to succeed


def test_machines_and_operators_have_tables_of_their_own(root: Path) -> None:
    class Aloka(Fake):
        """Wrong on the first patients, whose pictures come first."""

        def _one(self, frame: Frame, prompts: Any, overlay: str) -> PlaneScores:
            self.wrong = {"femur": "abdomen"} if "Patient90001" in frame.source else {}
            return super()._one(frame, prompts, overlay)

    result = _run(Aloka(), root)
    parts = {(part.by, part.name): {m.name: m.found for m in part.metrics} for part in result.subgroups}
    assert set(parts) == {("machine", "Aloka"), ("machine", "Voluson E6"), ("operator", "Op. 1"), ("operator", "Op. 2")}
    assert parts["machine", "Aloka"]["accuracy"].value == pytest.approx(7 / 8)
    assert parts["machine", "Voluson E6"]["accuracy"].value == 1.0
    assert (parts["operator", "Op. 2"]["macro_f1"].n, parts["operator", "Op. 2"]["macro_f1"].groups) == (24, 6)
    assert parts["machine", "Aloka"]["abstained"].value == 0.0


def test_null_row_is_the_best_constant_answer(root: Path) -> None:
    null = _run(Fake(), root).null["constant answer"]
    assert null["macro_f1"] == pytest.approx(0.1)
    assert null["accuracy"] == 0.25


def test_supervised_baseline_gets_a_column_and_a_paired_difference(root: Path) -> None:
    weak = Fake(wrong={"femur": "abdomen"})
    result = _run(Fake(), root, supervised=weak)
    baseline = result["macro_f1"].baseline
    assert baseline is not None
    gap = result["difference_macro_f1"]
    assert gap.found.value == pytest.approx(1 - baseline.value)
    assert "difference_macro_f1" in [m.name for m in _run(weak, root, supervised=Fake()).missed]
    assert all(prompts is None for _, prompts, _ in weak.calls[:3])
    assert "supervised" in str(result)
    assert "supervised" not in str(_run(Fake(), root)).partition("Note")[0]


def test_json_form(root: Path) -> None:
    data = json.loads(json.dumps(_run(Fake(), root).to_dict(), allow_nan=False))
    assert (data["schema"], data["protocol"], data["n"]) == ("fetalclip.bench/1", "planes", 32)
    headline = data["metrics"]["macro_f1"]
    assert {k: headline[k] for k in ("value", "target", "direction", "met", "n", "groups")} == {
        "value": 1.0,
        "target": 0.985,
        "direction": "at least",
        "met": True,
        "n": 32,
        "groups": 8,
    }
    assert data["metrics"]["abstained"]["direction"] == "at most"
    assert data["metrics"]["macro_f1_keep"]["met"] is None
    assert data["provenance"]["split"] == "split-v1 test"
    assert [source["name"] for source in data["provenance"]["data"]] == ["fetal-planes-db", "hc18"]
    assert [point["n"] for point in data["reliability"]] == [32]
    assert str(root) not in json.dumps(data)


def test_table_shows_every_metric_and_no_cut_cell(root: Path) -> None:
    result = _run(Fake(wrong={"femur": "abdomen"}), root)
    text = str(result)
    assert all(metric.title in text for metric in result.metrics)
    assert "…" not in text
    assert "NO" in text
    assert "constant answer" in text


def test_without_heads_their_rows_are_left_out_and_a_note_says_so(tmp_path: Path) -> None:
    _add_planes(tmp_path)
    result = _run(Fake(), tmp_path)
    assert not any(metric.name.startswith("hc18") for metric in result.metrics)
    assert "HC18" in result.notes[0]
    with pytest.raises(DataMissing):
        _run(Fake(), tmp_path / "nothing")


def test_a_quick_look_is_of_all_sorts_and_says_what_it_is(root: Path) -> None:
    result = _run(Fake(), root, limit=12)
    assert result.n == 12
    assert result.confusion is not None
    assert len(result.confusion.truth) >= 3
    assert any("quick look" in note for note in result.notes)


@pytest.mark.parametrize("options", [{"limit": 0}, {"distractors": -1}, {"split": "all"}])
def test_options_out_of_range(root: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        _run(Fake(), root, **options)


def test_an_empty_split_is_missing_data(tmp_path: Path) -> None:
    _add_planes(tmp_path)
    (tmp_path / "fetal_planes_db" / "FETAL_PLANES_DB_data.csv").write_text(
        HEADER + "Patient90020_Plane34_1_of_1;90020;Fetal brain;Not A Brain;Op. 1;Aloka;1\n"
    )
    with pytest.raises(DataMissing, match="test"):
        _run(Fake(), tmp_path)


def test_a_model_that_loses_an_answer_is_an_error() -> None:
    frame = Frame(np.zeros((4, 4), dtype=np.uint8))
    with pytest.raises(UsageError, match="1 answers for 2"):
        ask([Picture(lambda: frame, "p")] * 2, {"": lambda frames: [PlaneScores({"a": 1.0})]})


def test_the_whole_table_of_scores_is_kept() -> None:
    frame = Frame(np.zeros((4, 4), dtype=np.uint8))
    scores = [PlaneScores({"heart": 0.7, "femur": 0.3}), PlaneScores({"heart": 0.4, "femur": 0.6})]
    pictures = [Picture(lambda: frame, "p", "thorax"), Picture(lambda: frame, "q", "cervix")]
    found = ask(pictures, {"": lambda _: scores})[""]
    assert found.candidates == ("thorax", "femur")
    assert found.table.tolist() == [[0.7, 0.3], [0.4, 0.6]]
    both = np.arange(2)
    wanted = [0.3**2 + 0.3**2, 1 + 0.4**2 + 0.6**2]  # cervix was no candidate
    assert found.brier()(both) == pytest.approx(np.mean(wanted))
    assert found.right.tolist() == [True, False]
    second = found.where(np.array([False, True]))
    assert second.table.tolist() == [[0.4, 0.6]]
    twice = answers.joined([found, second])
    assert twice.table.tolist() == [[0.7, 0.3], [0.4, 0.6], [0.4, 0.6]]
    other = ask([Picture(lambda: frame, "p")], {"": lambda _: [PlaneScores({"a": 1.0})]})[""]
    mixed = answers.joined([found, other])
    assert (mixed.candidates, mixed.table, len(mixed)) == ((), None, 3)
    with pytest.raises(UsageError, match="every candidate"):
        mixed.brier()


def test_far_and_near_input(root: Path) -> None:
    result = _run(Fake(), root, distractors=3)
    kinds = [m.name for m in result.metrics if m.name.startswith(("far_", "near_"))]
    assert kinds == [*(f"far_{k}" for k in (*refusals.FAR, "overlay_screens")), *(f"near_{k}" for k in refusals.NEAR)]
    assert result["far"].found.n == 3 * (len(refusals.FAR) + 1)
    assert result["near"].found.n == 3 * len(refusals.NEAR)
    assert result["far_text"].found.value == 1.0
    bold = _run(Fake(), root, distractors=0)
    assert not any(m.name.startswith(("far", "near")) for m in bold.metrics)


def test_near_input_is_made_from_the_tested_planes_and_unseen_draws(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int, int | None, str]] = []

    def near(kind: str, seed: int, gray: Any, profile: str) -> Frame:
        seen.append((kind, seed, None if gray is None else int(gray[0, 0]), profile))
        return Frame(np.zeros((4, 4), dtype=np.uint8))

    monkeypatch.setattr(refusals, "near", near)
    result = _run(Fake(), root, distractors=6)
    assert {profile for *_, profile in seen} == {"test"}
    assert all((level is None) == (kind == "speckle") for kind, _, level, _ in seen)
    assert {level for *_, level, _ in seen if level is not None} <= set(GRAY.values())
    assert len({(kind, seed) for kind, seed, *_ in seen}) == len(seen)
    assert result["near_blurred"].unit == "patients"
    assert result["near_speckle"].unit == "drawings"


def test_a_folder_of_ones_own_far_pictures(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    _save(folder / "one.png", 10)
    _save(folder / "two.png", GRAY["brain"])
    (folder / "notes.txt").write_text("no picture")
    found = _run(Fake(), root, far_dir=folder)["far_folder"].found
    assert (found.n, found.value) == (2, 0.5)
    with pytest.raises(DataMissing, match="nowhere"):
        _run(Fake(), root, far_dir=tmp_path / "nowhere")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.txt").write_text("no picture")
    with pytest.raises(DataMissing, match="picture"):
        _run(Fake(), root, far_dir=tmp_path / "texts")
