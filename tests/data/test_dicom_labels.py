"""Which row of a table is about which file of an archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from fetalclip.data.dicom_labels import Labels, written_here
from fetalclip.errors import UnreadableInput

FILES = ("p1/s/IM1", "p2/s/IM1", "p2/s/IM2")


def joined(folder: Path, text: str) -> tuple[Labels, list[str]]:
    (folder / "t.csv").write_text(text)
    labels = Labels.read(folder / "t.csv", folder)
    return labels, [f"{p.kind}: {p.what}" for p in labels.join(FILES)]


def test_by_path_or_by_the_end_of_one(tmp_path: Path) -> None:
    rows = f"p1/s/IM1,brain\n{tmp_path}/p2/s/IM1,femur\nIM2,abdomen\n"
    labels, problems = joined(tmp_path, "filename,plane\n" + rows)
    assert [labels.of(file) for file in FILES] == [[{"plane": "brain"}], [{"plane": "femur"}], [{"plane": "abdomen"}]]
    assert problems == []


def test_a_name_of_several_files_is_not_guessed(tmp_path: Path) -> None:
    labels, problems = joined(tmp_path, "image,plane\nIM1,brain\ns/IM1,brain\nIM9,brain\nother/IM2,brain\n,femur\n")
    assert [labels.of(file) for file in FILES] == [[], [], []]
    assert [problem.partition(":")[0] for problem in problems] == ["several files"] * 2 + ["missing file"] * 3
    assert "row 2 of the table" in problems[1]


def test_several_rows_of_a_file(tmp_path: Path) -> None:
    labels, _ = joined(tmp_path, "path,frame,plane\nIM2,0,brain\nIM2,3,femur\n")
    assert labels.of("p2/s/IM2") == [{"frame": "0", "plane": "brain"}, {"frame": "3", "plane": "femur"}]


@pytest.mark.parametrize("text", ["plane\nbrain\n", "filename,plain\nIM1,brain\n"])
def test_tables_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnreadableInput):
        joined(tmp_path, text)


def test_manifests_are_told_from_labels(tmp_path: Path) -> None:
    table, name = tmp_path / "t.csv", "P-" + "0a" * 12
    columns = "path,dataset,group,split,plane\n"
    for text, ours in (
        (f"{columns}a,dicom,{name},train,\n", True),
        (f"{columns}a,mine,G,train,\nb,mine,{name},train,\n", True),
        (f"{columns}a,dicom,G,train,\nb,pictures,2.25.1,train,\n", True),
        (f"{columns}a,mine,G,train,\n", False),
        (f"{columns}a,,P-17,train,\n", False),
        (f"path,group,plane\na,{name},brain\n", False),
        (columns, False),
        ("path,dataset\na\n", False),
    ):
        table.write_text(text)
        assert written_here(table) is ours, text
    assert not written_here(tmp_path / "none.csv")
