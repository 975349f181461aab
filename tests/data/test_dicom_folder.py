"""A folder of DICOM files as a manifest."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from fetalclip.data import dicom_folder
from fetalclip.data.dicom_folder import Choices, holds_dicom, read_dicom_folder
from fetalclip.data.manifest import Manifest
from fetalclip.errors import DataMissing
from fetalclip.io import read_at
from fetalclip.io.deid import Choices as Deidentified
from fetalclip.io.deid import deidentify
from fetalclip.io.deid.key import Key

KEY, OTHER = Key(bytes(range(32))), Key(bytes(range(1, 33)))


@pytest.fixture
def write(tmp_path: Path, dicoms: ModuleType):
    def made(name: str, patient: str = "A", study: str = "", frames: int = 0, **fields: object) -> Path:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = dicoms.pattern(*([frames] if frames else []), 48, 64)
        told = {
            "PatientID": patient,
            "SeriesInstanceUID": "1.2.9",
            "StudyInstanceUID": f"1.2.{ord(patient[0])}{study}" if patient else "",
            **fields,
        }
        path.write_bytes(dicoms.build(pixels, **told))
        return path

    return made


def kinds(manifest: Manifest) -> list[tuple[int, str, bool]]:
    return [(problem.row, problem.kind, problem.repaired) for problem in manifest.problems]


def test_rows_of_an_archive(tmp_path: Path, write) -> None:
    write("b/2", "B", frames=5)
    write("a/1", "A", Manufacturer="Maker")
    write("a/2", "A", "7")
    found = read_dicom_folder(tmp_path / "in", KEY)
    assert [(row.name, row.frame) for row in found.rows] == [("1", None), ("2", None), ("2", 2)]
    assert [row.group for row in found.rows] == [KEY.pseudonym(who) for who in "AAB"]
    first = found.rows[0]
    assert (first.dataset, first.machine, first.mm_per_pixel, first.width, first.height, first.split) == (
        "dicom", "Maker", 0.2, 64, 48, "",
    )  # fmt: skip
    assert kinds(found) == [(0, "no split", True)]
    assert [row.group for row in read_dicom_folder(tmp_path / "in", OTHER).rows] == [OTHER.pseudonym(w) for w in "AAB"]


def test_it_is_written_and_read_again(tmp_path: Path, write, dicoms: ModuleType) -> None:
    write("a/1", frames=4)
    write("a/ä b.dcm")
    found = read_dicom_folder(tmp_path / "in", KEY, choices=Choices(frames=2))
    found.write(tmp_path / "m.csv")
    again = Manifest.read(tmp_path / "m.csv").require()
    assert [(row.path, row.frame) for row in again.rows] == [(row.path, row.frame) for row in found.rows]
    assert [row.frame for row in again.rows] == [1, 3, None]
    picture = read_at(again.rows[1].path, 3)
    assert np.array_equal(picture.pixels, np.asarray(dicoms.pattern(4, 48, 64)[3]))


def test_odd_names_come_back_or_are_refused(tmp_path: Path, write) -> None:
    odd = [chr(code) for code in (*range(1, 0x20), 0x22, 0x2C, 0x7F, *range(0x80, 0xA1), 0x2028, 0x2029)]
    for number, character in enumerate(odd):
        write(f"{number}{character}x")
        write(f"{number}y{character}")
        write(f"{number}{character}d{character}/z")
    found = read_dicom_folder(tmp_path / "in", KEY)
    found.usable().write(tmp_path / "m.csv")
    again = Manifest.read(tmp_path / "m.csv").require()
    assert [row.path for row in again.rows] == [row.path for row in found.rows]
    assert {p.what for p in found.refused} == {"a name that begins or ends with a blank"}
    assert len(again.rows) + len(found.refused) == 3 * len(odd)


def test_clips_left_out_or_in_pieces(tmp_path: Path, write) -> None:
    write("a", frames=3)
    write("b")
    none = read_dicom_folder(tmp_path / "in", KEY, choices=Choices(frames=0))
    assert [row.name for row in none.rows] == ["b"]
    assert "clips left out" in {p.kind for p in none.problems}
    every = read_dicom_folder(tmp_path / "in", KEY, choices=Choices(frames=9))
    assert [row.frame for row in every.rows] == [0, 1, 2, None]


def test_what_cannot_be_used_is_named_and_the_rest_goes_on(tmp_path: Path, write) -> None:
    whole = write("good")
    write("ct", SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    (tmp_path / "in" / "cut").write_bytes(whole.read_bytes()[:250])
    (tmp_path / "in" / "letter.txt").write_text("a letter")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in", target_is_directory=True)
    write(" blank")
    found = read_dicom_folder(tmp_path / "in", KEY)
    assert [row.name for row in found.usable().rows] == ["good"]
    assert {p.path for p in found.refused} == {"ct", "cut", " blank"}
    assert all(p.kind == "unreadable picture" and str(tmp_path) not in p.what for p in found.refused)
    assert "1 files are neither" in next(p.what for p in found.problems if p.kind == "other files")


def test_a_folder_without_a_good_file(tmp_path: Path, write) -> None:
    write("ct", SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    assert read_dicom_folder(tmp_path / "in", KEY).rows == ()
    (tmp_path / "in" / "ct").write_text("a letter")
    with pytest.raises(DataMissing, match="no DICOM file"):
        read_dicom_folder(tmp_path / "in", KEY)
    with pytest.raises(DataMissing, match="not a folder"):
        read_dicom_folder(tmp_path / "none", KEY)


def test_pictures_of_nobody_go_with_their_folder(tmp_path: Path, write) -> None:
    write("a/1", "A")
    write("both/1", "A")
    write("both/2", "B")
    for place in ("a", "both"):
        Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "in" / place / "x.png")
    write("lone/1", "", PatientName="")
    found = {
        row.path.relative_to(tmp_path / "in").as_posix(): row for row in read_dicom_folder(tmp_path / "in", KEY).rows
    }
    assert found["a/x.png"].group == KEY.pseudonym("A")
    assert (found["a/x.png"].dataset, found["a/x.png"].width) == ("pictures", 30)
    alone = {found["both/x.png"].group, found["lone/1"].group}
    assert len(alone) == 2
    assert not alone & {KEY.pseudonym(who) for who in ("A", "B", "")}
    assert not any("both" in group or "lone" in group for group in alone)


def test_a_split_is_dealt_by_patient_and_is_the_same_under_the_key(tmp_path: Path, write) -> None:
    for number in range(60):
        write(f"{number:02d}", chr(65 + number // 2), str(number))
    first = read_dicom_folder(tmp_path / "in", KEY, choices=Choices(deal=True))
    assert {row.split for row in first.rows} == {"train", "val", "test"}
    assert len({(row.group, row.split, row.fold) for row in first.rows}) == 30
    write("60", chr(65 + 30))
    more = read_dicom_folder(tmp_path / "in", KEY, choices=Choices(deal=True))
    assert more.rows[:60] == first.rows
    other = read_dicom_folder(tmp_path / "in", OTHER, choices=Choices(deal=True))
    assert [row.split for row in other.rows] != [row.split for row in more.rows]


def test_two_patients_in_one_study_are_told_and_stand_together(tmp_path: Path, write) -> None:
    for number in range(20):
        write(f"{number}-a", f"A{number}", StudyInstanceUID=f"1.2.{number}")
        write(f"{number}-b", f"B{number}", StudyInstanceUID=f"1.2.{number}")
    write("x", "X", frames=3)
    found = read_dicom_folder(tmp_path / "in", KEY, choices=Choices(frames=3, deal=True))
    told = [problem for problem in found.problems if problem.kind == "patients differ within study"]
    assert len(told) == 40
    assert all(found.rows[problem.row - 1].name == problem.path for problem in told)
    assert found.refused == ()
    assert len(found.usable().rows) == 43
    sides = {row.name: row.split for row in found.rows}
    assert all(sides[f"{number}-a"] == sides[f"{number}-b"] for number in range(20))
    assert len({row.group for row in found.rows}) == 41


def test_a_table_comes_before_the_headers(tmp_path: Path, write) -> None:
    write("a/1", "A", Manufacturer="Maker")
    write("a/2", "A")
    write("b/3", "B", frames=9)
    write("b/4", "B")
    (tmp_path / "t.csv").write_text(
        "filename,plane,split,mm_per_pixel,frame\n1,brain,train,0.5,\n3,femur,val,,1\n3,abdomen,val,,7\n"
        "4,not ultrasound,val,,\n9,femur,,,\n"
    )
    found = read_dicom_folder(tmp_path / "in", KEY, tmp_path / "t.csv")
    assert [(row.name, row.frame, row.plane, row.split, row.mm_per_pixel) for row in found.rows] == [
        ("1", None, "brain", "train", 0.5),
        ("2", None, None, "train", 0.2),  # of the same patient
        ("3", 1, "femur", "val", 0.2),
        ("3", 7, "abdomen", "val", 0.2),
        ("4", None, "not ultrasound", "val", None),
    ]
    assert found.rows[0].machine == "Maker"
    assert [(p.kind, p.path) for p in found.refused] == [("missing file", "9")]
    assert len(found.usable().rows) == 5


def test_a_frame_that_is_not_there_is_refused(tmp_path: Path, write, dicoms: ModuleType) -> None:
    clip = write("clip", "A", frames=6)
    (tmp_path / "in" / "cut").write_bytes(clip.read_bytes()[: -2 * 48 * 64])
    write("still", "B")
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "in" / "x.png")
    wrong = "clip,99\nclip,6\ncut,4\nstill,3\nstill,0\nx.png,0\nclip,-1\n"
    (tmp_path / "t.csv").write_text(f"filename,frame\n{wrong}clip,5\nclip,0.0\ncut,3\n")
    found = read_dicom_folder(tmp_path / "in", KEY, tmp_path / "t.csv")
    assert {(row.name, row.frame) for row in found.usable().rows} == {("clip", 5), ("clip", 0), ("cut", 3)}
    assert [read_at(row.path, row.frame).pixels.shape for row in found.rows] == [(48, 64)] * 3
    assert sorted((p.path, p.kind, p.what.partition("frame ")[2][:2]) for p in found.refused) == [
        ("clip", "bad frame", "'-"), ("clip", "no such frame", "6,"), ("clip", "no such frame", "99"),
        ("cut", "no such frame", "4,"), ("still", "no such frame", "0 "), ("still", "no such frame", "3 "),
        ("x.png", "no such frame", "0 "),
    ]  # fmt: skip
    assert any(p.what.endswith("the clip has 0 to 3") for p in found.refused)


def test_a_table_that_parts_a_patient_is_refused(tmp_path: Path, write) -> None:
    write("1", "A")
    write("2", "A")
    (tmp_path / "t.csv").write_text("filename,split\n1,train\n2,test\n")
    found = read_dicom_folder(tmp_path / "in", KEY, tmp_path / "t.csv")
    assert {p.kind for p in found.refused} == {"mixed splits"}


def test_one_patient_id_for_all_is_told(tmp_path: Path, write) -> None:
    write("1", "ANONYMOUS", "1")
    write("2", "ANONYMOUS", "2")
    assert "one patient" in {p.kind for p in read_dicom_folder(tmp_path / "in", KEY).problems}


def test_processes_see_what_one_sees(tmp_path: Path, write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("good")
    write("ct", SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    alone = read_dicom_folder(tmp_path / "in", KEY)
    monkeypatch.setattr(dicom_folder, "_POOL_FROM", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert read_dicom_folder(tmp_path / "in", KEY) == alone


def test_a_de_identified_copy_has_the_same_groups(tmp_path: Path, write) -> None:
    for who in "AB":
        path = write(who, who)
        (tmp_path / "out").mkdir(exist_ok=True)
        deidentify(path, tmp_path / "out", KEY, Deidentified(keep_text=True))
    first, copy = (read_dicom_folder(tmp_path / name, KEY, choices=Choices(deal=True)) for name in ("in", "out"))
    assert {(row.group, row.split) for row in copy.rows} == {(row.group, row.split) for row in first.rows}
    assert len(copy.rows) == 2


def test_folders_that_hold_dicom(tmp_path: Path, write) -> None:
    (tmp_path / "empty").mkdir()
    assert not holds_dicom(tmp_path / "empty")
    write("deep/er/1")
    (tmp_path / "in" / "a.txt").write_text("a letter")
    assert holds_dicom(tmp_path / "in")
