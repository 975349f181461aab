"""The scale of an ultrasound picture: a matrix of region sequences, and hostile ones."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from fetalclip.io.dicom.regions import calibration, regions

WIDE, HIGH = 800, 600
GOOD: dict[str, Any] = {
    "RegionSpatialFormat": 1,
    "RegionDataType": 1,
    "RegionFlags": 2,
    "RegionLocationMinX0": 100,
    "RegionLocationMinY0": 50,
    "RegionLocationMaxX1": 699,
    "RegionLocationMaxY1": 549,
    "PhysicalUnitsXDirection": 3,
    "PhysicalUnitsYDirection": 3,
    "PhysicalDeltaX": 0.02,
    "PhysicalDeltaY": 0.02,
}


def item(**changes: Any) -> Dataset:
    """A 2D tissue region of 600 x 500 pixels of 0.2 mm, with some values changed; None leaves one out."""
    found = Dataset()
    for keyword, value in (GOOD | changes).items():
        if value is not None:
            setattr(found, keyword, value)
    return found


def screen(*items: Dataset, size: tuple[int, int] = (WIDE, HIGH)) -> Dataset:
    found = Dataset()
    found.Columns, found.Rows = size
    found.PixelSpacing = [0.5, 0.5]  # never to be believed
    if items:
        found.SequenceOfUltrasoundRegions = Sequence(items)
    return found


def left(**changes: Any) -> Dataset:
    return item(RegionLocationMinX0=0, RegionLocationMaxX1=399, **changes)


def right(**changes: Any) -> Dataset:
    return item(RegionLocationMinX0=400, RegionLocationMaxX1=799, **changes)


FLOW = {"RegionDataType": 2}
MMODE = {"RegionSpatialFormat": 2, "PhysicalUnitsXDirection": 4}
SPECTRUM = {"RegionSpatialFormat": 3, "RegionDataType": 3, "PhysicalUnitsXDirection": 4, "PhysicalUnitsYDirection": 7}
COARSE = {"PhysicalDeltaX": 0.05, "PhysicalDeltaY": 0.05}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([item()], (0.2, 0.2)),
        ([item(PhysicalDeltaX=0.015)], (0.15, 0.2)),
        ([item(RegionFlags=None)], (0.2, 0.2)),
        ([item(**SPECTRUM), item()], (0.2, 0.2)),
        ([item(**MMODE, **COARSE), item()], (0.2, 0.2)),
        ([item(RegionSpatialFormat=4, RegionDataType=10), item()], (0.2, 0.2)),
        ([left(), right()], (0.2, 0.2)),
        ([left(), right(PhysicalDeltaX=0.020001)], (0.2, 0.2)),
        ([item(), item(**FLOW, RegionLocationMinX0=300, RegionLocationMaxX1=400)], (0.2, 0.2)),
        ([left(), right(**FLOW, **COARSE)], (0.2, 0.2)),
        ([item(RegionLocationMinX0=0, RegionLocationMaxX1=WIDE)], (0.2, 0.2)),  # one too many, as some write it
        ([item(), item(**FLOW, PhysicalDeltaX=math.nan)], (0.2, 0.2)),
    ],
)
def test_the_spacing_of_the_tissue(items: list[Dataset], expected: tuple[float, float]) -> None:
    found = calibration(screen(*items))
    assert found.mm_per_pixel == pytest.approx(expected)
    assert found.reason == ""
    assert found.region is not None
    assert found.region.tissue


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([], "no ultrasound regions"),
        ([item(**FLOW)], "2D picture of tissue"),
        ([item(RegionSpatialFormat=2)], "2D picture of tissue"),
        ([item(**SPECTRUM)], "2D picture of tissue"),
        ([item(RegionSpatialFormat=None)], "2D picture of tissue"),
        ([item(PhysicalUnitsXDirection=4)], "not cm"),
        ([item(PhysicalUnitsYDirection=0)], "not cm"),
        ([item(PhysicalUnitsXDirection=None)], "not cm"),
        ([item(PhysicalDeltaX=None)], "how large"),
        ([item(PhysicalDeltaY=math.nan)], "how large"),
        ([item(PhysicalDeltaY=math.inf)], "how large"),
        ([item(PhysicalDeltaX=-0.02)], "negative"),
        ([item(PhysicalDeltaY=-0.02)], "negative"),
        ([item(PhysicalDeltaX=0.0)], "negative size or none"),
        ([item(PhysicalDeltaX=1e-7)], "outside"),
        ([item(PhysicalDeltaY=3.0)], "outside"),
        ([item(RegionLocationMinX0=None)], "no place"),
        ([item(RegionLocationMinX0=700)], "no place"),
        ([item(RegionLocationMinX0=900, RegionLocationMaxX1=999)], "no place"),
        ([item(RegionLocationMaxX1=1200)], "beyond"),
        ([item(RegionLocationMaxY1=700)], "beyond"),
        ([left(), right(**COARSE)], "differ in scale"),
        ([item(), item(**COARSE)], "differ in scale"),
        ([left(), right(PhysicalDeltaX=-1.0)], "negative"),
        ([item(), item(**FLOW, **COARSE)], "overlaps"),
    ],
)
def test_no_spacing_and_why(items: list[Dataset], reason: str) -> None:
    found = calibration(screen(*items))
    assert found.mm_per_pixel is None
    assert found.region is None
    assert reason in found.reason


def test_what_is_measured_chooses_the_half() -> None:
    both = screen(left(), right(**COARSE))
    assert calibration(both, (10, 60, 300, 300)).mm_per_pixel == pytest.approx((0.2, 0.2))
    assert calibration(both, (410, 60, 700, 300)).mm_per_pixel == pytest.approx((0.5, 0.5))
    assert calibration(both, (300, 60, 500, 300)).mm_per_pixel is None


def test_the_box_is_half_open_and_inside_the_picture() -> None:
    assert regions(screen(item()))[0].box == (100, 50, 700, 550)
    clipped = regions(screen(item(), size=(320, 240)))[0]
    assert clipped.box == (100, 50, 320, 240)
    assert not clipped.inside
    assert regions(screen(item(), size=(90, 240)))[0].box is None


def test_the_largest_of_several_is_told() -> None:
    found = calibration(screen(item(RegionLocationMaxX1=200), right()))
    assert found.region is not None
    assert found.region.box == (400, 50, 800, 550)


def test_flags_and_words() -> None:
    flow, tissue = regions(screen(item(**FLOW, RegionFlags=0), item(RegionFlags=3)))
    assert (flow.low_priority, tissue.low_priority) == (False, True)
    assert flow.told()["data"] == "colour flow"
    assert tissue.told() == {
        "box": [100, 50, 700, 550],
        "format": "2D",
        "data": "tissue",
        "units": ["cm", "cm"],
        "mm_per_pixel": [0.2, 0.2],
    }
    assert regions(screen(item(RegionDataType=77)))[0].told()["data"] == "unknown"


@pytest.mark.parametrize("vr", ["UN", "LO", "DS", "IS", "FD", "US", "SQ", "OB", "AT", "PN", "??"])
@pytest.mark.parametrize("body", [b"", b"\0", b"abc", b"1e999\\2", b"\xff" * 8, b"9" * 40])
@pytest.mark.parametrize("keyword", [*GOOD, "Rows", "SequenceOfUltrasoundRegions"])
def test_values_of_the_wrong_kind_are_values_that_are_not_told(vr: str, body: bytes, keyword: str) -> None:
    dataset = screen(item(), item())
    target = dataset if keyword in dataset else dataset.SequenceOfUltrasoundRegions[0]
    tag = Tag(keyword)
    target._dict[tag] = RawDataElement(tag, vr, len(body), body, 0, False, True)
    assert len(regions(dataset)) in (0, 1, 2)
    found = calibration(dataset)
    assert (found.mm_per_pixel is None) == bool(found.reason)


def test_sequences_within_sequences_and_very_many_items() -> None:
    nested = item()
    for _ in range(50):
        outer = item()
        outer.SequenceOfUltrasoundRegions = Sequence([nested])
        nested = outer
    assert calibration(screen(nested)).mm_per_pixel == pytest.approx((0.2, 0.2))
    assert len(regions(screen(*[item()] * 5000))) == 256
    dataset = screen()
    dataset[0x0018, 0x6011] = DataElement(0x00186011, "UL", [1, 2, 3])
    assert regions(dataset) == ()
