"""How the pixels of a DICOM picture are laid out, checked before any of them is read."""

from __future__ import annotations

from dataclasses import dataclass

from fetalclip.errors import InputTooLarge, UnreadableInput
from fetalclip.io.dicom import values
from fetalclip.io.dicom.header import Header
from fetalclip.io.dicom.syntaxes import READABLE_DICOM

MAX_PIXELS = 20_000_000
MAX_SIDE = 20_000
"""Most pixels of one picture (width times height), and of one side."""

MAX_FRAMES = 100_000
MAX_DECODED = 4 * 10**11
"""Most pictures of a clip, and most pixels of all of them together, that are decoded; the rest is left out and told."""

GREY = ("MONOCHROME1", "MONOCHROME2")
PALETTE = "PALETTE COLOR"
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


@dataclass(frozen=True)
class Shape:
    """Image pixel description (PS3.3 C.7.6.3).

    Attributes:
        height, width: of one picture, pixels.
        samples: 1 or 3.
        allocated, stored, high: bits of a sample in the file, bits that count, and the highest of these.
        signed: whether samples are signed.
        photometric: one of `GREY`, `PALETTE` and `COLOUR`.
        planar: whether the colours of an uncompressed picture lie one after the other.
        frames: as the header tells it; 1 when it does not.
    """

    height: int
    width: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    photometric: str
    planar: bool
    frames: int

    @property
    def halved(self) -> bool:
        """Whether two pixels share their colour, when uncompressed."""
        return self.photometric == "YBR_FULL_422"

    @property
    def frame_bytes(self) -> int:
        """Bytes of one uncompressed picture."""
        samples = self.height * self.width * self.samples * (self.allocated // 8)
        return samples * 2 // 3 if self.halved else samples


def frames_told(header: Header) -> int:
    """Number of pictures as the header tells it, 1 when it does not."""
    return max(1, values.code(header.dataset, "NumberOfFrames"))


def shape_of(header: Header) -> Shape:
    """The layout that a header tells.

    Raises:
        UnreadableInput: there are no pixels, their transfer syntax is not read, or the description is missing,
            contradicts itself or is of a kind that is not read.
        InputTooLarge: more than ``MAX_PIXELS`` pixels.
    """
    dataset, label = header.dataset, header.label
    if not header.start:
        raise UnreadableInput(
            f"{label} is a DICOM object without pixels, or it is cut off or damaged before them",
            READABLE_DICOM,
            "copy it again, or leave it out",
        )
    if not header.syntax.coding:
        raise UnreadableInput(
            f"{label} is compressed in a way that is not read: {header.syntax.name}",
            READABLE_DICOM,
            "export it uncompressed, or as JPEG or H.264 MP4",
        )
    height, width = values.code(dataset, "Rows"), values.code(dataset, "Columns")
    if height < 1 or width < 1:
        raise UnreadableInput(f"{label} does not tell the size of its picture", READABLE_DICOM, "export it again")
    if height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
        raise InputTooLarge(
            f"{label} announces {width} x {height} pixels",
            f"at most {MAX_PIXELS // 1_000_000} megapixels",
            "export it smaller",
        )
    samples = values.whole(dataset, "SamplesPerPixel") or 1
    allocated = values.code(dataset, "BitsAllocated")
    stored = values.whole(dataset, "BitsStored") or allocated
    high = values.whole(dataset, "HighBit")
    found = Shape(
        height,
        width,
        samples,
        allocated,
        stored,
        stored - 1 if high is None else high,
        values.code(dataset, "PixelRepresentation") == 1,
        values.text(dataset, "PhotometricInterpretation").upper() or ("RGB" if samples == 3 else "MONOCHROME2"),
        samples == 3 and values.code(dataset, "PlanarConfiguration") == 1,
        frames_told(header),
    )
    _check(found, header)
    return found


def _check(shape: Shape, header: Header) -> None:
    """Refuse what cannot be or is not read."""
    label = header.label
    kinds = GREY + (PALETTE,) if shape.samples == 1 else COLOUR
    if shape.samples not in (1, 3) or shape.photometric not in kinds:
        known = shape.photometric in GREY + COLOUR + (PALETTE,)
        colours = shape.photometric if known else "one that is not known"
        raise UnreadableInput(
            f"{label} has {shape.samples} samples per pixel and the colours {colours}",
            "grey or palette of one sample, RGB or YBR_FULL of three",
            "export it as RGB",
        )
    bits = (8, 16, 32)
    if (
        shape.allocated not in bits
        or not 1 <= shape.stored <= shape.allocated
        or not (shape.stored - 1 <= shape.high < shape.allocated)
    ):
        raise UnreadableInput(
            f"{label} says that {shape.stored} bits of a sample of {shape.allocated} count",
            "samples of 8, 16 or 32 bits, and not more that count",
            "export it in 8 bits",
        )
    native = header.syntax.coding == "native"
    if native and shape.halved and (shape.width % 2 or shape.allocated != 8):
        raise UnreadableInput(
            f"{label} halves its colours and has an odd width or more than 8 bits", "an even width", "export it as RGB"
        )
