"""Tables of labelled pictures: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fetalclip.data.labelled import check_classes, numbers_of, read_labelled
from fetalclip.errors import DataMissing, UnreadableInput, UsageError


def table(folder: Path, text: str, pictures: int = 6) -> Path:
    for i in range(pictures):
        (folder / f"p{i}.png").touch()
    path = folder / "t.csv"
    path.write_text(text)
    return path


def test_columns_by_their_usual_names(tmp_path: Path) -> None:
    path = table(tmp_path, "Filename,Label,Patient,split\np0.png,a,x,train\np1.png,b,y,test\np2.png,,y,test\n".lower())
    found = read_labelled(path)
    assert (found.label, found.grouped, found.skipped) == ("label", True, 1)
    assert [(row.label, row.group, row.split) for row in found.rows] == [("a", "x", "train"), ("b", "y", "test")]
    assert found.rows[0].path == tmp_path / "p0.png"
    assert [row.label for row in found.on("test")] == ["b"]


def test_named_columns_and_root(tmp_path: Path) -> None:
    inner = tmp_path / "pictures"
    inner.mkdir()
    (inner / "p0.png").touch()
    path = table(tmp_path, "path,lie,case,mm_per_pixel\np0.png,breech,7,0.2\n", 0)
    found = read_labelled(path, "lie", "case", root=inner)
    assert (found.rows[0].label, found.rows[0].group, found.rows[0].mm_per_pixel) == ("breech", "7", 0.2)
    assert 0 <= found.rows[0].fold <= 4


def test_without_patients_every_picture_stands_for_itself(tmp_path: Path) -> None:
    found = read_labelled(table(tmp_path, "path,label\np0.png,a\np1.png,b\n"))
    assert not found.grouped
    assert len(set(found.groups)) == 2


def test_a_manifest_is_one_too(tmp_path: Path) -> None:
    text = "path,group,split,fold,plane\np0.png,g1,train,2,brain\np1.png,g2,test,-1,femur\n"
    found = read_labelled(table(tmp_path, text), "plane")
    assert [(row.fold, row.split) for row in found.rows] == [(2, "train"), (-1, "test")]
    text = "path,frame,group,plane\np0.png,3,g1,brain\np0.png,0,g1,femur\np1.png,,g2,femur\n"
    assert [row.frame for row in read_labelled(table(tmp_path, text), "plane").rows] == [3, 0, None]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("name,label\np0.png,a\n", "no column path"),
        ("path,label\n", "no row with a label"),
        ("path,label\n,a\n", "row 2 .* has no path"),
        ("path,label,patient\np0.png,a,\n", "row 2 .* has no patient"),
        ("path,label,split\np0.png,a,left\n", "split 'left'"),
        ("path,label,fold\np0.png,a,9\n", "fold '9'"),
        ("path,label,mm_per_pixel\np0.png,a,-1\n", "mm_per_pixel '-1'"),
        ("path,label,frame\np0.png,a,x\n", "row 2 .* frame 'x'"),
        ("path,label,frame\np0.png,a,1\np0.png,b,1\n", "stand twice"),
        ("path,label\np0.png,a\np0.png,b\n", "stand twice"),
        ("path,label,patient,split\np0.png,a,x,train\np1.png,b,x,test\n", "1 patients .* two splits"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, wrong: str) -> None:
    with pytest.raises(UnreadableInput, match=wrong):
        read_labelled(table(tmp_path, text))


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="without a column of labels"):
        read_labelled(table(tmp_path, "path,lie\np0.png,a\n"))
    with pytest.raises(UsageError, match=r"--label 'plan'.*path, label"):
        read_labelled(table(tmp_path, "path,label\np0.png,a\n"), "plan")
    with pytest.raises(DataMissing, match=r"1 of 2 pictures .* not there \(gone.png\)"):
        read_labelled(table(tmp_path, "path,label\np0.png,a\ngone.png,b\n"))


def test_classes_need_patients(tmp_path: Path) -> None:
    text = "path,label,patient\np0.png,a,x\np1.png,a,y\np2.png,b,x\np3.png,b,x\n"
    rows = read_labelled(table(tmp_path, text)).rows
    with pytest.raises(UnreadableInput, match=r"1 classes with fewer than 2 patients: b \(1\)"):
        check_classes(rows)
    assert check_classes(rows, 1) == ("a", "b")
    with pytest.raises(UnreadableInput, match="one class only"):
        check_classes(rows[:2])


def test_numbers(tmp_path: Path) -> None:
    rows = read_labelled(table(tmp_path, "path,label\np0.png,140\np1.png,nan\n")).rows
    assert numbers_of(rows[:1]) == [140.0]
    with pytest.raises(UnreadableInput, match="a label 'nan'"):
        numbers_of(rows)
