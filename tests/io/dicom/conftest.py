"""Small DICOM files made with pydicom."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian

SECRET = "ROE^JANE"
ULTRASOUND, CLIP, CAPTURE = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("6.1", "3.1", "7"))


def region(**changes: Any) -> Dataset:
    """A 2D tissue region of a picture of 64 x 48 pixels, 0.2 mm each."""
    found = Dataset()
    values: dict[str, Any] = {
        "RegionSpatialFormat": 1,
        "RegionDataType": 1,
        "RegionFlags": 2,
        "RegionLocationMinX0": 4,
        "RegionLocationMinY0": 4,
        "RegionLocationMaxX1": 59,
        "RegionLocationMaxY1": 43,
        "PhysicalUnitsXDirection": 3,
        "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.02,
        "PhysicalDeltaY": 0.02,
    }
    for keyword, value in (values | changes).items():
        setattr(found, keyword, value)
    return found


def pattern(*shape: int, deep: bool = False) -> np.ndarray:
    """Blocks of grey or colour, (H, W), (H, W, 3) or with frames before; no two frames and no two channels alike."""
    noise = np.random.default_rng(sum(shape))
    pixels = noise.integers(0, 4096 if deep else 256, shape)
    return pixels.astype(np.uint16 if deep else np.uint8)


def build(
    pixels: np.ndarray | None,
    syntax: str = ExplicitVRLittleEndian,
    fragments: list[bytes] | None = None,
    regions: list[Dataset] | None = None,
    **fields: Any,
) -> bytes:
    """The bytes of a file with these pixels, (frames, H, W[, 3]) or without frames; ``fields`` go into its header.

    ``fragments`` are written as they are, one per picture, instead of the pixels.
    """
    data = Dataset()
    colour = pixels is not None and pixels.shape[-1] == 3
    moving = pixels is not None and pixels.ndim == (4 if colour else 3)
    data.SOPClassUID, data.SOPInstanceUID = CLIP if moving else ULTRASOUND, "1.2.3.4"
    data.PatientName, data.PatientID, data.PatientBirthDate = SECRET, "SECRET-17", "19900101"
    if pixels is not None:
        data.Rows, data.Columns = pixels.shape[1:3] if moving else pixels.shape[:2]
        data.SamplesPerPixel, data.PhotometricInterpretation = (3, "RGB") if colour else (1, "MONOCHROME2")
        data.BitsAllocated = data.BitsStored = 8 * pixels.dtype.itemsize
        data.HighBit, data.PixelRepresentation = data.BitsStored - 1, 0
        if colour:
            data.PlanarConfiguration = 0
        if moving:
            data.NumberOfFrames, data.FrameTime = len(pixels), "40"
    data.SequenceOfUltrasoundRegions = [region()] if regions is None else regions
    for keyword, value in fields.items():
        setattr(data, keyword, value)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    if fragments is not None:
        data.PixelData = encapsulate(fragments)
        data["PixelData"].is_undefined_length = True
    elif pixels is not None:
        big = syntax == "1.2.840.10008.1.2.2"
        data.PixelData = (pixels.astype(pixels.dtype.newbyteorder(">")) if big else pixels).tobytes()
        data.PixelData += b"\0" * (len(data.PixelData) % 2)
        data["PixelData"].VR = "OW" if pixels.dtype.itemsize == 2 else "OB"
    out = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if fragments is None and syntax.startswith(("1.2.840.10008.1.2.4", "1.2.840.10008.1.2.5")):
            data.compress(syntax, generate_instance_uid=False)
        else:
            data.file_meta.TransferSyntaxUID = syntax
        data.save_as(out, enforce_file_format=True)
    return out.getvalue()


@pytest.fixture
def make() -> Callable[..., bytes]:
    return build
