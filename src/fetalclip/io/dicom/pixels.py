"""From the samples of a DICOM picture to 8-bit grey or colour, by rules that are written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from fetalclip.frame import Pixels
from fetalclip.io.convert import collapse
from fetalclip.io.dicom import values
from fetalclip.io.dicom.decode import Samples, Undecodable
from fetalclip.io.dicom.palette import read_palette
from fetalclip.io.dicom.shape import PALETTE, Shape

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_ROWS = 256  # rows turned at a time, so that a large picture needs little extra memory


@dataclass
class Tones:
    """How grey of more than 8 bits becomes 8: from ``low`` to ``high``, values of the file.

    Attributes:
        low, high: 0 and 255; None until the first picture has been seen.
        curve: ``linear``, or ``sigmoid`` with its centre in the middle.
    """

    low: float | None = None
    high: float | None = None
    curve: str = "linear"


class Converter:
    """Turns the samples of one file's pictures.

    - Grey of 8 bits stays as it is. Grey of more bits goes through the rescaling and the first window of the header
      (PS3.3 C.11.1 and C.11.2.1.2), and without a window linearly from 0 (from the smallest value, where there are
      negative ones) to the largest of the first picture, which holds for the whole clip.
    - MONOCHROME1 is turned so that zero is black.
    - A palette gives colours, the upper 8 bits of its entries; colour of more than 8 bits keeps its upper 8 bits.
    - YBR_FULL becomes RGB by the matrix of JFIF; three channels that are equal everywhere become grey.

    Attributes:
        warnings: what a reader should know of how the pictures were turned.
    """

    def __init__(self, dataset: Dataset, shape: Shape, little: bool = True) -> None:
        self.shape, self.warnings = shape, list[str]()
        slope, intercept = values.numbers(dataset, "RescaleSlope"), values.numbers(dataset, "RescaleIntercept")
        self.slope = slope[0] if slope and slope[0] else 1.0
        self.intercept = intercept[0] if intercept else 0.0
        self.tones = _window(dataset)
        self.palette = read_palette(dataset, little) if shape.photometric == PALETTE else None
        deep = shape.stored > 8 and shape.photometric != PALETTE and shape.samples == 1
        if deep and any(values.get(dataset, name) for name in ("ModalityLUTSequence", "VOILUTSequence")):
            self.warnings.append("a table of grey values in the header is not applied")

    @property
    def waits(self) -> bool:
        """Whether the first picture is still to settle the grey values of the others."""
        plain = (self.shape.stored, self.shape.allocated, self.shape.signed) == (8, 8, False)
        return not plain and self.shape.samples == 1 and None in (self.tones.low, self.tones.high)

    def __call__(self, samples: Samples, photometric: str) -> Pixels:
        """8-bit pixels, (H, W) or (H, W, 3).

        Raises:
            Undecodable: the palette is missing or damaged.
        """
        samples = self._counted(samples)
        if photometric == PALETTE:
            return collapse(self._coloured(samples))
        if samples.ndim == 3:
            bytes8: Pixels = (samples >> max(0, self.shape.stored - 8)).astype(np.uint8)
            return collapse(ybr_to_rgb(bytes8) if photometric.startswith("YBR_FULL") else bytes8)
        grey = self._grey(samples)
        return 255 - grey if photometric == "MONOCHROME1" else grey

    def _counted(self, samples: Samples) -> Samples:
        """Only the bits that count, and their sign."""
        shape, width = self.shape, 8 * samples.dtype.itemsize
        if samples.dtype.kind == "i" or (shape.stored == width and not shape.signed):
            return samples
        below = max(0, shape.high + 1 - shape.stored) if width == shape.allocated else 0
        stored = min(shape.stored, width)
        found = samples >> below
        if stored < width:
            found = found & ((1 << stored) - 1)
        if not shape.signed:
            return found
        half = 1 << (stored - 1)
        return (found.astype(np.int64) ^ half) - half

    def _grey(self, samples: Samples) -> Pixels:
        if self.shape.stored == 8 and samples.dtype == np.uint8:
            return samples
        if self.tones.low is None or self.tones.high is None:
            ends = sorted(float(end) * self.slope + self.intercept for end in (samples.min(), samples.max()))
            self.tones = Tones(min(0.0, ends[0]), ends[1])
            if self.shape.stored < 8 and not self.shape.signed and (self.slope, self.intercept) == (1, 0):
                self.tones = Tones(0.0, float((1 << self.shape.stored) - 1))
        out = np.zeros(samples.shape, np.uint8)
        for top in range(0, samples.shape[0], _ROWS):
            rows = samples[top : top + _ROWS].astype(np.float64) * self.slope + self.intercept
            out[top : top + _ROWS] = _toned(rows, self.tones)
        return out

    def _coloured(self, samples: Samples) -> Pixels:
        if self.palette is None:
            raise Undecodable("its palette is missing or damaged")
        first, table = self.palette
        out = np.empty((*samples.shape, 3), np.uint8)
        for top in range(0, samples.shape[0], _ROWS):
            rows = samples[top : top + _ROWS].astype(np.int64) - first
            out[top : top + _ROWS] = table[rows.clip(0, len(table) - 1)]
        return out


def ybr_to_rgb(pixels: Pixels) -> Pixels:
    """(H, W, 3) YBR_FULL as RGB (PS3.3 C.7.6.3.1.2)."""
    height, width = pixels.shape[:2]
    image = Image.frombytes("YCbCr", (width, height), np.ascontiguousarray(pixels).tobytes())
    return np.asarray(image.convert("RGB"))


def _toned(rows: Samples, tones: Tones) -> Samples:
    low, high = tones.low or 0.0, tones.high or 0.0
    if tones.curve == "sigmoid":
        with np.errstate(over="ignore"):
            return np.rint(255 / (1 + np.exp(-4 * ((rows - low) / (high - low) - 0.5))))
    if high <= low:
        return np.where(rows > high, 255.0, 0.0)
    return np.rint(((rows - low) / (high - low) * 255).clip(0, 255))


def _window(dataset: Dataset) -> Tones:
    """The first window of the header."""
    centres, widths = values.numbers(dataset, "WindowCenter"), values.numbers(dataset, "WindowWidth")
    function = values.text(dataset, "VOILUTFunction").upper() or "LINEAR"
    if not centres or not widths or function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        return Tones()
    centre, width = centres[0], widths[0]
    if not abs(centre) < 1e12 or not 0 < width < 1e12 or (function == "LINEAR" and width < 1):
        return Tones()
    if function == "LINEAR":  # a window of 1 parts black from white at centre - 0.5
        centre, width = centre - 0.5, width - 1
    return Tones(centre - width / 2, centre + width / 2, "sigmoid" if function == "SIGMOID" else "linear")
