"""Where the scan lies in an ultrasound picture and how many millimetres a pixel is: SequenceOfUltrasoundRegions.

Source: DICOM PS3.3 C.8.5.5 (US Region Calibration Module). Nothing else gives a spacing: Pixel Spacing and Imager
Pixel Spacing are of other kinds of pictures, and in ultrasound they are wrong or of the whole screen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from fetalclip.io.dicom.values import code, get, number, whole
from fetalclip.io.quiet import quiet

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels; x1 and y1 are the first that no longer belong to it."""

MAX_REGIONS = 256
"""Most items of the sequence that are looked at."""

TWO_D, TISSUE, CENTIMETRES = 1, 1, 3
FORMATS = {0: "none", 1: "2D", 2: "M-mode", 3: "spectrum", 4: "waveform", 5: "graphics"}
DATA = {0: "none", 1: "tissue", 2: "colour flow", 3: "pulsed Doppler", 4: "continuous Doppler"}
UNITS = {0: "none", 1: "percent", 2: "dB", 3: "cm", 4: "s", 5: "Hz", 6: "dB/s", 7: "cm/s", 8: "cm2", 9: "cm2/s"}
UNITS |= {10: "cm3", 11: "cm3/s", 12: "degrees"}
WHOLE = 0.9
"""Share of the picture from which on its regions do not tell where the scan lies."""

_LOW_PRIORITY = 1  # bit 0 of the flags: where regions overlap, the other one is seen

_MIN_MM, _MAX_MM = 0.001, 10.0  # mm per pixel that a picture of a fetus can have
_SAME = 1e-3  # relative difference up to which two spacings are one
_BEYOND = 2  # pixels; some write the first column outside as the last inside


@dataclass(frozen=True)
class Region:
    """One item of the sequence, as the file tells it.

    Attributes:
        box: where it is, clipped to the picture; None where the file gives no box, or one outside the picture.
        inside: False when the box had to be clipped by more than two pixels.
        spatial_format: 1 is 2D, 2 M-mode, 3 a spectrum; -1 when it is not told. So are the other codes.
        data_type: 1 is tissue, 2 colour flow.
        units: codes of x and y; 3 is cm.
        mm_per_pixel: (x, y) as told, only of units in cm; not checked to be sensible, and NaN when it is not told.
        flags: bit 0 set means that another region is seen where the two overlap.
    """

    box: Box | None
    inside: bool
    spatial_format: int
    data_type: int
    units: tuple[int, int]
    mm_per_pixel: tuple[float, float] | None
    flags: int

    @property
    def tissue(self) -> bool:
        """Whether it is a 2D picture of tissue, which is where lengths are measured."""
        return self.spatial_format == TWO_D and self.data_type == TISSUE

    @property
    def low_priority(self) -> bool:
        """Whether the other region is seen where it overlaps one."""
        return self.flags > 0 and bool(self.flags & _LOW_PRIORITY)

    def told(self) -> dict[str, Any]:
        """The region in words and numbers, for ``fetalclip info``."""
        words = [UNITS.get(unit, "unknown") for unit in self.units]
        return {
            "box": None if self.box is None else list(self.box),
            "format": FORMATS.get(self.spatial_format, "unknown"),
            "data": DATA.get(self.data_type, "trace or bar" if 5 <= self.data_type <= 18 else "unknown"),
            "units": words,
            "mm_per_pixel": None if _fault(self) else [float(f"{value:.6g}") for value in self.mm_per_pixel or ()],
        }


@dataclass(frozen=True)
class Calibration:
    """Millimetres per pixel of a picture, or why there are none.

    Attributes:
        mm_per_pixel: (x, y), or None.
        region: the 2D tissue region they are of; where there are several, the largest. None without a spacing.
        reason: why there is no spacing, in words without a value of the file; empty where there is one.
    """

    mm_per_pixel: tuple[float, float] | None
    region: Region | None
    reason: str = ""


def regions(dataset: Dataset) -> tuple[Region, ...]:
    """The ultrasound regions of a data set, in the order of the file; empty where there are none.

    Never raises: a value of another type than the standard says, missing, or not a number is one that is not told.
    """
    with quiet():
        size = whole(dataset, "Columns"), whole(dataset, "Rows")
        items = get(dataset, "SequenceOfUltrasoundRegions")
        found = []
        if isinstance(items, Iterable) and not isinstance(items, (str, bytes)):
            for item, _ in zip(items, range(MAX_REGIONS), strict=False):
                if hasattr(item, "get_item"):
                    found.append(_region(item, size))
    return tuple(found)


def scan(dataset: Dataset) -> tuple[Box, ...]:
    """The boxes of the 2D regions, where nothing but the scan should be seen: machines print outside them.

    Empty where they do not tell: there are none, one reaches beyond the picture (it was written for another), or they
    cover nearly the whole of it (a crop, or a machine that declares its whole screen).
    """
    found = [region for region in regions(dataset) if region.spatial_format == TWO_D]
    boxes = tuple(region.box for region in found if region.box)
    width, height = code(dataset, "Columns"), code(dataset, "Rows")
    if not boxes or width < 1 or height < 1 or not all(region.inside for region in found):
        return ()
    mask = np.zeros((height, width), dtype=bool)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = True
    return boxes if mask.mean() <= WHOLE else ()


def calibration(dataset: Dataset, within: Box | None = None) -> Calibration:
    """The spacing of the 2D tissue region that holds the picture.

    A region counts when its spatial format is 2D, its data type tissue, both units are cm and both deltas are
    positive and between 0.001 and 10 mm. Several regions give a spacing when they agree to 0.1 %, so that the
    two halves of a screen that shows two pictures are one; when they do not, it takes ``within`` to choose.

    Args:
        dataset: with its Rows and Columns.
        within: the pixels to be measured; then only regions that hold all of it count.

    Returns:
        Calibration: without a spacing when there is no such region, when one reaches beyond the picture (then the
        picture has been cropped or resized after its regions were written), or when regions contradict each other.
    """
    found = regions(dataset)
    if not found:
        return Calibration(None, None, "the file has no ultrasound regions")
    tissue = [region for region in found if region.tissue]
    if not tissue:
        return Calibration(None, None, "none of its ultrasound regions is a 2D picture of tissue")
    if within is not None:
        tissue = [region for region in tissue if region.box is not None and _holds(region.box, within)]
        if not tissue:
            return Calibration(None, None, "no 2D tissue region holds what is to be measured")
    for region in tissue:
        if fault := _fault(region) or _misplaced(region):
            return Calibration(None, None, fault)
    if any(not _agree(one, other) for one, other in combinations(tissue, 2)):
        return Calibration(None, None, f"its {len(tissue)} 2D tissue regions differ in scale")
    if any(_contradicts(other, region) for other in found if not other.tissue for region in tissue):
        return Calibration(None, None, "another 2D region overlaps the tissue and differs in scale")
    largest = max(tissue, key=lambda region: _area(region.box))
    return Calibration(largest.mm_per_pixel, largest)


def _region(item: Dataset, size: tuple[int | None, int | None]) -> Region:
    corners = [
        whole(item, f"RegionLocation{name}")
        for name in ("MinX0", "MinY0", "MaxX1", "MaxY1")
    ]  # fmt: skip
    box, inside = _clipped(corners, size)
    units = tuple(code(item, f"PhysicalUnits{axis}Direction") for axis in "XY")
    millimetres = tuple(10 * number(item, f"PhysicalDelta{axis}") for axis in "XY")  # cm to mm
    return Region(
        box,
        inside,
        code(item, "RegionSpatialFormat"),
        code(item, "RegionDataType"),
        (units[0], units[1]),
        (millimetres[0], millimetres[1]) if units == (CENTIMETRES, CENTIMETRES) else None,
        code(item, "RegionFlags"),
    )


def _clipped(corners: list[int | None], size: tuple[int | None, int | None]) -> tuple[Box | None, bool]:
    """The half open box inside the picture, and whether it lay there to begin with."""
    x0, y0, x1, y1 = corners
    if x0 is None or y0 is None or x1 is None or y1 is None:
        return None, False
    wide, high = (size[0] or x1 + 1), (size[1] or y1 + 1)
    inside = min(x0, y0) >= 0 and x1 + 1 <= wide + _BEYOND and y1 + 1 <= high + _BEYOND
    box = max(0, x0), max(0, y0), min(x1 + 1, wide), min(y1 + 1, high)
    return (box, inside) if box[0] < box[2] and box[1] < box[3] else (None, False)


def _fault(region: Region) -> str:
    """Why a region gives no spacing, whatever its place; empty when it does."""
    if region.mm_per_pixel is None:
        return "the units of its 2D tissue region are not cm"
    if not all(map(math.isfinite, region.mm_per_pixel)):
        return "its 2D tissue region does not tell how large a pixel is"
    if min(region.mm_per_pixel) <= 0:
        return "its 2D tissue region gives a pixel a negative size or none"
    if min(region.mm_per_pixel) < _MIN_MM or max(region.mm_per_pixel) > _MAX_MM:
        return f"its 2D tissue region gives a pixel a size outside {_MIN_MM} to {_MAX_MM:.0f} mm"
    return ""


def _misplaced(region: Region) -> str:
    if region.box is None:
        return "its 2D tissue region has no place in the picture"
    if not region.inside:
        return "its 2D tissue region reaches beyond the picture, which was cropped or resized after it was calibrated"
    return ""


def _agree(one: Region, other: Region) -> bool:
    pairs = zip(one.mm_per_pixel or (), other.mm_per_pixel or (), strict=True)
    return all(math.isclose(a, b, rel_tol=_SAME) for a, b in pairs)


def _contradicts(other: Region, tissue: Region) -> bool:
    """Whether a 2D region that is not of tissue lies on one that is, with another scale."""
    if other.spatial_format != TWO_D or other.box is None or tissue.box is None or _fault(other):
        return False
    a, b = other.box, tissue.box
    apart = a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3]
    return not apart and not _agree(other, tissue)


def _holds(outer: Box, inner: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


def _area(box: Box | None) -> int:
    return 0 if box is None else (box[2] - box[0]) * (box[3] - box[1])
