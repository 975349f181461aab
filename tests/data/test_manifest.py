"""Manifests: what is written comes back, what is wrong is named by its row, nothing goes in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from fetalclip.data import Manifest, Row
from fetalclip.data.columns import COLUMNS, parse
from fetalclip.data.formats import read_cells
from fetalclip.errors import DataMissing, InputError, MissingPackage, OutputError, UnreadableInput, UsageError

ROWS = (
    Row("mine", Path("a.png"), "a.png", "P1", 0, "train", "brain", "trans-thalamic", "Voluson E6", 0.123456789012345),
    Row("mine", Path("b.png"), "b.png", "P2", -1, "test", "femur", age_days=143, width=800, height=540),
    Row(
        "mine",
        Path("c,d.png"),
        "c,d.png",
        "P1",
        0,
        "train",
        "brain",
        hc_mm=175.25,
        mask=Path("m.png"),
        mask_kind="head",
    ),
    Row(
        "mine",
        Path("e.png"),
        "e.png",
        "P3",
        -3,
        "val",
        "brain",
        planes=("brain", "thorax"),
        findings=("one", "two, and more"),
        text='A "long" caption\u00e9',
    ),
)


def line(**cells: str) -> str:
    """A table of one row."""
    return ",".join(cells) + "\n" + ",".join(cells.values()) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png", "c,d.png", "e.png", "m.png"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def placed(folder: Path) -> Manifest:
    from dataclasses import replace

    rows = [replace(r, path=folder / r.path, mask=r.mask and folder / r.mask) for r in ROWS]
    return Manifest(tuple(rows), tuple(range(1, 5)))


def read(folder: Path, text: str, files: bool = False) -> Manifest:
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return Manifest.read(folder / "t.csv", files=files)


@pytest.mark.parametrize("name", ["m.csv", "m.parquet"])
def test_what_is_written_comes_back(folder: Path, name: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    whole = placed(folder)
    whole.write(folder / name)
    again = Manifest.read(folder / name)
    assert again.problems == ()
    assert [row.views for row in again.rows] == [row.views for row in whole.rows]
    for before, after in zip(whole.rows, again.rows, strict=True):
        assert {**vars(before), "planes": ()} == {**vars(after), "planes": ()}
    assert [path.name for path in folder.glob(".*")] == []


def test_paths_below_the_table_are_relative(folder: Path) -> None:
    placed(folder).write(folder / "m.csv")
    header, rows = read_cells(folder / "m.csv")
    assert [row["path"] for row in rows] == ["a.png", "b.png", "c,d.png", "e.png"]
    assert set(header) <= set(COLUMNS)
    deeper = folder / "tables"
    deeper.mkdir()
    placed(folder).write(deeper / "m.csv")
    assert read_cells(deeper / "m.csv")[1][0]["path"] == str(folder / "a.png")


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ({"path": "a.png", "plane": "femur", "subplane": "trans-thalamic"}, "contradiction"),
        ({"path": "a.png", "subplane": "trans-thalamic"}, "contradiction"),
        ({"path": "a.png", "plane": "femur", "hc_mm": "170"}, "contradiction"),
        ({"path": "a.png", "plane": "not ultrasound", "age_days": "140"}, "contradiction"),
        ({"path": "a.png", "plane": "brain", "age_days": "140", "text": "a head at 30 weeks"}, "contradiction"),
        ({"path": "a.png", "plane": "brain", "age_days": "140", "findings": "seen at 30 weeks"}, "contradiction"),
        ({"path": "a.png", "width": "10"}, "contradiction"),
        ({"path": "a.png", "mask_kind": "head"}, "contradiction"),
        ({"path": "a.png", "plane": "toe"}, "unknown plane"),
        ({"path": "a.png", "plane": "brain;toe"}, "unknown plane"),
        ({"path": "a.png", "plane": "brain", "subplane": "thalamic"}, "unknown sub-plane"),
        ({"path": "a.png", "split": "holdout"}, "unknown split"),
        ({"path": "a.png", "mm_per_pixel": "0"}, "bad spacing"),
        ({"path": "a.png", "mm_per_pixel": "-0.1"}, "bad spacing"),
        ({"path": "a.png", "mm_per_pixel": "nan"}, "bad spacing"),
        ({"path": "a.png", "mm_per_pixel": "inf"}, "bad spacing"),
        ({"path": "a.png", "mm_per_pixel": "70"}, "bad spacing"),
        ({"path": "a.png", "age_days": "34"}, "age out of range"),
        ({"path": "a.png", "age_days": "316"}, "age out of range"),
        ({"path": "a.png", "age_days": "45w1d"}, "age out of range"),
        ({"path": "a.png", "age_days": "-140"}, "age out of range"),
        ({"path": "a.png", "age_days": "twenty"}, "bad age"),
        ({"path": "a.png", "age_days": "20w9d"}, "bad age"),
        ({"path": "a.png", "fold": "7"}, "bad fold"),
        ({"path": "a.png", "frame": "-1"}, "bad frame"),
        ({"path": "a.png", "frame": "1.5"}, "bad frame"),
        ({"path": "a.png", "width": "1.5", "height": "4"}, "bad width"),
        ({"path": "", "plane": "brain"}, "bad path"),
        ({"path": "a.png", "machine": "x" * 81}, "bad machine"),
        ({"path": "a.png", "text": "bell\x07"}, "bad text"),
    ],
)
def test_a_bad_row_is_refused_and_named(folder: Path, cells: dict[str, str], kind: str) -> None:
    header = ",".join(cells)
    good = ",".join({**dict.fromkeys(cells, ""), "path": "b.png"}.values())
    found = read(folder, f"{header}\n{good}\n{','.join(cells.values())}\n")
    assert [row.name for row in found.rows] == ["b.png"]
    assert {(p.row, p.repaired) for p in found.problems} == {(2, False)}
    assert kind in {p.kind for p in found.problems}
    with pytest.raises(InputError, match=r"1 rows.*row 2"):
        found.require()


@pytest.mark.parametrize(
    ("cells", "name", "value"),
    [
        ({"path": "a.png", "age_days": "20w3d"}, "age_days", 143),
        ({"path": "a.png", "age_days": "20+3"}, "age_days", 143),
        ({"path": "a.png", "split": "training"}, "split", "train"),
        ({"path": "a.png", "plane": "Heart"}, "plane", "thorax"),
    ],
)
def test_a_repair_is_told(folder: Path, cells: dict[str, str], name: str, value: object) -> None:
    found = read(folder, line(**cells))
    assert getattr(found.rows[0], name) == value
    assert [(p.row, p.repaired) for p in found.problems] == [(1, True)]
    assert found.require() is found


@pytest.mark.parametrize(
    ("text", "value"), [("35", 35), ("315", 315), ("143.0", 143), ("5w", 35), ("45w0d", 315), ("22 w 6 d", 160)]
)
def test_ages_at_the_edges(text: str, value: int) -> None:
    assert parse({"path": "a.png", "age_days": text})[0]["age_days"] == value


def test_missing_files_and_second_mentions_are_named(folder: Path) -> None:
    found = read(
        folder, "path,mask\na.png,\nnone.png,\na.png,\nb.png,gone.png\n\0.png,\n".replace("\0", "x"), files=True
    )
    assert [(p.row, p.kind) for p in found.problems] == [
        (2, "missing file"),
        (3, "picture listed twice"),
        (4, "missing file"),
        (5, "missing file"),
    ]
    assert [row.name for row in found.usable().rows] == ["a.png"]
    assert found.usable().numbers == (1,)


@pytest.mark.parametrize("name", ["m.csv", "m.parquet"])
def test_pictures_of_one_clip(folder: Path, name: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    found = read(folder, "path,frame,group\na.png,0,P1\na.png,12,P1\na.png,,P1\na.png,12,P1\n")
    assert [(p.row, p.kind) for p in found.problems] == [(4, "picture listed twice")]
    found.usable().write(folder / name)
    assert [row.frame for row in Manifest.read(folder / name).require().rows] == [0, 12, None]


def test_a_group_in_two_splits_is_refused_row_by_row(folder: Path) -> None:
    text = "path,group,split\na.png,P1,train\nb.png,P2,train\ne.png,P1,test\nm.png,P2,train\n"
    found = read(folder, text)
    assert len(found.rows) == 4  # kept for the audit
    assert [(p.row, p.kind) for p in found.problems] == [(1, "mixed splits"), (3, "mixed splits")]
    assert "test, train" in found.problems[0].what
    assert [row.name for row in found.usable().rows] == ["b.png", "m.png"]
    with pytest.raises(InputError, match=r"2 rows.*mixed splits"):
        found.require()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,plain\na.png,brain\n", r"unknown columns: 'plain' \(near plane\)"),
        ("plane\nbrain\n", "no column 'path'"),
        ("path,plane\n", "no rows"),
        ("", "no column 'path'"),
        ("path;plane\na.png;brain\n", "has ; between"),
        ("path,plane\na.png\n", "1 cells in line 2"),
        ("path,path\na.png,b.png\n", "two columns 'path'"),
        ('path,plane\na.png,"brain\n', "not CSV"),
        ("path\n" + "a" * 1_000_001 + "\n", "not CSV"),
    ],
)
def test_a_table_of_no_use_is_one_message(folder: Path, text: str, message: str) -> None:
    with pytest.raises(UnreadableInput, match=message):
        read(folder, text)


def test_other_files_than_tables(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"\.csv or \.parquet"):
        Manifest.read(folder / "a.png")
    with pytest.raises(DataMissing, match="no table"):
        Manifest.read(folder / "none.csv")
    with pytest.raises(UsageError, match=r"\.csv or \.parquet"):
        placed(folder).write(folder / "m.txt")
    with pytest.raises(OutputError, match="cannot be written"):
        placed(folder).write(folder / "nowhere" / "m.csv")
    (folder / "latin.csv").write_bytes(b"path\n\xff\xfe.png\n")
    with pytest.raises(UnreadableInput, match="not CSV"):
        Manifest.read(folder / "latin.csv")


def test_a_damaged_parquet_is_one_message(folder: Path) -> None:
    pytest.importorskip("pyarrow")
    for data in (b"", b"PAR1", b"PAR1" + b"\xff" * 200 + b"PAR1"):
        (folder / "m.parquet").write_bytes(data)
        with pytest.raises(UnreadableInput, match="cannot be read"):
            Manifest.read(folder / "m.parquet")


def test_parquet_keeps_types_and_refuses_lists(folder: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    placed(folder).write(folder / "m.parquet")
    schema = parquet.read_schema(folder / "m.parquet")
    assert (schema.field("age_days").type, schema.field("mm_per_pixel").type) == (arrow.int32(), arrow.float64())
    parquet.write_table(arrow.table({"path": [["a.png"]]}), folder / "l.parquet")
    with pytest.raises(UnreadableInput, match="cannot be read"):
        Manifest.read(folder / "l.parquet")


def test_without_pyarrow_the_message_names_the_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingPackage, match=r"pip install 'fetalclip\[parquet\]'"):
        placed(folder).write(folder / "m.parquet")
    assert not list(folder.glob("*.parquet"))


def test_a_machine_without_a_name_is_unknown(folder: Path) -> None:
    assert read(folder, line(path="a.png", machine="Other")).rows[0].machine is None
    assert read(folder, line(path="a.png", machine="Aloka")).rows[0].machine == "Aloka"
