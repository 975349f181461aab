"""Any folder with a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from fetalclip.data import splits
from fetalclip.data.table import read_folder
from fetalclip.errors import DataMissing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "scans"
    (place / "sub").mkdir(parents=True)
    for name in ("a.png", "b.png", "sub/c.png"):
        (place / name).write_bytes(b"")
    return place


def test_filename_stands_for_path_and_splits_are_dealt(folder: Path) -> None:
    (folder / "labels.csv").write_text("filename,plane,group\na.png,brain,P1\nb.png,femur,P1\nsub/c.png,heart,P2\n")
    found = read_folder(folder)
    assert [row.plane for row in found.rows] == ["brain", "femur", "thorax"]
    assert [row.fold for row in found.rows] == [splits.fold_of(g) for g in ("P1", "P1", "P2")]
    assert {row.split for row in found.rows[:2]} in ({"train"}, {"val"}, {"test"})
    kinds = {(p.kind, p.repaired) for p in found.problems}
    assert kinds == {("no split", True), ("other word for a plane", True)}


def test_a_picture_without_a_group_is_one_of_its_own_wherever_the_folder_lies(folder: Path, tmp_path: Path) -> None:
    (folder / "labels.csv").write_text("image,plane\na.png,brain\nsub/c.png,femur\n")
    first = read_folder(folder)
    assert [row.group for row in first.rows] == ["a.png", "sub/c.png"]
    assert "no group" in {p.kind for p in first.problems}
    folder.rename(tmp_path / "moved")
    second = read_folder(tmp_path / "moved")
    assert [(r.group, r.split, r.fold) for r in second.rows] == [(r.group, r.split, r.fold) for r in first.rows]


def test_its_own_split_is_kept(folder: Path) -> None:
    (folder / "labels.csv").write_text("path,group,split\na.png,P1,test\nb.png,P2,train\n")
    found = read_folder(folder)
    assert [row.split for row in found.rows] == ["test", "train"]
    assert found.problems == ()


def test_one_table_or_a_choice(folder: Path) -> None:
    with pytest.raises(DataMissing, match="0 tables"):
        read_folder(folder)
    for name in ("one.csv", "two.csv"):
        (folder / name).write_text("path,group,split\na.png,P1,test\n")
    with pytest.raises(DataMissing, match=r"2 tables \(one.csv, two.csv\).*--table"):
        read_folder(folder)
    assert len(read_folder(folder, folder / "one.csv").rows) == 1
    with pytest.raises(DataMissing, match="not a folder"):
        read_folder(folder / "none")
