"""The files of a folder as exams, by their headers alone."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

import fetalclip.io.studies as module
from fetalclip.io import inspect
from fetalclip.io.deid import Choices, Key, deidentify
from fetalclip.io.studies import studies
from fetalclip.result import Study

KEY, OTHER = Key(bytes(range(32))), Key(bytes(range(1, 33)))


class Folder:
    """Writes small DICOM files; ``study`` 0 leaves the study out."""

    def __init__(self, root: Path, dicoms: ModuleType) -> None:
        self.root, self.dicoms = root, dicoms

    def add(self, name: str, study: int = 1, series: int = 1, number: int | None = None, **fields: object) -> Path:
        told = {"StudyInstanceUID": f"1.2.3.{study}", "SeriesInstanceUID": f"1.2.3.{study}.{series}"} if study else {}
        if number is not None:
            told["InstanceNumber"] = number
        path = self.root / name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of values that no date may have
            path.write_bytes(self.dicoms.build(self.dicoms.pattern(48, 64), **told, **fields))
        return path

    def still(self, name: str) -> Path:
        Image.new("L", (9, 9)).save(self.root / name)
        return self.root / name


@pytest.fixture
def folder(tmp_path: Path, dicoms: ModuleType) -> Folder:
    return Folder(tmp_path, dicoms)


def names(found: list[tuple[list[Path], Study]]) -> list[list[str]]:
    return [[path.name for path in files] for files, _ in found]


def exams(folder: Folder, key: Key = KEY) -> list[tuple[list[Path], Study]]:
    return studies(sorted(folder.root.iterdir()), key)


def test_one_study_is_one_exam_with_all_that_lies_beside_it(folder: Folder) -> None:
    folder.add("b")
    folder.add("c", study=0)
    folder.still("a.png")
    (folder.root / "d.txt").write_text("no picture")
    found = exams(folder)
    assert names(found) == [["b", "a.png", "c", "d.txt"]]
    study = found[0][1]
    assert study.part == study.refused == ""
    assert study.key == KEY.uid("1.2.3.1")
    assert study.series == (KEY.uid("1.2.3.1.1"),)
    assert study.patient == KEY.pseudonym("SECRET-17")
    assert not any(text in repr(study) for text in ("1.2.3", "SECRET", "ROE"))
    assert exams(folder, OTHER)[0][1].key != study.key


def test_no_dicom_is_one_exam_in_its_order(folder: Folder) -> None:
    for name in ("c.png", "a.png", "b.png"):
        folder.still(name)
    assert names(exams(folder)) == [["a.png", "b.png", "c.png"]]
    assert exams(folder)[0][1] == Study()


def test_several_studies_are_exams_in_the_order_in_which_they_are_met(folder: Folder) -> None:
    folder.add("a", study=2, PatientID="SECRET-18")
    folder.still("b.png")
    folder.add("c", study=1)
    folder.add("d", study=2, PatientID="SECRET-18")
    folder.add("e", study=0)
    found = exams(folder)
    assert names(found) == [["a", "d"], ["c"], ["b.png", "e"]]
    assert [study.part for _, study in found] == ["study 1 of 2", "study 2 of 2", "rest"]
    assert [study.refused for _, study in found] == [""] * 3
    assert found[0][1].patient != found[1][1].patient
    assert (found[2][1].key, found[2][1].series) == ("", ())
    (folder.root / "b.png").unlink()
    (folder.root / "e").unlink()
    assert [study.part for _, study in exams(folder)] == ["study 1 of 2", "study 2 of 2"]


def test_files_come_by_series_and_number(folder: Folder) -> None:
    folder.add("a", series=2, number=2)
    folder.add("b", series=1, number=10)
    folder.add("c", series=1, number=9)
    folder.add("d", series=2, number=1)
    folder.add("e", series=1)
    folder.add("f", series=2, number=1)
    folder.still("g.png")
    found = exams(folder)
    assert names(found) == [["d", "f", "a", "c", "b", "e", "g.png"]]
    assert found[0][1].series == (KEY.uid("1.2.3.1.2"), KEY.uid("1.2.3.1.1"))


def test_several_patients_in_one_study_are_refused(folder: Folder) -> None:
    folder.add("a", study=1)
    folder.add("b", study=1, PatientID="SECRET-18")
    folder.add("c", study=2)
    first, second = (study for _, study in exams(folder))
    assert first.refused == "no exam: the headers of this study's files name 2 patients"
    assert first.patient == ""
    assert second.refused == ""
    (folder.root / "c").unlink()
    assert exams(folder)[0][1].refused
    for name, who in (("a", "SECRET-17"), ("b", "SECRET-18")):
        folder.add(name, study=0, PatientID=who)
    assert exams(folder)[0][1].refused == "no exam: the headers of these files name 2 patients"


def test_who_is_not_named_is_nobody_else(folder: Folder) -> None:
    folder.add("a")
    folder.add("b", PatientID="", PatientName="", PatientBirthDate="")
    study = exams(folder)[0][1]
    assert study.refused == ""
    assert study.patient == KEY.pseudonym("SECRET-17")
    (folder.root / "a").unlink()
    assert exams(folder)[0][1].patient == ""


NOBODY = {"PatientID": "", "PatientName": "", "PatientBirthDate": ""}
ONE = {"PatientID": "SECRET-17", "PatientName": "ROE^JANE", "PatientBirthDate": "19900101"}


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        ({}, {"PatientBirthDate": "19850203"}, 2),
        ({}, {"PatientBirthDate": "1990.01.01"}, 1),
        ({}, {"PatientBirthDate": ""}, 1),
        ({}, {"PatientBirthDate": "unknown"}, 1),
        ({}, {"PatientName": "SMITH^ANN"}, 1),  # ID and birth date agree
        ({}, {"PatientID": ""}, 1),
        ({}, {"PatientID": "", "PatientName": "Röe^J."}, 1),
        ({}, {"PatientID": "", "PatientName": "SMITH^ANN"}, 2),
        ({}, {"PatientID": "", "PatientName": ""}, 1),
        ({}, {"PatientID": "", "PatientBirthDate": "19850203"}, 2),
        ({"PatientBirthDate": ""}, {"PatientBirthDate": "", "PatientName": "SMITH^ANN"}, 2),
        ({"PatientBirthDate": ""}, {"PatientBirthDate": "", "PatientName": "Smith^Jane"}, 1),
        ({"PatientBirthDate": ""}, {"PatientBirthDate": "", "PatientName": ""}, 1),
        ({"PatientBirthDate": ""}, {"PatientBirthDate": "", "PatientName": "SECRET-17"}, 1),  # says the ID again
        ({}, {"PatientID": "SECRET-18"}, 2),
        ({"PatientID": ""}, {"PatientID": "", "PatientBirthDate": ""}, 1),
    ],
)
def test_which_headers_are_of_two_patients(
    folder: Folder, first: dict[str, str], second: dict[str, str], count: int
) -> None:
    folder.add("a", **(ONE | first))
    folder.add("b", **(ONE | second))
    for turned in (False, True):
        study = studies(sorted(folder.root.iterdir(), reverse=turned), KEY)[0][1]
        assert study.refused == ("" if count == 1 else "no exam: the headers of this study's files name 2 patients")
        if count == 1 and "PatientID" not in first:
            assert study.patient == KEY.pseudonym("SECRET-17")
        assert not any(text in repr(study) for text in ("SECRET", "ROE", "1990"))


def test_more_patients_than_are_told_apart(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_PEOPLE", 3)
    for at in range(5):
        folder.add(f"{at}", study=0, PatientID=f"SECRET-{at}")
    assert exams(folder)[0][1].refused == "no exam: the headers of these files name 3 patients or more"


def test_who_is_told_of_less_does_not_join_two_patients(folder: Folder) -> None:
    folder.add("a", **(NOBODY | {"PatientName": "ROE^JANE"}))
    folder.add("b", **ONE)
    folder.add("c", **(ONE | {"PatientBirthDate": "19850203"}))
    assert "name 2 patients" in exams(folder)[0][1].refused


def test_a_copy_beside_its_original_is_of_the_same_patient(folder: Folder) -> None:
    path = folder.add("a", **ONE)
    (folder.root / "out").mkdir()
    copy = folder.root / "out" / deidentify(path, folder.root / "out", KEY, Choices(keep_text=True)).place
    (files, study), *others = studies([path, copy], KEY)
    assert (len(files), study.refused, others) == (2, "", [])


def test_days_are_counted_from_the_first_scan(folder: Folder) -> None:
    paths = [
        folder.add("a", AcquisitionDate="20240301"),
        folder.add("b", AcquisitionDate="20240229"),
        folder.add("c"),
        folder.add("d", StudyDate="nonsense"),
    ]
    assert exams(folder)[0][1].days == {str(paths[0]): 1, str(paths[1]): 0}
    assert "2024" not in repr(exams(folder)[0][1]).replace(str(folder.root), "")


def test_damaged_files_and_pictures_that_are_not_read(folder: Folder) -> None:
    half = folder.add("a")
    half.write_bytes(half.read_bytes()[:-3000])  # half of its pixels: the header is whole
    folder.add("b", study=2)
    broken = folder.add("c", study=2)
    broken.write_bytes(broken.read_bytes()[:300])
    (folder.root / "loop").symlink_to(folder.root / "loop")
    assert names(exams(folder)) == [["a"], ["b"], ["c", "loop"]]
    (folder.root / "b").unlink()
    assert names(exams(folder)) == [["a", "c", "loop"]]  # one study, and what cannot be told from it


def test_de_identified_copies_are_the_same_exam_of_the_same_age(folder: Folder) -> None:
    path = folder.add("a", AcquisitionDate="20240520", LastMenstrualDate="20231229")
    out = folder.root / "out"
    out.mkdir()
    copy = out / deidentify(path, out, KEY, Choices(keep_text=True)).place
    (_, first), (_, second) = (studies([one], KEY)[0] for one in (path, copy))
    assert (first.key, first.patient, first.series) == (second.key, second.patient, second.series)
    assert inspect(path)["age"] == inspect(copy)["age"] == {"days": 143, "source": "DICOM LMP"}
