"""What burned-in text is worth to a model: stand-ins that read, that look, and saved answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from fetalclip.bench import shortcut
from fetalclip.bench.versus import compare
from fetalclip.cli import main
from fetalclip.errors import DataMissing, NotAvailable, UnreadableInput, UsageError
from fetalclip.frame import Frame
from fetalclip.phantom import draw
from fetalclip.result import PlaneScores

HEADER = "Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train \n"
LEVEL = {"abdomen": 60, "brain": 90, "femur": 120, "thorax": 150}
SUB_LEVEL = {"trans-thalamic": 91, "trans-cerebellum": 92, "trans-ventricular": 93}
PATIENTS = range(90001, 90007)


def _flat(level: int) -> np.ndarray:
    """Too small for marks."""
    return np.full((40, 50), level, dtype=np.uint8)


def _scan(level: int, place: tuple[int, int]) -> np.ndarray:
    """A drawn scan with white text at ``place`` (x, y), its first pixel of the level that stands for the plane."""
    page = Image.fromarray(draw("abdomen", 3).frame.gray).resize((416, 312))
    ImageDraw.Draw(page).text(place, "TEXT 12", fill=255, font=ImageFont.load_default(14))
    pixels = np.array(page)
    pixels[0, 0] = level
    return pixels


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six test patients with every plane; of two the text lies on the sector, of the others nothing is burned in."""
    home = tmp_path_factory.mktemp("data")
    folder = home / "fetal_planes_db"
    (folder / "Images").mkdir(parents=True)
    lines = []

    def add(patient: int, plane: str, sub: str, pixels: np.ndarray, train: int = 0) -> None:
        name = f"Patient{patient}_Plane{len(lines)}_1_of_1"
        Image.fromarray(pixels).save(folder / "Images" / f"{name}.png")
        lines.append(f"{name};{patient};Fetal {plane};{sub};Op. 1;Aloka;{train}\n")

    for patient in PATIENTS:
        on = patient < 90003
        for plane, level in LEVEL.items():
            subs = SUB_LEVEL if plane == "brain" else {"Not A Brain": level}
            for sub, own in subs.items():
                add(
                    patient,
                    plane,
                    sub if sub == "Not A Brain" else sub.capitalize(),
                    _scan(own, (190, 150)) if on else _flat(own),
                )
    add(90020, "femur", "Not A Brain", _flat(200), train=1)
    (folder / "FETAL_PLANES_DB_data.csv").write_text(HEADER + "".join(lines))
    return home


class Reader:
    """Knows a plane by the first pixel; of ``reads`` only where text is to be seen, and else says ``else``."""

    def __init__(self, reads: tuple[str, ...] = (), otherwise: str = "abdomen", sub: bool = True) -> None:
        self.reads, self.otherwise, self.sub = reads, otherwise, sub
        self.calls: set[tuple[str, Any, str]] = set()

    def planes(self, scans: Sequence[Frame], prompts: Any = None, overlay: str = "mask") -> list[PlaneScores]:
        self.calls.add(("planes", prompts, overlay))
        found = []
        for scan in scans:
            level = int(scan.gray.flat[0])
            plane = next(name for name, own in LEVEL.items() if own <= level < own + 4)
            if overlay == "only" or (plane in self.reads and overlay == "mask"):
                plane = self.otherwise
            found.append(PlaneScores({name: 0.7 if name == plane else 0.1 for name in LEVEL}))
        return found

    def subplanes(self, scans: Sequence[Frame], prompts: Any = None, overlay: str = "mask") -> list[PlaneScores]:
        if not self.sub:
            raise NotAvailable("no sub-planes", "a model that has them")
        self.calls.add(("subplanes", prompts, overlay))
        names = [next(sub for sub, own in SUB_LEVEL.items() if own == int(scan.gray.flat[0])) for scan in scans]
        return [PlaneScores({sub: 0.8 if sub == name else 0.1 for sub in SUB_LEVEL}) for name in names]


def _run(model: Any, root: Path, **options: Any) -> shortcut.BenchResult:
    return shortcut.run(model, root, shortcut.Options(show_progress=False, **options))


def test_a_model_that_looks_gains_nothing(root: Path) -> None:
    model = Reader()
    result = _run(model, root)
    assert (result.protocol, result.n) == ("shortcut", 36)
    assert [result[name].found.value for name in ("macro_f1", "macro_f1_keep", "subplanes_macro_f1")] == [1.0] * 3
    assert result["macro_f1_only"].found.value == pytest.approx((2 * 6 / (6 + 36)) / 4)  # says abdomen always
    gap = result["difference_macro_f1"].found
    assert (gap.value, gap.low, gap.high, gap.n, gap.groups) == (0.0, 0.0, 0.0, 36, 6)
    assert result["changed"].found.value == 0.0
    assert result["changed"].found.high > 0  # Wilson
    assert not result.missed
    whole = {(what, how) for what in (("planes", "planes-9"), ("subplanes", "brain-3")) for how in shortcut.OVERLAYS}
    assert model.calls == {(name, prompts, how) for (name, prompts), how in whole}


def test_a_model_that_reads_is_found_out(root: Path) -> None:
    result = _run(Reader(reads=("femur",)), root)
    masked = (2 * 6 / (6 + 12) + 1 + 0 + 1) / 4  # femurs are called abdomen
    assert result["macro_f1"].found.value == pytest.approx(masked)
    assert result["macro_f1_keep"].found.value == 1.0
    gap = result["difference_macro_f1"].found
    assert gap.value == pytest.approx(1 - masked)
    assert gap.low > 0
    assert result["changed"].found.value == result["right_only_keep"].found.value == pytest.approx(6 / 36)
    assert result["right_only_mask"].found.value == 0.0
    assert result["accuracy"].found.value == pytest.approx(30 / 36)
    assert result["accuracy_keep"].found.value == 1.0
    assert result.confusion is not None
    assert result.confusion.counts.sum() == 36


def test_parts_by_where_the_marks_lie(root: Path) -> None:
    result = _run(Reader(reads=("femur",)), root)
    parts = {part.name: {metric.name: metric.found for metric in part.metrics} for part in result.subgroups}
    assert {part.by for part in result.subgroups} == {"marks"}
    assert {name: found["macro_f1"].n for name, found in parts.items()} == {"on the sector": 12, "nowhere": 24}
    assert parts["on the sector"]["changed"].value == pytest.approx(2 / 12)
    assert parts["nowhere"]["difference_macro_f1"].value == pytest.approx(1 - (2 * 4 / (4 + 8) + 2) / 4)


def test_null_rows_are_the_constant_answers(root: Path) -> None:
    null = _run(Reader(), root).null
    assert null["constant answer"]["label"] == "brain"
    assert null["constant answer"]["accuracy"] == pytest.approx(18 / 36)
    assert null["constant answer, sub-planes"]["accuracy"] == pytest.approx(6 / 18)


def test_a_model_without_subplanes_has_no_such_rows(root: Path) -> None:
    result = _run(Reader(sub=False), root)
    assert not any(metric.name.startswith("subplanes") for metric in result.metrics)
    assert any("sub-planes left out" in note for note in result.notes)


def test_json_and_text(root: Path) -> None:
    result = _run(Reader(), root, limit=9)
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert (data["schema"], data["protocol"], data["n"]) == ("fetalclip.bench/1", "shortcut", 9)
    assert data["provenance"]["prompts"] == ["planes-9", "brain-3"]
    assert str(root) not in json.dumps(data)
    assert any("quick look" in note for note in result.notes)
    assert "as is less masked, paired" in str(result)


def test_the_page_and_the_plot_can_be_made_of_it(tmp_path: Path) -> None:
    page, plot = tmp_path / "page.html", tmp_path / "plot.png"
    words = ["bench", "shortcut", "--predictions", str(_save(tmp_path)), "--report", str(page), "--plot", str(plot)]
    assert main(words) == 0
    assert "as is less masked, paired" in page.read_text("utf-8")
    assert plot.stat().st_size > 0


def test_two_models_compare_by_what_text_adds(root: Path) -> None:
    both = compare(_run(Reader(reads=("femur",)), root), _run(Reader(), root), "other")
    assert both["versus_difference_macro_f1"].found.value > 0
    assert both["versus_macro_f1_keep"].found.value == 0.0


@pytest.mark.parametrize("options", [{"limit": 0}, {"split": "all"}])
def test_options_out_of_range(root: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        _run(Reader(), root, **options)


def test_missing_data_is_told(root: Path) -> None:
    with pytest.raises(DataMissing):
        _run(Reader(), root / "nowhere")


SAVED = {
    "label": ["brain", "brain", "femur", "femur"],
    "prediction": ["brain", "femur", "femur", "femur"],
    "kept": ["brain", "brain", "femur", "brain"],
    "group": ["a", "a", "b", "c"],
    "scores": [{"brain": 0.9, "femur": 0.1}, *[{"brain": 0.2, "femur": 0.8}] * 3],
}


def _save(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "answers.json"
    path.write_text(json.dumps({key: value for key, value in (SAVED | changes).items() if value is not None}))
    return path


def test_saved_answers(tmp_path: Path) -> None:
    result = shortcut.from_predictions(_save(tmp_path))
    assert result.n == 4
    assert (result["accuracy"].found.value, result["accuracy_keep"].found.value) == (0.75, 0.75)
    assert result["changed"].found.value == 0.5
    assert result["right_only_keep"].found.value == result["right_only_mask"].found.value == 0.25
    assert "macro_f1_only" not in {metric.name for metric in result.metrics}
    assert result.reliability  # of the masked answers, whose scores these are
    assert not result.subgroups
    assert not result.notes
    alone = shortcut.from_predictions(_save(tmp_path, alone=["brain"] * 4, group=None))
    assert alone["macro_f1_only"].found.value == pytest.approx((2 * 2 / (2 + 4)) / 2)
    assert alone.scored is not None
    assert not alone.scored.grouped
    assert any("group" in note for note in alone.notes)


@pytest.mark.parametrize(
    "changes", [{"kept": None}, {"kept": ["brain"]}, {"kept": ["liver"] * 4}, {"alone": 3}, {"label": ["x"] * 4}]
)
def test_unusable_saved_answers(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(UnreadableInput):
        shortcut.from_predictions(_save(tmp_path, **changes))
