"""DICOMDIR: the pictures it names, and nothing outside its folder."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset

from fetalclip.io import inspect, walk
from fetalclip.io.dicom.directory import referenced

from .conftest import build, pattern


def index(*names: list[str] | str, kind: str = "IMAGE") -> bytes:
    """The bytes of a DICOMDIR that names these files."""
    data = Dataset()
    data.FileSetID = "DISC"
    records = []
    for name in names:
        record = Dataset()
        record.DirectoryRecordType = kind
        value = name if isinstance(name, str) else "\\".join(name)
        record.add(DataElement(0x00041500, "CS", value, validation_mode=config.IGNORE))
        records.append(record)
    data.DirectoryRecordSequence = records
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    out = BytesIO()
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    root = tmp_path / "disc"
    for name in ("IMG/A1", "IMG/A2", "img2/b1", "OTHER"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(build(pattern(8, 8)))
    (tmp_path / "SECRET").write_bytes(b"x")
    return root


def test_its_pictures_in_its_order(disc: Path) -> None:
    (disc / "DICOMDIR").write_bytes(index(["IMG", "A2"], ["IMG", "A1"], ["IMG2", "B1"], ["IMG", "A2"]))
    expected = [disc / "IMG/A2", disc / "IMG/A1", disc / "img2/b1"]
    assert referenced(disc / "DICOMDIR") == (expected, True)
    assert list(walk(disc / "DICOMDIR")) == expected
    assert list(walk([disc / "IMG", disc / "DICOMDIR"])) == [disc / "IMG/A1", disc / "IMG/A2", disc / "img2/b1"]


def test_in_a_folder_it_gives_nothing(disc: Path) -> None:
    before = list(walk(disc))
    (disc / "DICOMDIR").write_bytes(index(["IMG", "A2"]))
    assert list(walk(disc)) == before
    (disc / "DICOMDIR").write_bytes(b"something else")
    assert disc / "DICOMDIR" in list(walk(disc))


@pytest.mark.parametrize(
    "name", [["..", "SECRET"], ["IMG", "..", "..", "SECRET"], "/etc/passwd", ["", "SECRET"], ["."]]
)
def test_what_lies_outside_is_left_out_and_said(disc: Path, name: list[str]) -> None:
    (disc / "DICOMDIR").write_bytes(index(["IMG", "A1"], name))
    assert list(walk(disc / "DICOMDIR")) == [disc / "IMG/A1", disc / "DICOMDIR"]
    assert "DICOM directory" in inspect(disc / "DICOMDIR")["error"]


def test_a_link_that_leads_outside_is_left_out(disc: Path, tmp_path: Path) -> None:
    (disc / "LINK").symlink_to(tmp_path / "SECRET")
    (disc / "DICOMDIR").write_bytes(index(["IMG", "A1"], ["LINK"]))
    assert list(walk(disc / "DICOMDIR")) == [disc / "IMG/A1", disc / "DICOMDIR"]


def test_missing_files_other_records_and_damage(disc: Path) -> None:
    place = disc / "DICOMDIR"
    place.write_bytes(index(["IMG", "GONE"]))
    assert list(walk(place)) == [disc / "IMG/GONE"]
    place.write_bytes(index(["IMG", "A1"], kind="SR DOCUMENT"))
    assert list(walk(place)) == [place]
    place.write_bytes(index(["IMG", "A1"])[:-40])
    assert place in list(walk(place)) or list(walk(place)) == [disc / "IMG/A1"]
    place.write_bytes(build(pattern(8, 8)))  # a picture of that name
    assert list(walk(place)) == [place]
