"""The stored pixels of a DICOM file, frame by frame as they are: no window, no scaling, no palette applied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fetalclip.errors import FetalclipError, InputTooLarge, UnreadableInput
from fetalclip.frame import Pixels
from fetalclip.io.dicom.decode import decode
from fetalclip.io.dicom.palette import read_palette
from fetalclip.io.dicom.places import find_places
from fetalclip.io.dicom.read import Opened, begin_pixels, stored_bytes
from fetalclip.io.dicom.shape import PALETTE

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Stored = npt.NDArray[Any]
"""One frame: (H, W) or (H, W, 3), uint8 or uint16, the bits as they stand in the file; bits that do not count are 0."""

MAX_BYTES = 1 << 30
"""Decoded pixels of one file, bytes (1 GiB)."""

_NAMES = tuple(f"{colour}PaletteColorLookupTable" for colour in ("Red", "Green", "Blue"))


@dataclass(frozen=True)
class Form:
    """How the stored pixels are to be understood.

    Attributes:
        width, height, frames: of the picture; frames are 1 for a still.
        colour: photometric interpretation as it is written: RGB, YBR_FULL, PALETTE COLOR, MONOCHROME1 or 2.
        bits: of a sample that count, the lower ones.
        signed: whether samples are signed.
        multi: whether the file tells a number of frames.
        palette: uint8 (n, 3) from index 0 on, or None.
    """

    width: int
    height: int
    frames: int
    colour: str
    bits: int
    signed: bool
    multi: bool
    palette: Pixels | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one frame."""
        return (self.height, self.width, 3) if self.colour in ("RGB", "YBR_FULL") else (self.height, self.width)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of a sample in the file; of a signed one too."""
        return np.dtype("<u1" if self.bits <= 8 else "<u2")

    @property
    def black(self) -> int | tuple[int, int, int]:
        """The stored value that is shown darkest."""
        if self.colour == "YBR_FULL":
            return 0, 128, 128
        if self.palette is not None:
            return int(self.palette.sum(axis=1, dtype=np.int64).argmin())
        if self.colour == "MONOCHROME1":
            return (1 << self.bits - self.signed) - 1
        return 1 << self.bits - 1 if self.signed else 0  # two's complement


def form_of(opened: Opened) -> tuple[Form, Stored]:
    """What the pixels of a file are, and its first frame: only a decoder tells what colours it hands out.

    Raises:
        UnreadableInput: a kind that is not written, or the frame cannot be decoded.
        InputTooLarge: more than ``MAX_BYTES`` when decoded.
    """
    shape, label = opened.shape, opened.header.label
    if shape.stored > 16 or (shape.samples == 3 and shape.stored != 8):
        raise UnreadableInput(
            f"{label} has samples of {shape.stored} bits", "at most 16 of grey, and 8 of a colour", "leave it out"
        )
    size = shape.height * shape.width * shape.samples * shape.frames * (1 if shape.stored <= 8 else 2)
    if size > MAX_BYTES:
        raise InputTooLarge(f"{label} has {size / 1e9:.1f} GB of pixels", f"at most {MAX_BYTES / 1e9:.1f} GB")
    palette = None
    if shape.photometric == PALETTE:
        read = read_palette(opened.header.dataset, opened.header.syntax.little)
        if read is None:
            raise UnreadableInput(f"{label} has colours of a palette that is damaged", "three tables")
        first, table = read
        palette = np.concatenate([np.repeat(table[:1], max(0, first), axis=0), table])
    first_frame, colour = next(_decoded(opened))
    multi = "NumberOfFrames" in opened.header.dataset
    form = Form(shape.width, shape.height, shape.frames, colour, shape.stored, shape.signed, multi, palette)
    return form, _stored(first_frame, opened, form)


def frames_of(opened: Opened, form: Form) -> Iterator[Stored]:
    """The stored pixels, one frame after the other, each a copy that may be written to.

    Raises:
        UnreadableInput: they cannot be decoded, or are not as many or not what the header says.
    """
    for index, (samples, colour) in enumerate(_decoded(opened)):
        if colour != form.colour or samples.shape != form.shape:
            raise UnreadableInput(
                f"frame {index} of {opened.header.label} is not like the first", "frames of one kind", "copy it again"
            )
        yield _stored(samples, opened, form)


def lightness(frame: Stored, form: Form) -> Pixels:
    """A frame as grey levels, uint8 (H, W), for finding text: white on black, stretched if not of 8 bits."""
    if form.colour == "YBR_FULL":
        return np.ascontiguousarray(frame[..., 0])
    if form.colour == "RGB":
        return np.ascontiguousarray(frame.max(axis=2))  # yellow or blue letters are as light as white ones
    if form.palette is not None:
        return np.ascontiguousarray(form.palette[np.minimum(frame, len(form.palette) - 1)].max(axis=2))
    levels = frame.astype(np.int32)
    if form.signed:
        levels = np.where(levels >> form.bits - 1, levels - (1 << form.bits), levels)
    if form.colour == "MONOCHROME1":
        levels = -levels
    if form.bits == 8:
        return np.asarray(levels - _least(form), dtype=np.uint8)
    low, high = int(levels.min()), int(levels.max())
    return np.asarray((levels - low) * (255 / max(1, high - low)), dtype=np.uint8)


def describe(dataset: Dataset, form: Form) -> None:
    """Write the elements that describe the pixels."""
    coloured = len(form.shape) == 3
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3 if coloured else 1, form.colour
    if coloured:
        dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = form.height, form.width
    if form.multi:
        dataset.NumberOfFrames = form.frames
    dataset.BitsAllocated = 8 * form.dtype.itemsize
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = form.bits, form.bits - 1, int(form.signed)
    if form.palette is not None:
        for channel, name in enumerate(_NAMES):
            table = form.palette[:, channel].astype("<u2") * np.uint16(257)
            setattr(dataset, f"{name}Descriptor", [len(table) % 65536, 0, 16])
            setattr(dataset, f"{name}Data", table.tobytes())


def _least(form: Form) -> int:
    if form.colour == "MONOCHROME1":
        return -127 if form.signed else -255
    return -128 if form.signed else 0


def _decoded(opened: Opened) -> Iterator[tuple[Stored, str]]:
    """Samples and colours of every frame, as a decoder hands them out."""
    header, shape = opened.header, opened.shape
    with begin_pixels(opened) as file:
        places = find_places(file, header, shape)
        if len(places.frames) != shape.frames or places.cut:
            raise UnreadableInput(
                f"{header.label} tells of {shape.frames} pictures and {len(places.frames)} are there",
                "as many as it says",
                "copy it again",
            )
        for index, spans in enumerate(places.frames):
            try:
                samples = decode(stored_bytes(file, spans, opened), shape, header.syntax.coding, header.syntax.little)
            except FetalclipError:
                raise
            except Exception:  # decoders raise what they like of a damaged stream
                found = f"picture {index} of {header.label} cannot be decoded"
                raise UnreadableInput(found, "a whole file", "copy it again") from None
            yield samples


def _stored(samples: Stored, opened: Opened, form: Form) -> Stored:
    """Samples with the bits that count at the lower end, and nothing in the others (overlays were hidden there)."""
    shape = opened.shape
    bits = samples.astype(np.int64) if samples.dtype.kind == "i" else samples.astype(np.uint64)
    if opened.header.syntax.coding in ("native", "rle"):
        bits = bits >> bits.dtype.type(shape.high + 1 - shape.stored)
    return (bits & bits.dtype.type((1 << form.bits) - 1)).astype(form.dtype)
