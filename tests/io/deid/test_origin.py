"""Where a DICOM file belongs, told by keys."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from fetalclip.io.deid import Choices, Key, deidentify
from fetalclip.io.deid.origin import Origin, header_of, origin_of

KEY, OTHER = Key(bytes(range(32))), Key(bytes(range(1, 33)))


def _origin(path: Path, key: Key = KEY) -> Origin:
    header = header_of(path)
    assert header is not None
    return origin_of(header.dataset, key)


def _write(path: Path, dicoms: ModuleType, **fields: object) -> Path:
    wanted = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1", "Manufacturer": "Maker", **fields}
    path.write_bytes(dicoms.build(dicoms.pattern(48, 64), **wanted))
    return path


def test_names_nobody_and_tells_patients_and_exams_apart(tmp_path: Path, dicoms: ModuleType) -> None:
    first = _origin(_write(tmp_path / "a", dicoms, InstanceNumber=7, ManufacturerModelName="M 1"))
    assert (first.number, first.machine) == (7, "Maker M 1")
    assert not any(text in repr(first) for text in ("1.2.3", "SECRET", "ROE"))
    same = _origin(_write(tmp_path / "b", dicoms, SeriesInstanceUID="1.2.3.2"))
    assert (same.patient, same.study) == (first.patient, first.study)
    assert same.series != first.series
    assert _origin(_write(tmp_path / "c", dicoms, PatientID="SECRET-18")).patient != first.patient
    assert _origin(tmp_path / "a", OTHER).patient != first.patient
    bare = _origin(_write(tmp_path / "d", dicoms, StudyInstanceUID="", SeriesInstanceUID="", Manufacturer=""))
    assert (bare.study, bare.series, bare.number, bare.machine) == ("", "", None, "")


def test_a_de_identified_copy_belongs_where_its_original_does(tmp_path: Path, dicoms: ModuleType) -> None:
    path = _write(tmp_path / "a.dcm", dicoms)
    (tmp_path / "out").mkdir()
    written = deidentify(path, tmp_path / "out", KEY, Choices(keep_text=True))
    first, copy = _origin(path), _origin(tmp_path / "out" / written.place)
    assert (copy.patient, copy.study, copy.series) == (first.patient, first.study, first.series)


def test_reads_no_pixels_and_knows_what_is_no_dicom(tmp_path: Path, dicoms: ModuleType) -> None:
    path = _write(tmp_path / "a.dcm", dicoms)
    path.write_bytes(path.read_bytes()[:-3000])  # half of its pixels
    assert header_of(path) is not None
    with path.open("ab") as stream:
        stream.truncate(2**30 + 1)  # a clip of more than 1 GiB, most of it holes
    assert header_of(path) is not None
    path.unlink()
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("b.png", "none", "loop", "."):
        assert header_of(tmp_path / name) is None
