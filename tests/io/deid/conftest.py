"""Simulated screens as DICOM files, full of made-up people."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from fetalclip.io.deid import Key
from fetalclip.phantom import draw

US, CLIP = "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.3.1"
BOX = (60, 48, 380, 268)  # x0, y0, x1, y1 of the region, half open
SIZE = (400, 300)  # width, height


@dataclass
class Planted:
    """A made-up patient: what is in the header and must be nowhere later."""

    rng: random.Random
    words: dict[str, str] = field(default_factory=dict)

    def word(self, name: str, length: int = 9, letters: str = "BCDFGHJKLMNPQRSTVWXZ") -> str:
        return self.words.setdefault(name, "".join(self.rng.choice(letters) for _ in range(length)))

    def digits(self, name: str, length: int) -> str:
        first = self.rng.choice("123456789")
        return self.words.setdefault(name, first + "".join(self.rng.choice("0123456789") for _ in range(length - 1)))

    def date(self, name: str, first: int, last: int) -> str:
        rng = self.rng
        return self.words.setdefault(name, f"{rng.randint(first, last)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}")

    def time(self, name: str) -> str:
        hour, minute, second = self.rng.randint(8, 19), self.rng.randint(10, 59), self.rng.randint(10, 59)
        return self.words.setdefault(name, f"{hour:02}{minute}{second}")

    def uid(self, name: str) -> str:
        return self.words.setdefault(name, f"1.2.826.0.1.{self.rng.randrange(10**14)}.{self.rng.randrange(10**9)}")


def screen(banner: str = "", inside: str = "", seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A screen, uint8 (H, W): tissue in the region, a banner above it, maybe words on the tissue."""
    x0, y0, x1, y1 = BOX
    page = Image.new("L", size)
    page.paste(Image.fromarray(draw("brain", seed).frame.gray).resize((x1 - x0, y1 - y0)), (x0, y0))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    pen.text((6, 8), banner, fill=255, font=font)
    pen.text((6, size[1] - 24), banner[::-1], fill=200, font=font)
    if inside:
        pen.text((x0 + 40, y0 + 60), inside, fill=255, font=font)
    return np.array(page)


def header(planted: Planted, person: str = "a") -> Dataset:
    """A header with something of a person in every corner."""
    new = Dataset()
    p = planted
    new.SpecificCharacterSet, new.Modality, new.ImageType = "ISO_IR 192", "US", ["ORIGINAL", "PRIMARY", "OBSTETRICAL"]
    new.SOPClassUID = US
    new.StudyInstanceUID, new.SeriesInstanceUID = p.uid("study" + person), p.uid("series" + person)
    new.SOPInstanceUID, new.FrameOfReferenceUID = p.uid(f"sop{p.rng.random()}"), p.uid("frame" + person)
    new.PatientName = f"{p.word('family' + person)}^{p.word('given' + person)}"
    new.PatientID, new.AccessionNumber = p.digits("id" + person, 9), p.digits("accession", 10)
    new.PatientBirthDate, new.StudyDate = p.date("birth" + person, 1975, 2004), p.date("study date", 2019, 2024)
    new.StudyTime, new.LastMenstrualDate = p.time("time"), p.date("lmp", 2016, 2018)
    new.AcquisitionDateTime = new.StudyDate + p.time("moment")
    new.ReferringPhysicianName, new.OperatorsName = p.word("doctor"), p.word("operator")
    new.InstitutionName, new.StationName = p.word("hospital"), p.word("station")
    new.StudyDescription, new.ImageComments = f"scan of {p.word('comment')}", p.word("remark", 30)
    new.PatientAddress, new.OtherPatientIDs = p.word("street"), [p.digits("other", 8), p.digits("third", 8)]
    new.DeviceSerialNumber, new.Manufacturer = p.digits("serial", 8), "Simulated"
    new.InstanceNumber, new.SeriesNumber = int(p.digits("instance", 8)), 3
    new.PatientAge, new.PatientSex = "031Y", "F"
    new.BodyPartExamined = p.word("body", 7)
    outer, inner = Dataset(), Dataset()
    inner.PersonName, inner.TextValue = p.word("nested"), p.word("deep")
    outer.ScheduledProcedureStepDescription, outer.ContentSequence = p.word("step"), [inner]
    new.RequestAttributesSequence = [outer]
    view = Dataset()
    view.CodeValue, view.CodingSchemeDesignator, view.CodeMeaning = "T-F1100", "SRT", p.word("meaning")
    new.AnatomicRegionSequence = [view]
    block = new.private_block(0x0019, f"MAKER {p.word('creator')}", create=True)
    block.add_new(1, "LO", p.word("private"))
    block.add_new(2, "UN", f"<id>{p.word('blob')}</id>".encode())
    item = Dataset()
    item.PatientName = p.word("private nested")
    block.add_new(3, "SQ", [item])
    new.add_new(0x60000010, "US", 8)
    new.add_new(0x60000022, "LO", p.word("overlay"))
    return new


def add_region(new: Dataset, box: tuple[int, int, int, int] = BOX, label: str = "") -> None:
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = box[0], box[1]
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = box[2] - 1, box[3] - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.021, 0.023
    if label:
        region.PatientComments = label
    new.SequenceOfUltrasoundRegions = [region]


def put(new: Dataset, pixels: np.ndarray, path: Path, **told: Any) -> Path:
    """Write pixels (n, H, W), (H, W), (H, W, 3) or (n, H, W, 3) with a header; ``told`` overrides how they are told."""
    colour = pixels.shape[-1] == 3
    new.Rows, new.Columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    new.SamplesPerPixel, new.PhotometricInterpretation = (3, "RGB") if colour else (1, "MONOCHROME2")
    if colour:
        new.PlanarConfiguration = 0
    if pixels.ndim == (4 if colour else 3):
        new.NumberOfFrames, new.FrameTime, new.SOPClassUID = len(pixels), "40.0", CLIP
    new.BitsAllocated = new.BitsStored = 8 * pixels.dtype.itemsize
    new.HighBit, new.PixelRepresentation = new.BitsStored - 1, 0
    for keyword, value in told.items():
        setattr(new, keyword, value)
    data = pixels.tobytes()
    new.add_new(0x7FE00010, "OB" if pixels.dtype.itemsize == 1 else "OW", data + b"\0" * (len(data) % 2))
    new.file_meta = FileMetaDataset()
    new.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    new.file_meta.MediaStorageSOPClassUID, new.file_meta.MediaStorageSOPInstanceUID = (
        new.SOPClassUID,
        new.SOPInstanceUID,
    )
    dcmwrite(path, new, enforce_file_format=True)
    return path


def everything(folder: Path) -> bytes:
    """All bytes of all files of a folder, and their names."""
    return b"\n".join(str(path.relative_to(folder)).encode() + (path.read_bytes() if path.is_file() else b"")
                      for path in sorted(folder.rglob("*")))  # fmt: skip


@pytest.fixture
def sim() -> SimpleNamespace:
    """The functions above."""
    return SimpleNamespace(
        Planted=Planted, screen=screen, header=header, add_region=add_region, put=put, everything=everything, box=BOX
    )


@pytest.fixture
def planted() -> Planted:
    return Planted(random.Random(7))


@pytest.fixture
def key() -> Key:
    return Key(bytes(range(32)))


@pytest.fixture
def other_key() -> Key:
    return Key(bytes(range(1, 33)))


@pytest.fixture
def still(tmp_path: Path, planted: Planted) -> Callable[..., Path]:
    """Writes a still with a region and a banner with the patient's name; returns its path."""

    def make(name: str = "in.dcm", inside: str = "", person: str = "a", **told: Any) -> Path:
        new = header(planted, person)
        add_region(new, label=planted.word("region"))
        banner = f"{planted.word('family' + person)} {planted.digits('id' + person, 9)}"
        return put(new, screen(banner, inside), tmp_path / name, **told)

    return make
