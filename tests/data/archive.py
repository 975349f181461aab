"""A simulated archive: patients' folders with DICOM stills and clips, banners with names, two machines, a table."""

from __future__ import annotations

import csv
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fetalclip import phantom

BANNER = 40  # pixels of the screen above the picture
FRAMES = 5  # of a clip
MACHINES = (("GE Healthcare", "Voluson E10"), ("Samsung", "HERA W10"))
PLANES = phantom.PLANES


@dataclass(frozen=True)
class Archive:
    """What was made.

    Attributes:
        folder: holds it; its folders are named by patients.
        table: ``labels.csv`` beside it: file name and plane.
        secrets: what identifies and must come out nowhere but in paths.
        planes: of each file by its path in the folder.
    """

    folder: Path
    table: Path
    secrets: tuple[str, ...]
    planes: dict[str, str]


def dicoms() -> ModuleType:
    """The maker of small DICOM files, of the reader's tests."""
    place = Path(__file__).resolve().parents[1] / "io" / "dicom" / "conftest.py"
    spec = importlib.util.spec_from_file_location("small_dicoms", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make(root: Path, patients: int = 10) -> Archive:
    """An archive of so many patients in ``root``: of each three stills (one in colour) and a clip."""
    maker, folder = dicoms(), root / "archive"
    planes: dict[str, str] = {}
    secrets: list[str] = []
    for number in range(patients):
        name, patient = f"ROE{number}^JANE", f"MRN{7000 + number}"
        secrets += [name, patient, f"1990010{number % 10}"]
        place = folder / f"Roe{number}_Jane" / "1"
        place.mkdir(parents=True)
        maker_, model = MACHINES[number % 2]
        for at, plane in enumerate(PLANES):
            file = place / f"IM_{number:02d}{at}.dcm"
            moving = plane == "femur"
            picture, mm = _drawn(plane, number)
            pixels = np.stack([_screen(picture, name, shift) for shift in range(FRAMES if moving else 1)])
            fields = {
                "PatientName": name,
                "PatientID": patient,
                "PatientBirthDate": f"1990010{number % 10}",
                "StudyInstanceUID": f"1.2.826.0.1.{number}",
                "SeriesInstanceUID": f"1.2.826.0.1.{number}.1",
                "InstanceNumber": at,
                "Manufacturer": maker_,
                "ManufacturerModelName": model,
            }
            shown = pixels if moving else np.repeat(pixels[0][..., None], 3, axis=2) if plane == "thorax" else pixels[0]
            file.write_bytes(maker.build(shown, regions=[_region(maker, picture, mm)], **fields))
            planes[file.relative_to(folder).as_posix()] = plane
    table = root / "labels.csv"
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["filename", "plane"])
        writer.writerows([Path(path).name, plane] for path, plane in planes.items())
    return Archive(folder, table, tuple(secrets), planes)


def _screen(picture: np.ndarray, name: str, shift: int) -> np.ndarray:
    """What a machine stores: the picture with its own marks, moved a little, below a banner with a name; grey."""
    height, width = picture.shape
    screen = Image.new("L", (width, height + BANNER))
    screen.paste(Image.fromarray(np.roll(picture, 4 * shift, axis=1)), (0, BANNER))
    ImageDraw.Draw(screen).text((6, 8), name, fill=220, font=ImageFont.load_default(18))
    return np.asarray(screen)


def _drawn(plane: str, seed: int) -> tuple[np.ndarray, float]:
    """A simulated plane of half size, grey (H, W), and mm per pixel."""
    frame = phantom.draw(plane, seed, overlay=True).frame
    assert frame.mm_per_pixel is not None
    image = Image.fromarray(frame.gray)
    return np.asarray(image.resize((frame.width // 2, frame.height // 2))), 2 * frame.mm_per_pixel[0]


def _region(maker: ModuleType, picture: np.ndarray, mm: float) -> object:
    height, width = picture.shape
    return maker.region(
        RegionLocationMinX0=0,
        RegionLocationMinY0=BANNER,
        RegionLocationMaxX1=width - 1,
        RegionLocationMaxY1=height + BANNER - 1,
        PhysicalDeltaX=mm / 10,
        PhysicalDeltaY=mm / 10,
    )
