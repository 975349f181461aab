"""``analyze --exam`` of DICOM folders: exams by study, keys that last or not, the age of the header, mismatches."""

from __future__ import annotations

import json
import logging
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from fetalclip.cli import main
from fetalclip.cli.ages import OTHER_DAY
from fetalclip.io.deid.key import ENVIRONMENT

pytestmark = pytest.mark.filterwarnings("ignore:fetalclip-tiny HAS RANDOM WEIGHTS")
PLANTED = ("ROE", "JANE", "SECRET", "19900101", "1.2.3.", "20240520", "20231229", "2024-05", "2023-12")


@pytest.fixture
def write(dicoms: ModuleType, tmp_path: Path) -> Any:
    """Writes a file of a study into a folder."""

    def one(name: str, study: int = 1, **fields: Any) -> Path:
        path = tmp_path / "scans" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        told = {"StudyInstanceUID": f"1.2.3.4{study}", "SeriesInstanceUID": f"1.2.3.4{study}.1"}
        dated = {"StudyDate": "20240520", "LastMenstrualDate": "20231229"}
        path.write_bytes(dicoms.build(dicoms.pattern(48, 64), **(told | dated | fields)))
        return path

    return one


def index(*names: str) -> bytes:
    """A DICOMDIR that names these files."""
    data, out = Dataset(), BytesIO()
    data.DirectoryRecordSequence = [Dataset() for _ in names]
    for record, name in zip(data.DirectoryRecordSequence, names, strict=True):
        record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", name
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, JSON lines and stderr of a call, none of which has anything of the headers."""
    code = main(["analyze", *map(str, arguments), "--model", "fetalclip-tiny", "--json"])
    out, err = capsys.readouterr()
    for text in PLANTED:
        assert text not in out
        assert text not in err
    return code, [json.loads(line) for line in out.splitlines()], err


def schemas(lines: list[dict[str, Any]]) -> str:
    """The lines in short: f of a file, E of an exam."""
    return "".join("E" if line["schema"] == "fetalclip.exam/1" else "f" for line in lines)


def test_one_exam_for_each_study(
    write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    write("a", 1, InstanceNumber=2)
    write("b", 2, PatientID="SECRET-18", LastMenstrualDate="")
    write("c", 1, InstanceNumber=1)
    folder = tmp_path / "scans"
    Image.new("L", (40, 30), 200).save(folder / "d.png")
    (folder / "e.txt").write_text("no picture")
    with caplog.at_level(logging.DEBUG):
        code, lines, _ = run(capsys, folder, "--exam")
    assert not any(text in caplog.text for text in PLANTED)
    assert code == 1  # of the text
    assert schemas(lines) == "ffEfEffE"
    assert [Path(line["input"]["path"]).name for line in lines if "input" in line] == ["c", "a", "b", "d.png", "e.txt"]
    first, second, rest = (line for line in lines if line["schema"] == "fetalclip.exam/1")
    assert {line["path"] for line in (first, second, rest)} == {str(folder)}
    assert [line["part"] for line in (first, second, rest)] == ["study 1 of 2", "study 2 of 2", "rest"]
    assert first["age"] == {"days": 143, "source": "DICOM LMP"}
    assert (second["age"], rest["age"]) == (None, None)
    assert (rest["study"], rest["series"], rest["patient"]) == (None, None, None)
    assert len({first["study"], second["study"], *first["series"], *second["series"]}) == 4
    assert first["patient"].startswith("P-")
    assert first["patient"] != second["patient"]
    assert lines[0]["input"]["age"] == {"days": 143, "source": "DICOM LMP"}
    assert not any("no exam" in warning for line in lines for warning in line["warnings"])


def test_keys_last_with_a_key_file_and_not_without(
    write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("a")
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    folder, key = tmp_path / "scans", tmp_path / "exam.key"
    told = [run(capsys, folder, "--exam")[1][-1] for _ in range(2)]
    assert told[0]["study"] != told[1]["study"]
    assert told[0]["patient"] != told[1]["patient"]
    code, lines, err = run(capsys, folder, "--exam", "--key-file", key)
    assert code == 0
    assert "A new key was made" in err
    key.chmod(0o644)
    code, again, err = run(capsys, folder, "--exam", "--key-file", key)
    assert "Others may read" in err
    for word in ("study", "series", "patient"):
        assert again[-1][word] == lines[-1][word]
    monkeypatch.setenv(ENVIRONMENT, key.read_text().strip())
    assert run(capsys, folder, "--exam")[1][-1]["study"] == lines[-1]["study"]
    assert main(["analyze", str(folder), "--exam", "--key-file", str(folder / "exam.key")]) == 2
    assert "apart from the files" in capsys.readouterr().err
    assert not (folder / "exam.key").exists()


def test_keys_need_exams_and_a_key(write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("a")
    assert main(["analyze", str(tmp_path / "scans"), "--key-file", str(tmp_path / "k")]) == 2
    assert "--exam" in capsys.readouterr().err
    assert not (tmp_path / "k").exists()
    (tmp_path / "k").write_text("short")
    assert main(["analyze", str(tmp_path / "scans"), "--exam", "--key-file", str(tmp_path / "k")]) == 1
    assert main(["analyze", str(tmp_path / "gone"), "--exam", "--key-file", str(tmp_path / "new")]) == 2
    assert not (tmp_path / "new").exists()  # what is wrong with the folders is told before


def test_patients_that_do_not_match(write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, fields in (("a", {}), ("b", {"PatientID": "SECRET-18"}), ("c", {"study": 2})):
        write(name, **fields)
    folder = tmp_path / "scans"
    why = "no exam: the headers of this study's files name 2 patients"
    code, lines, err = run(capsys, folder, "--exam")
    assert code == 1
    assert schemas(lines) == "ffEfE"
    a, b, refused, c, fine = lines
    for line in (a, b):
        assert line["error"] is None
        assert line["plane"] is not None
        assert line["warnings"].count(why) == 1
    for key in ("measures", "efw", "coverage", "quality", "triage", "age", "patient"):
        assert refused[key] is None
    assert refused["warnings"] == [why]
    assert f"study 1 of 2: {why}" in err
    assert why not in c["warnings"]
    assert fine["coverage"] is not None
    page = tmp_path / "page.html"
    assert main(["analyze", str(folder), "--exam", "--model", "fetalclip-tiny", "--report", str(page)]) == 1
    out = capsys.readouterr().out
    assert f"exam {folder}, study 1 of 2: refused" in out
    assert f"1. {folder}, study 1 of 2: {why}" in out
    text = page.read_text()
    assert '<h3 id="exam-1">scans, study 1 of 2</h3>\n<p>Refused.</p>' in text
    assert not any(planted in text for planted in ("SECRET", "ROE^", "1.2.3.4"))
    assert run(capsys, folder)[0] == 0  # without exams nobody asks whose they are


def test_a_study_in_two_folders_is_two_exams(write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("one/a"), write("two/b"), write("two/c", 2)
    folders = (tmp_path / "scans" / name for name in ("one", "two"))
    code, lines, _ = run(capsys, *folders, "--exam")
    assert code == 0
    exams = [line for line in lines if line["schema"] == "fetalclip.exam/1"]
    shared = "files of its study lie in 2 of the folders, each of which is an exam by itself"
    assert [shared in line["warnings"] for line in exams] == [True, True, False]
    assert exams[0]["study"] == exams[1]["study"]


def test_a_disc_is_a_folder(write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("A1"), write("A2", 2)
    folder = tmp_path / "scans"
    (folder / "DICOMDIR").write_bytes(index("A2", "A1"))
    code, lines, _ = run(capsys, folder / "DICOMDIR", "--exam")
    assert code == 0
    assert schemas(lines) == "fEfE"
    assert [Path(line["input"]["path"]).name for line in lines if "input" in line] == ["A2", "A1"]
    capsys.readouterr()
    assert main(["analyze", str(folder / "DICOMDIR"), "--exam", "--key-file", str(folder / "k")]) == 2
    assert "apart from the files" in capsys.readouterr().err
    assert not (folder / "k").exists()
    assert main(["analyze", str(folder / "A1"), "--exam"]) == 2
    assert main(["analyze", str(folder), str(folder / "DICOMDIR"), "--exam"]) == 2
    assert "share files" in capsys.readouterr().err


def test_headers_that_tell_two_ages(write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("a"), write("b", LastMenstrualDate="20231120")
    code, lines, _ = run(capsys, tmp_path / "scans", "--exam")
    assert code == 0
    assert [line["input"]["age"]["days"] for line in lines[:2]] == [143, 182]
    assert lines[2]["age"] is None
    assert "no age: the headers of its files tell ages 39 days apart" in lines[2]["warnings"]
    given = run(capsys, tmp_path / "scans", "--exam", "--ga", "20w3d")[1]
    assert given[2]["age"] == {"days": 143, "source": "given"}
    assert [any("lie 39 days apart" in warning for warning in line["warnings"]) for line in given[:2]] == [False, True]


def test_a_period_counts_to_today_and_a_scan_of_another_day_is_told(
    write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write("old")
    write("now", StudyDate=date.today().strftime("%Y%m%d"), LastMenstrualDate="")
    write("no-day", StudyDate="", LastMenstrualDate="")
    lmp = (date.today() - timedelta(days=143)).isoformat()
    code = main(["analyze", str(tmp_path / "scans"), "--model", "fetalclip-tiny", "--json", "--lmp", lmp])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    told = {Path(line["input"]["path"]).name: OTHER_DAY in line["warnings"] for line in lines}
    assert told == {"no-day": False, "now": False, "old": True}
    assert not any(OTHER_DAY in line["warnings"] for line in run(capsys, tmp_path / "scans", "--ga", "20w3d")[1])


@pytest.mark.parametrize("folders", [("scans",), ("scans/one", "scans/two")])
def test_one_given_age_is_not_of_two_days(
    write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], folders: tuple[str, ...], model: Any
) -> None:
    write("one/a", 1, StudyDate="20240101", LastMenstrualDate="")
    write("two/b", 2, StudyDate="20240401", LastMenstrualDate="")
    places = [tmp_path / name for name in folders]
    why = "no age: the one that was given cannot be that of scans 91 days apart"
    lmp = (date.today() - timedelta(days=143)).isoformat()
    for given in (("--ga", "20w3d"), ("--lmp", lmp)):
        code, lines, _ = run(capsys, *places, "--exam", *given)
        assert code == 0
        exams = [line for line in lines if line["schema"] == "fetalclip.exam/1"]
        assert [exam["age"] for exam in exams] == [None, None]
        assert [why in exam["warnings"] for exam in exams] == [True, True]
        assert model.calls[-1]["ga"] is None
        assert [OTHER_DAY in exam["warnings"] for exam in exams] == [given[0] == "--lmp"] * 2
    write("two/b", 2, StudyDate="20240102", LastMenstrualDate="")
    code, lines, _ = run(capsys, *places, "--exam", "--ga", "20w3d")
    assert [line["age"]["days"] for line in lines if line["schema"] == "fetalclip.exam/1"] == [143, 143]
    assert model.calls[-1]["ga"].days == 143


def test_a_period_that_counts_to_another_day_is_told_of_the_exam(
    write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], model: Any
) -> None:
    lmp = (date.today() - timedelta(days=143)).isoformat()
    write("old", LastMenstrualDate="")
    lines = run(capsys, tmp_path / "scans", "--exam", "--lmp", lmp)[1]
    assert [OTHER_DAY in line["warnings"] for line in lines] == [True, True]
    write("old", StudyDate=date.today().strftime("%Y%m%d"), LastMenstrualDate="")
    lines = run(capsys, tmp_path / "scans", "--exam", "--lmp", lmp)[1]
    assert [OTHER_DAY in line["warnings"] for line in lines] == [False, False]
