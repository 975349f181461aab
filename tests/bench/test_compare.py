"""The comparison with stand-in models on tiny pictures in the published layout."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fetalclip.bench import answers, compare
from fetalclip.bench.ages import DAYS
from fetalclip.bench.compare_table import (
    AGE,
    COLUMNS,
    MEAN,
    PLANES_F1,
    PROBE_PLANES,
    PROBE_SUBPLANES,
    PUBLISHED,
    SUBPLANES_F1,
    Compared,
    Comparison,
    as_csv,
    as_markdown,
)
from fetalclip.clinical.growth import CHART, chart
from fetalclip.errors import BadCheckpoint, DataMissing, NotAvailable, UsageError
from fetalclip.frame import Frame
from fetalclip.result import PlaneScores

pytest.importorskip("sklearn", reason="the probe needs scikit-learn")

HEADER = "Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train \n"
GRAY = {
    "abdomen": 20,
    "femur": 60,
    "thorax": 100,
    "trans-thalamic": 140,
    "trans-cerebellum": 180,
    "trans-ventricular": 220,
}
WORDS = {"abdomen": "Fetal abdomen", "femur": "Fetal femur", "thorax": "Fetal thorax"}


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "RESAMPLES", 40)
    monkeypatch.setattr(answers, "RESAMPLES", 40)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six test and eight training patients with a picture of each kind."""
    folder = tmp_path / "fetal_planes_db"
    (folder / "Images").mkdir(parents=True)
    lines = []
    for patient in range(90001, 90015):
        for kind, level in GRAY.items():
            name = f"Patient{patient}_Plane{len(lines)}_1_of_1"
            picture = np.full((40, 50), level, dtype=np.uint8)
            Image.fromarray(picture).save(folder / "Images" / f"{name}.png")
            plane, sub = WORDS.get(kind, "Fetal brain"), kind.capitalize() if "-" in kind else "Not A Brain"
            lines.append(f"{name};{patient};{plane};{sub};Op. 1;Aloka;{int(patient > 90006)}\n")
    (folder / "FETAL_PLANES_DB_data.csv").write_text(HEADER + "".join(lines))
    return tmp_path


class Fake:
    """Knows every picture by its grey level; its feature is that level, or nothing at all."""

    def __init__(self, name: str, has_text: bool = True, blind: bool = False, config: Any = None) -> None:
        self.card = SimpleNamespace(name=name, sha256="0" * 64, license="CC0-1.0", config=config or {})
        self.encoder = SimpleNamespace(has_text=has_text, dim=2, engine="fake")
        self.blind, self.calls = blind, list[tuple[str, Any]]()

    def encode_image(self, scans: Sequence[Frame], normalize: bool, overlay: str) -> np.ndarray:
        self.calls.append(("features", (normalize, overlay)))
        seen = [0.0 if self.blind else float(frame.gray.flat[0]) for frame in scans]
        return np.array([[level, level**2 / 255] for level in seen], np.float32)

    def planes(self, scans: Sequence[Frame], prompts: Any, overlay: str) -> list[PlaneScores]:
        self.calls.append(("planes", (prompts, overlay)))
        return [self._one(frame, ("abdomen", "femur", "heart", "brain"), "brain") for frame in scans]

    def subplanes(self, scans: Sequence[Frame], prompts: Any, overlay: str) -> list[PlaneScores]:
        self.calls.append(("subplanes", (prompts, overlay)))
        return [self._one(frame, tuple(name for name in GRAY if "-" in name), "") for frame in scans]

    def _one(self, frame: Frame, names: tuple[str, ...], rest: str) -> PlaneScores:
        if not self.encoder.has_text:
            raise NotAvailable("no text tower")
        level = int(frame.gray.flat[0])
        kind = next(name for name, value in GRAY.items() if value == level)
        kind = "heart" if kind == "thorax" else kind
        label = kind if kind in names else rest
        return PlaneScores({name: 0.7 if name == label else 0.3 / (len(names) - 1) for name in names})


def _run(models: dict[str, Any], root: Path, **options: Any) -> Comparison:
    def load(name: str) -> Any:
        if isinstance(models[name], Exception):
            raise models[name]
        return models[name]

    tasks = options.pop("tasks", ("planes", "subplanes", "probe"))
    return compare.run(list(models), load, root, compare.Options(tasks, show_progress=False, **options))


def test_a_model_that_knows_everything_and_one_that_sees_nothing(root):
    good, blind = Fake("good"), Fake("blind", has_text=False, blind=True)
    found = _run({"good": good, "blind": blind}, root)
    first, second = found.rows
    for column in (MEAN, PLANES_F1, SUBPLANES_F1, PROBE_PLANES, PROBE_SUBPLANES):
        assert first.cells[column].value == 1.0, column
    assert first.cells[PLANES_F1].n == 36
    assert (first.cells[SUBPLANES_F1].n, first.cells[SUBPLANES_F1].groups) == (18, 6)
    assert second.cells[PLANES_F1] is None
    assert second.cells[MEAN] is None
    assert second.cells[PROBE_SUBPLANES].value == pytest.approx(1 / 6)  # a constant answer: one class of three
    assert second.notes == ("pictures only: no text tower",)
    assert not found.failed


def test_it_asks_as_the_protocols_ask(root):
    model = Fake("m")
    _run({"m": model}, root)
    assert dict(model.calls) == {
        "planes": ("planes-9", "mask"),
        "subplanes": ("brain-3", "mask"),
        "features": (False, "mask"),
    }


def test_the_mean_is_over_all_classes_of_both(root):
    model = Fake("m")
    model.subplanes = lambda scans, prompts, overlay: [  # type: ignore[method-assign]
        PlaneScores({"trans-thalamic": 0.9, "trans-cerebellum": 0.1}) for _ in scans
    ]
    row = _run({"m": model}, root, tasks=("planes", "subplanes")).rows[0]
    assert row.cells[SUBPLANES_F1].value == pytest.approx(0.5 / 3)
    assert row.cells[MEAN].value == pytest.approx((4 + 0.5) / 7)
    assert row.cells[MEAN].low <= row.cells[MEAN].value <= row.cells[MEAN].high


def test_a_model_that_fails_is_a_row_and_the_rest_goes_on(root):
    found = _run({"bad": BadCheckpoint("damaged"), "good": Fake("good")}, root, tasks=("planes",))
    assert [bool(row.error) for row in found.rows] == [True, False]
    assert found.failed[0].name == "bad"
    assert "damaged" in str(found)
    assert found.rows[1].cells[PLANES_F1].value == 1.0


def test_a_model_that_breaks_midway_keeps_what_was_measured(root):
    broken = Fake("m")

    def out_of_memory(*args: Any, **more: Any) -> Any:
        raise RuntimeError("out of memory")

    broken.encode_image = out_of_memory  # type: ignore[method-assign]
    row = _run({"m": broken}, root).rows[0]
    assert row.cells[PLANES_F1].value == 1.0
    assert row.error == "RuntimeError: out of memory"


def test_a_path_is_shown_by_its_last_part(root):
    names = {f"{kind}/home/someone/x": BadCheckpoint("damaged") for kind in ("", "transformers:", "openclip:")}
    found = _run(names, root, tasks=("planes",))
    assert [row.name for row in found.rows] == ["x", "transformers:x", "openclip:x"]


@pytest.mark.parametrize(
    ("training", "seen"),
    [(None, None), ({}, None), ({"data": {}}, False), ({"data": {"fetal-planes-db": {}}}, True)],
)
def test_whether_the_labels_were_seen(training, seen, root):
    config = {} if training is None else {"training": training}
    assert _run({"m": Fake("m", config=config)}, root, tasks=("planes",)).rows[0].seen is seen


def test_ages_by_the_published_rule(monkeypatch, root):
    rows = [
        SimpleNamespace(hc_mm=hc, split="test", group=str(hc), path=None, mm_per_pixel=0.1) for hc in (150.0, 250.0)
    ]
    monkeypatch.setattr(compare, "read_dataset", lambda name, root: rows)
    monkeypatch.setattr(compare, "read", lambda path: SimpleNamespace(with_spacing=lambda mm: None))
    model = Fake("m")
    model.age_scores = (
        lambda frames: np.stack(  # type: ignore[attr-defined]
            [-np.abs(DAYS - float(chart(CHART).age(np.array([hc]))[0])) for hc in (150.0, 150.0)][: len(frames)]
        )
    )
    monkeypatch.setattr(compare, "spread", lambda heads, limit: heads)
    row = _run({"m": model}, root, tasks=("age",)).rows[0]
    assert (row.cells[AGE].value, row.cells[AGE].n) == (0.5, 2)


def test_without_hc18_the_ages_are_left_out(root):
    found = _run({"m": Fake("m")}, root, tasks=("planes", "age"))
    assert AGE not in found.rows[0].cells
    assert "ages left out" in found.notes[0]


def test_bad_calls(root, tmp_path):
    with pytest.raises(UsageError):
        _run({"m": Fake("m")}, root, tasks=("nonsense",))
    with pytest.raises(UsageError):
        _run({}, root)
    with pytest.raises(UsageError):
        _run({"m": Fake("m")}, root, limit=0)
    with pytest.raises(DataMissing):
        _run({"m": Fake("m")}, tmp_path / "nowhere")


def test_a_quick_look_says_so(root):
    found = _run({"m": Fake("m")}, root, limit=12)
    assert found.rows[0].cells[PLANES_F1].n == 12
    assert "not a result to report" in found.notes[0]


def test_published_rows_stand_beside_with_their_source(root):
    found = _run({"m": Fake("m")}, root, tasks=("planes",))
    told = found.to_dict()
    assert told["schema"] == "fetalclip.compare/1"
    assert {row["name"] for row in told["published"]} == {"FetalCLIP", "SonoNet", "CLIP", "BiomedCLIP", "UniMed-CLIP"}
    assert all("2502.14807" in row["citation"] for row in told["published"])
    assert all(set(row.cells) <= set(COLUMNS) and all(0 < v < 1 for v in row.cells.values()) for row in PUBLISHED)
    text = str(found)
    assert text.count("published, other pictures") >= 5
    assert told["rows"][0]["cells"][PROBE_PLANES] is None


def test_csv_and_markdown_hold_the_same_rows(root):
    found = _run({"m": Fake("=m"), "bad": BadCheckpoint("da|maged")}, root, tasks=("planes",))
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert len(rows) == 2 + len(PUBLISHED)
    assert rows[0]["model"] == "'=m"  # no formula
    assert float(rows[0][PLANES_F1]) == 1.0
    assert rows[0]["labels_seen"] == "unknown"
    assert rows[1]["error"].startswith("da|maged")
    table = [line for line in as_markdown(found).splitlines() if line.startswith("|")]
    assert len(table) == 2 + 2 + len(PUBLISHED)
    assert len({line.count("|") for line in table}) == 1


def test_a_failed_row_has_no_numbers():
    text = str(Comparison((Compared("x", error="gone"),)))
    assert "failed" in text
    assert "x: gone" in text
