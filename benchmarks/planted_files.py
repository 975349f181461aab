"""The files of `planted.py`: DICOM full of made-up people, in 21 kinds, many of them damaged."""

from __future__ import annotations

import datetime
import random
import struct
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEIGHT, BOX = 240, 180, (30, 36, 209, 163)  # of the picture; x0, y0, x1, y1 of its region, the last inside
BIG_ENDIAN, DEFLATED, IMPLICIT, JPEG = (f"1.2.840.10008.1.2{end}" for end in (".2", ".1.99", "", ".4.50"))
KINDS = (
    *("sound", "clip", "colour", "cut header", "cut pixels", "lengths", "impossible", "no age", "regions"),
    *("wrong kinds", "no preamble", "jpeg", "packed", "long", "charset", "bits", "implicit", "deep", "report"),
    *("nested", "late"),
)  # fmt: skip
LEVEL = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"  # one more sequence in a sequence
WRONG = {
    "StudyDate": "DA", "InstanceNumber": "IS", "PatientWeight": "DS", "StudyTime": "TM", "FrameTime": "DS",
    "RescaleSlope": "DS", "FrameOfReferenceUID": "UI", "CineRate": "IS", "HeartRate": "PN", "MechanicalIndex": "DS",
    "WindowCenter": "DS", "PatientAge": "AS", "FocusDepth": "FD", "AcquisitionNumber": "US", "PatientSex": "CS",
    "BurnedInAnnotation": "CS", "AcquisitionDateTime": "DT", "TriggerTime": "FL", "FrameIncrementPointer": "AT",
}  # fmt: skip


class Person:
    """A made-up person; ``told`` holds each planted text under the name of what it is."""

    def __init__(self, seed: int) -> None:
        self.rng, self.told = random.Random(seed), dict[str, str]()
        self.patches = list[tuple[bytes, bytes]]()  # of the written file

    def plant(self, what: str, text: str) -> str:
        """Remember a text, once."""
        return self.told.setdefault(what, text)

    def word(self, what: str, size: int = 8, accent: bool = False) -> str:
        """Letters that no word of any language or code has in this order."""
        letters = [self.rng.choice("BCDFGHJKLMNPQRTVWXZ") for _ in range(size)]
        if accent:
            letters[self.rng.randrange(1, size)] = self.rng.choice("ÅÖÉÑÜ")
        return self.plant(what, "".join(letters).capitalize())

    def number(self, what: str, size: int = 9) -> str:
        """Digits."""
        return self.plant(what, "".join([self.rng.choice("12346789"), *self.rng.choices("0123456789", k=size - 1)]))

    def time(self, what: str) -> str:
        """A time of day, to the second."""
        return self.plant(what, f"{self.rng.randint(10, 19)}{self.rng.randint(10, 59)}{self.rng.randint(10, 59)}")

    def day(self, what: str, first: int, last: int) -> str:
        """A date from the first to the last day after 2010-01-01: no date that moved back can be one of them."""
        moved = datetime.date(2010, 1, 1) + datetime.timedelta(self.rng.randint(first, last))
        return self.plant(what, moved.strftime("%Y%m%d"))

    def uid(self, what: str) -> str:
        """A UID of somebody's own root."""
        return self.plant(what, f"1.3.6.1.4.1.{self.rng.randrange(10**5, 10**6)}.{self.rng.randrange(10**11, 10**12)}")


def header(p: Person) -> Any:
    """A header with the person everywhere."""
    from pydicom.dataset import Dataset

    new = Dataset()
    new.SpecificCharacterSet, new.Modality, new.ImageType = "ISO_IR 100", "US", ["ORIGINAL", "PRIMARY"]
    new.SOPClassUID = "1.2.840.10008.5.1.4.1.1.6.1"
    new.StudyInstanceUID, new.SeriesInstanceUID, new.SOPInstanceUID = p.uid("study"), p.uid("series"), p.uid("sop")
    names = (p.word("family", 9, True), p.word("given", 8, True), p.word("middle", 5), p.word("title", 6))
    new.PatientName = "^".join(names)
    new.PatientID, new.AccessionNumber = p.number("patient id"), p.plant("accession", f"AC{p.rng.randrange(10**8)}KX")
    new.OtherPatientIDs = [p.number("other id", 10), p.plant("third id", f"QZ-{p.rng.randrange(10**6, 10**7)}")]
    new.PatientBirthDate = p.day("birth", -14_000, -7_000)
    new.StudyDate, new.LastMenstrualDate = p.day("study date", 370, 425), p.day("period", 150, 230)
    new.AcquisitionDateTime, new.StudyTime = f"{new.StudyDate}{p.time('moment')}", "101112"
    new.PatientAddress = p.plant("address", f"{p.rng.randint(100, 999)} {p.word('street', 10)} Lane")
    new.PatientTelephoneNumbers = p.plant("telephone", f"+44 7{p.rng.randrange(10**8, 10**9)}")
    new.InstitutionName, new.InstitutionAddress = p.word("hospital"), p.word("town", 9)
    new.OperatorsName = [f"{p.word('operator')}^{p.word('operator given')}", p.word("second operator")]
    new.ReferringPhysicianName, new.PatientMotherBirthName = p.word("doctor", 9, True), p.word("mother")
    new.StationName, new.DeviceSerialNumber = p.word("station"), p.number("serial", 8)
    new.Manufacturer, new.ManufacturerModelName, new.ProtocolName = p.word("maker"), p.word("model"), p.word("protocol")
    new.StudyDescription, new.SeriesDescription = f"scan of {p.word('study text')}", f"{p.word('series text')} 20w"
    new.ImageComments, new.PatientComments = p.word("remark", 30), f"call {p.word('comment')}, {p.word('comment 2')}"
    new.EthnicGroup, new.PatientAge, new.PatientSex = p.word("ethnic"), "031Y", "F"
    new.InstanceNumber = 1
    outer, inner, view = Dataset(), Dataset(), Dataset()
    inner.PersonName, inner.TextValue, inner.UID = p.word("nested name"), p.word("nested text"), p.uid("nested uid")
    outer.ScheduledProcedureStepDescription, outer.ContentSequence = p.word("step"), [inner]
    new.RequestAttributesSequence = [outer]
    view.CodeValue, view.CodingSchemeDesignator, view.CodeMeaning = p.number("code", 8), "99X", p.word("meaning")
    new.AnatomicRegionSequence = [view]
    block = new.private_block(0x0019, f"MAKER {p.word('private creator')}", create=True)
    block.add_new(1, "LO", p.word("private text"))
    block.add_new(2, "UN", b"\x01\x02" + f"<id>{p.word('private bytes')}</id>".encode() + b"\xff\0")
    item = Dataset()
    item.PatientName = p.word("private nested")
    block.add_new(3, "SQ", [item])
    block.add_new(4, "OB", p.word("private wide").encode("utf-16-le"))
    new.add_new(0x60000010, "US", 8)
    new.add_new(0x60000022, "LO", p.word("overlay"))
    region(new, p)
    return new


def region(new: Any, p: Person, **told: Any) -> None:
    """The region of the picture, with a word in it."""
    from pydicom.dataset import Dataset

    item = Dataset()
    item.RegionSpatialFormat = item.RegionDataType = 1
    item.RegionFlags, item.PatientComments = 0, p.word("region")
    for name, value in zip(("MinX0", "MinY0", "MaxX1", "MaxY1"), BOX, strict=True):
        setattr(item, f"RegionLocation{name}", value)
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX = item.PhysicalDeltaY = 0.05
    for keyword, value in told.items():
        setattr(item, keyword, value)
    new.SequenceOfUltrasoundRegions = [item]


def raw(new: Any, p: Person, keyword: str, kind: str, text: str) -> None:
    """A text in an element of another kind: written as LO, and called ``kind`` afterwards."""
    from pydicom.datadict import tag_for_keyword
    from pydicom.tag import Tag

    tag = Tag(tag_for_keyword(keyword) or 0)
    new.add_new(tag, "LO", text)
    begin = struct.pack("<HH", tag.group, tag.element)
    p.patches.append((begin + b"LO", begin + kind.encode()))


def screen(p: Person) -> np.ndarray:
    """A simulated picture with the person's name and number above it, uint8 (H, W)."""
    from PIL import Image, ImageDraw, ImageFont

    from fetalclip.phantom import draw

    page, (x0, y0, x1, y1) = Image.new("L", (WIDTH, HEIGHT)), BOX
    tissue = Image.fromarray(draw(p.rng.choice(("brain", "femur", "abdomen")), p.rng.randrange(3)).frame.gray)
    page.paste(tissue.resize((x1 + 1 - x0, y1 + 1 - y0)), (x0, y0))
    banner = f"{p.told.get('family', '')} {p.told.get('patient id', '')}"
    ImageDraw.Draw(page).text((4, 4), banner, fill=255, font=ImageFont.load_default(12))
    return np.array(page)


def changed(new: Any, p: Person, kind: str) -> None:
    """Make a header one of its kind."""
    secret = p.word("planted where it must not be", 9)
    if kind == "impossible":
        for keyword in ("PhotometricInterpretation", "BurnedInAnnotation", "Modality", "ImageType"):
            if keyword != "PhotometricInterpretation" or p.rng.random() < 0.5:
                raw(new, p, keyword, "CS", secret)
        raw(new, p, "NumberOfFrames", "IS", p.rng.choice((secret, "-7", "999999")))
    elif kind == "no age":
        new.LastMenstrualDate = p.rng.choice((p.day("late period", 430, 450), p.day("early period", -900, -800)))
    elif kind == "regions":
        odd = p.rng.choice(({"PhysicalDeltaX": -0.05}, {"RegionLocationMaxX1": 9000}, {"PhysicalUnitsXDirection": 77}))
        region(new, p, **odd)
        raw(new.SequenceOfUltrasoundRegions[0], p, "RegionFlags", "LO", secret)
    elif kind == "wrong kinds":
        for keyword, vr in WRONG.items():
            raw(new, p, keyword, vr, secret)
    elif kind == "charset":
        odd = p.rng.choice((secret.encode(), b"ISO_IR 192", b"ISO_IR 144", b"GB18030", b"\\ISO_IR 13"))
        p.patches.append((b"CS\x0a\0ISO_IR 100", b"CS\x0a\0" + odd.ljust(10)))
    elif kind == "long":
        block = new.private_block(0x0021, f"LONG {p.word('long creator')}", create=True)
        block.add_new(1, "UT", f"{p.word('long text', 12)} " * 90_000)
    elif kind == "nested":
        name = b"\x10\x00\x10\x00PN"
        p.patches.append((name, LEVEL * p.rng.choice((0, 0, 3000)) + name))
        for depth in range(p.rng.choice((5, 20))):
            outer = type(new)()
            outer.PersonName, outer.ContentSequence = p.word("deep name"), [new.ContentSequence[0]] if depth else []
            new.ContentSequence = [outer]
    elif kind == "report":
        new.SOPClassUID = p.rng.choice(("1.2.840.10008.5.1.4.1.1.88.33", p.uid("class")))


def jpeg(picture: np.ndarray, p: Person) -> bytes:
    """A JPEG that carries the person in EXIF and in a comment."""
    from PIL import Image

    page, out = Image.fromarray(picture), BytesIO()
    exif = Image.Exif()
    exif[270], exif[315], exif[282] = p.word("exif"), p.word("artist"), 72.0
    page.save(out, "JPEG", exif=exif, comment=p.word("jpeg comment").encode())
    return out.getvalue()


def written(seed: int) -> tuple[bytes, Person, str]:
    """A file, who is in it, and its kind."""
    from pydicom import config
    from pydicom.dataset import FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import ExplicitVRLittleEndian

    p, kind = Person(seed), KINDS[seed % len(KINDS)]
    new, out = header(p), BytesIO()
    pixels = screen(p)
    shape = (pixels[..., None].repeat(3, -1), 3, "RGB") if kind == "colour" else (pixels, 1, "MONOCHROME2")
    new.Rows, new.Columns, new.SamplesPerPixel, new.PhotometricInterpretation = HEIGHT, WIDTH, *shape[1:]
    new.BitsAllocated = new.BitsStored = 16 if kind == "deep" else 8
    new.HighBit, new.PixelRepresentation, new.PlanarConfiguration = new.BitsStored - 1, 0, 0
    data = shape[0].astype(np.uint16 if kind == "deep" else np.uint8).tobytes()
    if kind == "clip":
        new.SOPClassUID, new.NumberOfFrames, new.FrameTime = "1.2.840.10008.5.1.4.1.1.3.1", 3, "40"
        data *= 3
    meta = new.file_meta = FileMetaDataset()
    meta.TransferSyntaxUID = {"implicit": IMPLICIT, "packed": p.rng.choice((BIG_ENDIAN, DEFLATED)), "jpeg": JPEG}.get(
        kind, ExplicitVRLittleEndian
    )
    changed(new, p, kind)
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = new.SOPClassUID, new.SOPInstanceUID
    meta.SourceApplicationEntityTitle = p.word("source")
    if kind == "jpeg":
        data = encapsulate([jpeg(pixels, p)])
    if kind != "report":
        new.add_new(0x7FE00010, "OW" if kind in ("deep", "implicit") else "OB", data)
        new[0x7FE00010].is_undefined_length = kind == "jpeg"
    new.preamble = p.word("preamble", 12).encode().ljust(128, b"\0")
    if kind == "late":
        new.add_new(0xFFFCFFFC, "OB", p.word("padding", 12).encode())
    before = config.settings.writing_validation_mode
    config.settings.writing_validation_mode = config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            new.save_as(out, enforce_file_format=kind != "no preamble")
    finally:
        config.settings.writing_validation_mode = before
    return damaged(out.getvalue(), p, kind, len(data)), p, kind


def damaged(data: bytes, p: Person, kind: str, pixels: int) -> bytes:
    """Cut or change the bytes of a file whose kind asks for it."""
    for old, new in p.patches:
        data = data.replace(old, new)
    begin, out = len(data) - pixels, bytearray(data)
    if kind == "cut header":
        del out[p.rng.randrange(200, begin) :]
    elif kind == "cut pixels":
        del out[p.rng.randrange(begin, len(data)) :]
    elif kind == "lengths":
        for _ in range(3):
            at = p.rng.randrange(300, begin - 8)
            out[at : at + 2] = struct.pack("<H", p.rng.choice((0, 1, 7, 255, 65535, p.rng.randrange(65536))))
    elif kind == "bits":
        for _ in range(12):
            out[p.rng.randrange(132, begin)] ^= 1 << p.rng.randrange(8)
    return bytes(out)


def people(folder: Path, count: int, first: int = 0) -> dict[str, tuple[Person, str]]:
    """Write so many files with names that tell nothing; who is in each, and its kind."""
    found = {}
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count):
        data, person, kind = written(seed)
        name = f"f{seed:04}"
        (folder / name).write_bytes(data)
        found[name] = person, kind
    return found
