"""Protocol ``biometry``: a stand-in model on tiny pictures in the published layouts, saved measures, its command."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from fetalclip.bench import ages, answers, biometry, ga, measures
from fetalclip.bench.table import BenchResult
from fetalclip.bench.versus import compare
from fetalclip.cli.bench import app
from fetalclip.clinical.growth import chart
from fetalclip.data import read_dataset
from fetalclip.data.landmarks import TABLE
from fetalclip.errors import DataMissing, NotAvailable, UnreadableInput, UsageError
from fetalclip.io import read
from fetalclip.report.bench import difference_facts
from fetalclip.result import AgeEstimate, Analysis, InputInfo, Measurement, PlaneScores

HEADER = "filename,pixel size(mm),head circumference (mm)\n"
WHO = chart("who-2017-v3-hc")


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (ages, answers, ga, measures, biometry):
        monkeypatch.setattr(module, "RESAMPLES", 40)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Sixty tiny heads: the grey level tells HC in mm; levels 50 and 60 are no head to the model, 70 is refused."""
    folder = tmp_path / "hc18" / "training_set"
    folder.mkdir(parents=True)
    lines = []
    for i in range(60):
        level = 50 + 10 * (i % 12)
        name = f"{9000 + i}_HC.png"
        Image.fromarray(np.full((30, 40), level, dtype=np.uint8)).save(folder / name)
        lines.append(f"{name},{0.1 + 0.001 * i:.3f},{2.0 * level:.4f}\n")
    (tmp_path / "hc18" / "training_set_pixel_size_and_HC.csv").write_text(HEADER + "".join(lines))
    return tmp_path


class Measurer:
    """Gives HC as twice the grey level and 1 mm more, other measures 4 % too large."""

    tasks: tuple[str, ...] = ("planes", "biometry")

    def __init__(self, heads: Sequence[str] = ("head",)) -> None:
        self.heads, self.asked = heads, list[tuple[str, float, tuple[str, ...]]]()

    def analyze(
        self,
        paths: Iterable[str | Path],
        tasks: Sequence[str] | None = None,
        *,
        spacing_table: Mapping[str, tuple[float, float]] | None = None,
    ) -> Iterator[Analysis]:
        for path in map(Path, paths):
            spacing = (spacing_table or {})[path.name]
            self.asked.append((path.name, spacing[0], tuple(tasks or ())))
            yield self.answer(path, int(read(path).gray[0, 0]), spacing[0])

    def answer(self, path: Path, level: int, spacing: float) -> Analysis:
        info = InputInfo(str(path))
        if path.parent.name == "Images":
            return self.expert(info, level, spacing)
        if level == 50:
            return Analysis(info, PlaneScores({"brain": 0.5}, True, "0.512 of 0.9"), biometry=())
        if level == 60:
            return Analysis(info, PlaneScores({"femur": 1.0}), biometry=())
        head = Measurement("HC", 2.0 * level + 1.0, low=2.0 * level - 2.0, high=2.0 * level + 4.0)
        if level == 70:
            head = replace(head, value=None, low=None, high=None, note=f"a head of {level} px is cut")
        age = None if head.value is None else _age(head.value)
        return Analysis(info, PlaneScores({"brain": 1.0}), biometry=(head,), biometry_age=age)

    def expert(self, info: InputInfo, level: int, spacing: float) -> Analysis:
        made = {"head": ("BPD", "OFD"), "abdomen": ("AC",), "femur": ("FL",)}
        structure = {1: "head", 2: "abdomen", 3: "femur"}[level]
        names = made[structure] if structure in self.heads else ()
        sizes = {"BPD": 160, "OFD": 200, "AC": 2 * np.pi * 100, "FL": 50}  # true ones, pixels
        return Analysis(
            info,
            PlaneScores({"brain" if structure == "head" else structure: 1.0}),
            biometry=tuple(Measurement(name, 1.04 * sizes[name] * spacing) for name in names),
        )


def _age(mm: float) -> AgeEstimate | None:
    day = float(WHO.age(mm))
    if not np.isfinite(day):
        return None
    low, high = day - 5.0, day + 5.0
    return AgeEstimate(round(day), low, high, "hc", "WHO", model_low=low, model_high=high)


@pytest.fixture
def experts(root: Path) -> Path:
    """Nine test pictures with end points beside the heads; the grey level tells the structure."""
    folder = root / "fetal_planes_db"
    (folder / "Images").mkdir(parents=True)
    points = [f"{name}_{end}_{axis}" for name in ("fl", "tad", "apad", "ofd", "bpd") for end in "12" for axis in "xy"]
    apart = {"fl": 50, "tad": 200, "apad": 200, "ofd": 200, "bpd": 160}
    planes = ["Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train "]
    lines = [",".join(["image", "structure", "mm_per_pixel", *points])]
    kinds = (("head", ("ofd", "bpd"), "brain"), ("abdomen", ("tad", "apad"), "abdomen"), ("femur", ("fl",), "femur"))
    for i in range(9):
        structure, names, plane = kinds[i % 3]
        planes.append(f"p{i};{91000 + i};Fetal {plane};Not A Brain;Op. 1;Other;0")
        Image.fromarray(np.full((30, 40), 1 + i % 3, np.uint8)).save(folder / "Images" / f"p{i}.png")
        cells = {f"{name}_{end}_{axis}": "10" for name in names for end in "12" for axis in "xy"}
        cells |= {f"{name}_2_x": str(10 + apart[name]) for name in names}
        lines.append(",".join([f"p{i}.png", structure, "0.5", *(cells.get(name, "") for name in points)]))
    (folder / "FETAL_PLANES_DB_data.csv").write_text("\n".join(planes) + "\n")
    (folder / TABLE).write_text("\n".join(lines) + "\n")
    return root


def _run(model: object, root: Path, **options: object) -> BenchResult:
    return biometry.run(model, root, biometry.Options(show_progress=False, **options))  # type: ignore[arg-type]


def test_every_picture_of_the_split_counts(root: Path) -> None:
    every = read_dataset("hc18", root)
    rows = [row for row in every if row.split == "test"]
    model = Measurer()
    result = _run(model, root)
    truth = np.array([row.hc_mm or 0 for row in rows])
    with_hc = truth > 140
    assert 0 < with_hc.sum() < len(rows) == result.n
    assert {(name, mm) for name, mm, _ in model.asked} == {(row.name, row.mm_per_pixel) for row in rows}
    assert {tasks for *_, tasks in model.asked} == {("planes", "biometry")}
    found = result["hc_measured"].found
    assert (found.value, found.n) == (pytest.approx(with_hc.mean()), len(rows))
    assert result["hc_measured"] in result.missed
    assert result["hc_mae"].found.n == with_hc.sum()
    for name in ("hc_mae", "hc_bias", "hc_median_error"):
        assert result[name].found.value == pytest.approx(1.0)
    assert result["hc_sd"].found.value == pytest.approx(0.0, abs=1e-9)
    assert result["hc_error_percent"].found.value == pytest.approx((100 / truth[with_hc]).mean())
    assert result["hc_interval_coverage"].found.value == 1.0
    assert result["hc_interval_width"].found.value == pytest.approx(6.0)
    assert (str(result["hc_mae"].goal), str(result["hc_bias"].goal)) == ("<= 2.5", "within ±0.5")
    assert [m.name for m in result.missed] == ["hc_measured", "hc_bias"]
    train = np.array([row.hc_mm for row in every if row.split == "train"], dtype=float)
    null = result.null["constant HC"]
    assert null["hc_mm"] == pytest.approx(train.mean())
    assert null["mae_mm"] == pytest.approx(np.abs(train.mean() - truth).mean())
    assert sum(part.metrics[0].found.n for part in result.subgroups) == result.n
    bands = {part.name: part.metrics[0].found.n for part in result.subgroups}
    assert bands["22w0d to 27w6d (HC 198 to 264 mm)"] == ((truth >= 198) & (truth < 264)).sum() > 0


def test_reasons_are_counted_without_their_numbers(root: Path) -> None:
    rows = [row for row in read_dataset("hc18", root) if row.split == "test"]
    sizes = [row.hc_mm for row in rows]
    (note,) = [note for note in _run(Measurer(), root).notes if note.startswith("no HC in")]
    for mm, words in ((100.0, "no plane: N of N"), (120.0, "called femur"), (140.0, "a head of N px is cut")):
        count = sizes.count(mm)
        assert (f"{count} {words}" in note) == (count > 0)
    assert any(mm in sizes for mm in (100.0, 120.0, 140.0))


def test_a_picture_that_cannot_be_read_and_one_in_pixels_have_no_hc(root: Path) -> None:
    class Poor(Measurer):
        def answer(self, path: Path, level: int, spacing: float) -> Analysis:
            if level < 100:
                return Analysis(InputInfo(str(path)), error=f"'{path}' is damaged")
            return replace(super().answer(path, level, spacing), biometry=(Measurement("HC", 800.0, "px"),))

    result = _run(Poor(), root)
    assert result["hc_measured"].found.value == 0.0
    assert result.differences is None
    (note,) = [note for note in result.notes if note.startswith("no HC in")]
    assert "could not be read" in note
    assert "in px" in note
    assert [metric.name for metric in result.metrics] == ["hc_measured"]


def test_end_points_of_the_measures_that_the_model_takes(experts: Path) -> None:
    result = _run(Measurer(("head", "femur")), experts)
    for name, mm in (("bpd", 80.0), ("ofd", 100.0), ("fl", 25.0)):
        assert (result[f"{name}_measured"].found.value, result[f"{name}_measured"].found.n) == (1.0, 3)
        assert result[f"{name}_error_percent"].found.value == pytest.approx(4.0)
        assert result[f"{name}_bias"].found.value == pytest.approx(0.04 * mm)
        assert result[f"{name}_mae"].unit == "patients"
    assert str(result["fl_error_percent"].goal) == "<= 4"
    assert not any(metric.name.startswith(("ac_", "tad_", "apad_")) for metric in result.metrics)
    assert any("measures no TAD, APAD, AC in any picture" in note for note in result.notes)
    assert any("CC-BY-NC-SA-4.0" in note for note in result.notes)
    told = [source["name"] for source in result.provenance["data"]]
    assert told == ["hc18", "fetal-planes-db", "fetal-biometry-landmarks"]
    ac = _run(Measurer(("abdomen",)), experts)["ac_error_percent"]
    assert (ac.found.value, ac.found.n, str(ac.goal)) == (pytest.approx(4.0, abs=1e-6), 3, "<= 5")


def test_what_the_notes_say_of_rows_left_out(experts: Path) -> None:
    val = _run(Measurer(), experts, split="val")
    assert any("test side only" in note for note in val.notes)
    assert any("val side" in note for note in val.notes)
    assert not any(metric.name.startswith("bpd") for metric in val.metrics)
    assert [source["name"] for source in val.provenance["data"]] == ["hc18"]
    quick = _run(Measurer(), experts, limit=4)
    assert quick.n == 4
    assert sum(quick[f"{name}_measured"].found.n for name in ("bpd",) if f"{name}_measured" in _names(quick)) <= 4
    (experts / "fetal_planes_db" / TABLE).unlink()
    assert any(f"for want of {TABLE}" in note for note in _run(Measurer(), experts).notes)


def _names(result: BenchResult) -> set[str]:
    return {metric.name for metric in result.metrics}


def test_a_damaged_table_of_end_points_is_an_error(experts: Path) -> None:
    (experts / "fetal_planes_db" / TABLE).write_text("image,structure\np0.png,head\n")
    with pytest.raises(UnreadableInput, match="no column"):
        _run(Measurer(), experts)


def test_what_a_model_must_not_do(root: Path, tmp_path: Path) -> None:
    class Short(Measurer):
        def analyze(self, paths: Iterable[str | Path], *args: object, **named: object) -> Iterator[Analysis]:
            yield Analysis(InputInfo("x"))

    class Blind(Measurer):
        tasks = ("planes",)

    with pytest.raises(UsageError, match="1 answers for"):
        _run(Short(), root)
    for model in (Blind(), object()):
        with pytest.raises(NotAvailable, match="measures nothing"):
            _run(model, root)
    with pytest.raises(DataMissing):
        _run(Measurer(), tmp_path / "nowhere")
    with pytest.raises(UsageError):
        _run(Measurer(), root, split="all")


def test_json_page_and_plot_speak_of_millimetres(root: Path) -> None:
    told = json.loads(json.dumps(_run(Measurer(), root).to_dict(), allow_nan=False))
    assert told["metrics"]["hc_mae"]["measured_in"] == "mm"
    assert told["differences"]["unit"] == "mm"
    assert "bias +1.0 mm" in difference_facts(told)
    assert "HC.png" not in json.dumps(told)  # the names of HC18 are sorted by size
    assert str(root) not in json.dumps(told)
    assert "By size of the head" in str(_run(Measurer(), root))


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    path = tmp_path / "truth.csv"
    path.write_text(HEADER + "1_HC.png,0.1,100\n2_HC.png,0.1,200\n2_2HC.png,0.1,210\n3_HC.png,0.1,300\n")
    return path


def test_saved_measures_by_name(truth: Path, tmp_path: Path) -> None:
    saved = tmp_path / "hc.csv"
    saved.write_text(
        "filename,hc_mm,low,high\n3_HC.png,303,290,310\n2_2HC.png,,,\n1_HC.png,99,98,99.5\nx/2_HC.png,202,190,210\n"
    )
    result = biometry.from_predictions(saved, truth)
    assert (result.n, result["hc_measured"].found.value, result["hc_measured"].found.groups) == (4, 0.75, 3)
    assert result["hc_mae"].found.value == pytest.approx(2.0)
    assert result["hc_bias"].found.value == pytest.approx(4 / 3)
    assert result["hc_interval_coverage"].found.value == pytest.approx(2 / 3)
    assert any("no HC in 1 of 4" in note for note in result.notes)
    plain = tmp_path / "hc.json"
    plain.write_text(json.dumps({"HC": [98, 198, 208, 298]}))
    other = biometry.from_predictions(plain, truth)
    assert "hc_interval_coverage" not in _names(other)
    assert other["hc_bias"].found.value == pytest.approx(-2.0)
    both = compare(other, other, "same")
    assert both["versus_hc_mae"].found.value == 0.0
    assert both["versus_hc_mae"].measured_in == "mm"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("filename,days\n1_HC.png,100\n", "no 'hc_mm'"),
        ("hc_mm\n99\n", "has 1 rows and the truth 4"),
        ("hc_mm\n99\n-1\n200\n300\n", "row 2: hc_mm is '-1'"),
        ("hc_mm\n99\nnan\n200\n300\n", "row 2: hc_mm is 'nan'"),
        ("hc_mm\n99\n9999\n200\n300\n", "row 2: hc_mm is '9999'"),
        ("hc_mm,low\n99,1\n99,1\n99,1\n99,1\n", "one of 'low' and 'high'"),
        ("hc_mm,low,high\n99,1,2\n99,3,2\n99,1,2\n99,1,2\n", "an interval from 3 to 2"),
    ],
)
def test_hostile_saved_measures(truth: Path, tmp_path: Path, text: str, words: str) -> None:
    saved = tmp_path / "hc.csv"
    saved.write_text(text)
    with pytest.raises(UnreadableInput, match=words):
        biometry.from_predictions(saved, truth)


def test_the_command_on_saved_measures(truth: Path, tmp_path: Path) -> None:
    saved, plot, page = tmp_path / "hc.csv", tmp_path / "p.png", tmp_path / "p.html"
    saved.write_text("hc_mm,low,high\n101,90,110\n201,190,210\n211,200,220\n301,290,310\n")
    call = ["biometry", "--predictions", str(saved), "--truth", str(truth), "--json"]
    done = CliRunner().invoke(app, [*call, "--plot", str(plot), "--report", str(page)])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[0])
    assert told["metrics"]["hc_mae"]["value"] == pytest.approx(1.0)
    assert plot.stat().st_size > 1000
    assert "mean absolute difference, mm" in page.read_text()
    assert "estimate less truth, days" not in page.read_text()
    bare = CliRunner().invoke(app, call[:3])
    assert bare.exit_code != 0
    assert isinstance(bare.exception, UsageError)


class Dater(Measurer):
    """Dates heads as well, badly; `Measurer` measures them well."""

    def age(self, scans: Sequence[object]) -> list[AgeEstimate]:
        return [AgeEstimate(150, 140.0, 160.0, "fake", "WHO", model_low=140.0, model_high=160.0) for _ in scans]


def test_the_age_table_has_rows_of_the_measured_head(root: Path) -> None:
    result = ga.run(Dater(), root, ga.Options(show_progress=False))
    rows = [row for row in read_dataset("hc18", root) if row.split == "test" and (row.hc_mm or 0) >= 100]
    sizes = np.array([row.hc_mm or 0 for row in rows])
    assert result["biometry_answered"].found.value == pytest.approx((sizes > 140).mean())
    assert result["biometry_valid_prediction_rate"].found.n == result.n == len(rows)
    assert result["biometry_valid_prediction_rate"].found.value == pytest.approx((sizes > 140).mean())
    assert result["biometry_mae"].found.value < 2 < result["mae"].found.value
    assert result["biometry_interval_coverage"].found.value == 1.0
    assert result["biometry_mae"].goal is None

    class Plain:
        age = Dater.age

    plain = ga.run(Plain(), root, ga.Options(show_progress=False))
    assert not any(metric.name.startswith("biometry_") for metric in plain.metrics)
    assert plain["mae"].found == result["mae"].found
