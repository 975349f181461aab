"""``fetalclip data deid``: what is said, written, refused; and nothing of anybody in any of it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage

from fetalclip.cli import main
from fetalclip.phantom import draw

NAMES = (
    "PatientName",
    "ReferringPhysicianName",
    "OperatorsName",
    "InstitutionName",
    "PatientAddress",
    "StudyDescription",
)


def run(*words: object) -> int:
    return main(["data", "deid", *map(str, words)])


def person(seed: int) -> dict[str, str]:
    rng = random.Random(seed)
    told = {keyword: "".join(rng.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(8)) for keyword in NAMES}
    told |= {"PatientID": str(rng.randrange(10**8, 10**9)), "AccessionNumber": str(rng.randrange(10**9, 10**10))}
    return told | {"StudyDate": f"2021{rng.randint(1, 12):02}{rng.randint(10, 28)}", "PatientBirthDate": "19871206"}


@pytest.fixture
def scan(tmp_path: Path) -> Callable[..., Path]:
    """Writes the scan of one made-up person, small; the region is there unless told otherwise."""

    def make(name: str, seed: int, region: bool = True) -> Path:
        new, told = Dataset(), person(seed)
        for keyword, value in told.items():
            setattr(new, keyword, value)
        page = Image.new("L", (200, 150))
        page.paste(Image.fromarray(draw("femur", seed % 5).frame.gray).resize((160, 110)), (20, 30))
        ImageDraw.Draw(page).text((2, 2), told["PatientName"], fill=255, font=ImageFont.load_default(12))
        pixels = np.array(page)
        new.SOPClassUID, new.Modality, new.InstanceNumber = UltrasoundImageStorage, "US", 1
        new.StudyInstanceUID, new.SeriesInstanceUID, new.SOPInstanceUID = (f"1.2.77.{seed}.{i}" for i in range(3))
        new.Rows, new.Columns, new.SamplesPerPixel = 150, 200, 1
        new.PhotometricInterpretation, new.PixelRepresentation = "MONOCHROME2", 0
        new.BitsAllocated = new.BitsStored = 8
        new.HighBit = 7
        if region:
            item = Dataset()
            item.RegionSpatialFormat = item.RegionDataType = 1
            item.RegionLocationMinX0, item.RegionLocationMinY0 = 20, 30
            item.RegionLocationMaxX1, item.RegionLocationMaxY1 = 179, 139
            new.SequenceOfUltrasoundRegions = [item]
        new.PixelData = pixels.tobytes()
        new.file_meta = FileMetaDataset()
        new.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        new.file_meta.MediaStorageSOPClassUID = UltrasoundImageStorage
        new.file_meta.MediaStorageSOPInstanceUID = new.SOPInstanceUID
        path = tmp_path / "archive" / name
        path.parent.mkdir(exist_ok=True)
        dcmwrite(path, new, enforce_file_format=True)
        return path

    return make


def test_an_archive(scan: Callable[..., Path], tmp_path: Path, capsys: Any) -> None:
    source = scan("a", 1).parent
    scan("b", 2)
    scan("c", 3, region=False)
    (source / "notes.txt").write_text("not a picture")
    (source / "broken").write_bytes((source / "a").read_bytes()[:700])
    (source / "loop").symlink_to(source)
    out, key = tmp_path / "out", tmp_path / "key"
    assert run(source, "-o", out, "--key-file", key, "--json") == 1
    said = capsys.readouterr()
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [line["status"] for line in lines] == ["written", "written", "refused", "refused", "not DICOM"]
    assert [Path(line["path"]).name for line in lines] == ["a", "b", "broken", "c", "notes.txt"]
    assert "A new key was made" in said.err
    assert sorted(path.suffix for path in out.rglob("*") if path.is_file()) == [".dcm", ".dcm", ".json", ".jsonl"]
    assert len((out / "audit.jsonl").read_text().splitlines()) == 4
    assert run(source, "-o", out, "--key-file", key, "--without-regions", "mask") == 1
    said = capsys.readouterr()
    assert "not verified" in said.out
    assert out / lines[0]["place"] in list(out.rglob("*.dcm"))


@pytest.mark.slow
def test_of_200_people_nothing_is_said_or_written(scan: Callable[..., Path], tmp_path: Path, capsys: Any) -> None:
    for seed in range(200):
        source = scan(f"{seed}", seed).parent
    assert run(source, "-o", tmp_path / "out", "--key-file", tmp_path / "key", "--json") == 0
    assert run(source, "-o", tmp_path / "out", "--key-file", tmp_path / "key") == 0
    said = capsys.readouterr()
    files = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    told = " ".join(str(path) for path in (tmp_path / "out").rglob("*")) + said.out + said.err
    text = told.lower() + files.decode("latin-1").lower()
    names = {value.lower() for seed in range(200) for key, value in person(seed).items() if "Date" not in key}
    assert len(names) > 1500
    assert [name for name in names if name in text] == []
    for path in (tmp_path / "out").rglob("*.dcm"):
        new = dcmread(path)
        assert new.pixel_array[:28].max() == 0
        assert not new.StudyDate.startswith("2021")
        assert not new.PatientBirthDate


def test_wrong_keys(scan: Callable[..., Path], tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = scan("a", 1), tmp_path / "out"
    short = tmp_path / "short"
    short.write_text("abc123")
    assert run(source, "-o", out, "--key-file", short) == 1
    assert "abc123" not in capsys.readouterr().err
    assert run(source, "-o", out, "--key-file", out / "key") == 2
    assert run(source, "-o", out) == 2
    assert not out.exists()
    assert run(source, "-o", out, "--key-file", tmp_path / "one") == 0
    assert run(source, "-o", out, "--key-file", tmp_path / "two") == 1  # would have to be made
    assert not (tmp_path / "two").exists()
    (tmp_path / "two").write_text(bytes(range(32)).hex())
    assert run(source, "-o", out, "--key-file", tmp_path / "two") == 2
    assert "another key" in capsys.readouterr().err
    monkeypatch.setenv("FETALCLIP_DEID_KEY", (tmp_path / "one").read_text().strip())
    assert run(source, "-o", out) == 0
    assert run(out, source, "-o", out) == 0  # its own folder is passed over
    assert len(list(out.rglob("*.dcm"))) == 1


def test_usage(scan: Callable[..., Path], tmp_path: Path, capsys: Any) -> None:
    source, key = scan("a", 1), tmp_path / "key"
    assert run(source, "-o", tmp_path / "out", "--key-file", key, "--retain", "names") == 2
    assert run(source, "-o", tmp_path / "out", "--key-file", key, "--without-regions", "keep") == 2
    assert run(source, "-o", source.parent, "--key-file", key) == 2
    capsys.readouterr()
    assert run(source, "-o", tmp_path / "out", "--key-file", key, "--retain", "patient", "--retain", "device") == 0
    line = json.loads((tmp_path / "out" / "audit.jsonl").read_text())
    assert line["retained"] == ["device", "patient"]


def test_the_help_loads_neither_torch_nor_pydicom() -> None:
    code = "import sys; from fetalclip.cli import main; main(['data', 'deid', '--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'torch'" not in done.stdout
    assert "'pydicom'" not in done.stdout
