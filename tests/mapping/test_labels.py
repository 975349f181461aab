"""Labels come from a table by path, base name or stem, or from the folder; what could be two is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fetalclip.errors import DataMissing, UsageError
from fetalclip.mapping import folder_labels, read_labels

NAMES = ("a/1.png", "a/2.png", "b/3.png")


def table(folder: Path, text: str) -> Path:
    path = folder / "t.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "filename,plane\na/1.png,brain\na/2.png,femur\nb/3.png,brain\n",
        "image,plane,more\nelsewhere/1.png,brain,x\n2.png,femur,y\n3.png,brain,z\n",
        "Image_name;Plane ;Train \n1;brain;1\n2;femur;0\n3;brain;1\n",
        "path\tLabel\n1\tbrain\n3.png\tbrain\nb\\2.png\tfemur\n",
    ],
)
def test_a_picture_is_found_by_path_base_name_or_stem(tmp_path, text):
    found = read_labels(table(tmp_path, text), NAMES)
    assert found.labels == ("brain", "femur", "brain")
    assert found.rows == (0, 1, 2)
    assert found.name.lower() in ("plane", "label")
    assert (found.groups, found.unmatched) == ((), 0)


def test_groups_and_some_rows_only(tmp_path):
    text = "filename,plane,patient,Train\n1.png,brain,7,0\n2.png,femur,,0\n3.png,brain,7,1\n"
    found = read_labels(table(tmp_path, text), (*NAMES, "c/4.png"))
    assert found.groups == ("7", "row 1", "7", "row 3")
    assert found.labels == ("brain", "femur", "brain", "")
    assert found.unmatched == 1
    some = read_labels(table(tmp_path, text), (*NAMES, "c/4.png"), where={"Train": "0"})
    assert (some.rows, some.labels, some.unmatched) == ((0, 1), ("brain", "femur"), 0)
    assert read_labels(table(tmp_path, text), NAMES, "Train", "filename").groups == ("1.png", "2.png", "3.png")


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("filename,plane\nz.png,brain\n", {}, "none of the 3 embeddings"),
        ("filename,plane\n1.png,brain\n", {"label": "machine"}, "columns filename, plane"),
        ("filename,what\n1.png,brain\n", {}, "label or plane or class"),
        ("name,plane\n1.png,brain\n", {}, "path or filename"),
        ("filename,plane\n1.png,brain\n", {"group": "patient"}, "a column patient"),
        ("filename,plane\n1.png,brain\n", {"where": {"split": "test"}}, "a column split"),
        ("filename,plane,split\n1.png,brain,val\n", {"where": {"split": "test"}}, "split=test"),
        ("filename,plane\nx/1.png,brain\ny/1.png,femur\n", {}, "2 lines of the table have the base name"),
        ("filename,plane\n1.png,\n", {}, "empty for every"),
    ],
)
def test_what_cannot_be_matched_is_told(tmp_path, text, words, said):
    with pytest.raises(UsageError, match=said):
        read_labels(table(tmp_path, text), NAMES, **words)


def test_too_many_labels_and_no_table_are_told(tmp_path):
    names = [f"{i}.png" for i in range(41)]
    path = table(tmp_path, "filename,plane\n" + "".join(f"{name},{i}\n" for i, name in enumerate(names)))
    with pytest.raises(UsageError, match="41 different values"):
        read_labels(path, names)
    with pytest.raises(DataMissing, match="no table"):
        read_labels(tmp_path / "none.csv", names)


def test_a_path_goes_before_a_base_name(tmp_path):
    text = "filename,plane\na/1.png,brain\nb/1.png,femur\n"
    assert read_labels(table(tmp_path, text), ("b/1.png", "a/1.png")).labels == ("femur", "brain")


def test_folders_are_labels_where_there_are_several():
    found = folder_labels(NAMES)
    assert (found.labels, found.name) == (("a", "a", "b"), "folder")
    assert folder_labels(NAMES[:2]).labels == ()
    assert folder_labels([f"{i}/x.png" for i in range(50)]).labels == ()


def test_patients_whose_files_have_the_same_names_are_not_mixed_up(tmp_path):
    path = table(tmp_path, "filename,label,patient\np1/0.png,brain,p1\n")
    found = read_labels(path, ["scans/p1/0.png", "scans/p2/0.png", "scans/p3/1.png"])
    assert found.labels == ("brain", "", "")
    assert found.patients == 1
    with pytest.raises(UsageError, match="lines of the table have the base name of one embedding"):
        read_labels(table(tmp_path, "filename,label,patient\na.png,brain,p1\na.png,femur,p2\n"), ["a.png", "b.png"])
