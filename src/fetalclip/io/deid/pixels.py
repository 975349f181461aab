"""The stored pixels of a DICOM file, frame by frame as they are: no conversion of colours, no window, no scaling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fetalclip.errors import InputTooLarge, UnreadableInput
from fetalclip.frame import Pixels

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Stored = npt.NDArray[Any]
"""One frame: (H, W) or (H, W, 3), of the file's own integer type."""

MAX_BYTES = 1 << 30
"""Decoded pixels of one file, bytes (1 GiB)."""

COLOURS = ("RGB", "YBR_FULL", "PALETTE COLOR", "MONOCHROME1", "MONOCHROME2")
"""Photometric interpretations that are written. YBR_FULL_422 becomes YBR_FULL, those of JPEG 2000 become RGB."""

_PALETTE = tuple(f"{colour}PaletteColorLookupTable" for colour in ("Red", "Green", "Blue"))
_PLAIN = {"YBR_FULL_422": "YBR_FULL", "YBR_RCT": "RGB", "YBR_ICT": "RGB"}


@dataclass(frozen=True)
class Form:
    """How the stored pixels are to be understood.

    Attributes:
        width, height, frames: of the picture; frames are 1 for a still.
        colour: one of ``COLOURS``.
        bits: significant bits of a sample.
        signed: whether samples are signed.
        palette: three tables of equal length, or None.
        multi: whether the file tells a number of frames.
    """

    width: int
    height: int
    frames: int
    colour: str
    bits: int
    signed: bool
    multi: bool
    palette: tuple[npt.NDArray[np.uint16], ...] | None = None

    @property
    def samples(self) -> int:
        """Values of one pixel."""
        return 3 if self.colour in ("RGB", "YBR_FULL") else 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of a sample in the file, little endian."""
        return np.dtype(f"<{'i' if self.signed else 'u'}{1 if self.bits <= 8 else 2}")

    @property
    def black(self) -> int | tuple[int, int, int]:
        """The stored value that is shown darkest."""
        low, high = (-(1 << self.bits - 1), (1 << self.bits - 1) - 1) if self.signed else (0, (1 << self.bits) - 1)
        if self.colour == "YBR_FULL":
            return 0, 1 << self.bits - 1, 1 << self.bits - 1
        if self.palette is not None:
            lightness = sum(table.astype(np.int64) for table in self.palette)
            return int(np.argmin(lightness))
        return high if self.colour == "MONOCHROME1" else 0 if self.colour == "RGB" else low


def form_of(dataset: Dataset) -> Form:
    """What the pixels of a data set are, from its header alone.

    Raises:
        UnreadableInput: no pixels, or a kind that is not written.
        InputTooLarge: more than ``MAX_BYTES`` when decoded.
    """
    if "PixelData" not in dataset:
        raise UnreadableInput("the file holds no pixels", "a picture or a clip")
    width, height = _whole(dataset, "Columns"), _whole(dataset, "Rows")
    frames = _whole(dataset, "NumberOfFrames", 1)
    stored, allocated = _whole(dataset, "BitsStored"), _whole(dataset, "BitsAllocated")
    if min(width, height, frames) < 1 or allocated not in (8, 16) or not 1 <= stored <= allocated:
        raise UnreadableInput(
            f"{frames} frames of {width} x {height} pixels, {stored} of {allocated} bits", "frames of 8 or 16 bits"
        )
    told = str(dataset.get("PhotometricInterpretation", "")).strip()
    colour = _PLAIN.get(told, told)
    if colour not in COLOURS:
        raise UnreadableInput("pixels of an unknown photometric interpretation", " or ".join(COLOURS))
    signed = _whole(dataset, "PixelRepresentation", 0) == 1
    palette = _palette(dataset) if colour == "PALETTE COLOR" else None
    form = Form(width, height, frames, colour, stored, signed, "NumberOfFrames" in dataset, palette)
    if form.samples == 3 and (stored != 8 or signed):
        raise UnreadableInput(f"coloured pixels of {stored} bits", "8 bits")
    size = width * height * frames * form.samples * form.dtype.itemsize
    if size > MAX_BYTES:
        raise InputTooLarge(f"{size / 1e9:.1f} GB of pixels", f"at most {MAX_BYTES / 1e9:.1f} GB")
    return form


def frames_of(dataset: Dataset, form: Form) -> Iterator[Stored]:
    """The stored pixels, one frame after the other, each a copy that may be written to.

    Raises:
        UnreadableInput: they cannot be decoded, or are others than the header says.
    """
    from pydicom.pixels import get_decoder

    try:
        decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
    except Exception:
        raise UnreadableInput("pixels in a transfer syntax that is not decoded here", "a known one") from None
    count = 0
    frames = decoder.iter_array(dataset, raw=True)
    while True:
        try:
            array, told = next(frames)
        except StopIteration:
            break
        except Exception as error:  # a decoder raises what it likes, with whatever words
            raise UnreadableInput(f"frame {count} cannot be decoded ({type(error).__name__})") from None
        shape = (form.height, form.width, 3)[: 3 if form.samples == 3 else 2]
        found = str(told.get("photometric_interpretation", ""))
        if array.shape != shape or _PLAIN.get(found, found) != form.colour or array.dtype.itemsize > 2:
            raise UnreadableInput(f"frame {count} is not what the header says")
        count += 1
        if count > form.frames:
            break
        yield np.array(array, dtype=form.dtype)
    if count != form.frames:
        raise UnreadableInput(f"{min(count, form.frames + 1)} frames or more", f"{form.frames}, as the header says")


def lightness(frame: Stored, form: Form) -> Pixels:
    """A frame as grey levels, uint8 (H, W), for finding text in it: white on black, contrast stretched if not 8 bits."""
    if form.colour == "YBR_FULL":
        return np.ascontiguousarray(frame[..., 0])
    if form.colour == "RGB":
        return np.asarray(frame.max(axis=2), dtype=np.uint8)  # yellow or blue letters are as light as white ones
    levels = frame.astype(np.float32)
    if form.palette is not None:
        tables = np.stack(form.palette).max(axis=0).astype(np.float32)
        levels = tables[np.clip(frame, 0, len(tables) - 1)]
    if form.colour == "MONOCHROME1":
        levels = -levels
    if form.bits == 8 and not form.signed and form.palette is None:
        return np.asarray(levels + (255 if form.colour == "MONOCHROME1" else 0), dtype=np.uint8)
    low, high = float(levels.min()), float(levels.max())
    return np.asarray((levels - low) * (255 / max(1.0, high - low)), dtype=np.uint8)


def describe(dataset: Dataset, form: Form) -> None:
    """Write the elements that describe the pixels."""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = form.samples, form.colour
    if form.samples == 3:
        dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = form.height, form.width
    if form.multi:
        dataset.NumberOfFrames = form.frames
    dataset.BitsAllocated = 8 * form.dtype.itemsize
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = form.bits, form.bits - 1, int(form.signed)
    if form.palette is not None:
        for name, table in zip(_PALETTE, form.palette, strict=True):
            setattr(dataset, f"{name}Descriptor", [len(table) % 65536, 0, 16])
            setattr(dataset, f"{name}Data", table.astype("<u2").tobytes())


def _palette(dataset: Dataset) -> tuple[npt.NDArray[np.uint16], ...]:
    """The three tables, 16 bits a value, from index 0 on."""
    tables = []
    for name in _PALETTE:
        try:
            count, first, bits = (int(number) for number in dataset[f"{name}Descriptor"].value)
            data = bytes(dataset[f"{name}Data"].value)
        except Exception:
            raise UnreadableInput("pixels by a palette that is not there", "three tables of colours") from None
        count = count or 65536
        wide = 2 if len(data) >= 2 * count else 1
        if len(data) < count or bits not in (8, 16) or not 0 <= first < 65536:
            raise UnreadableInput("pixels by a palette that is damaged", "three tables of colours")
        table = np.frombuffer(data[: wide * count], dtype=f"<u{wide}").astype(np.uint16)
        table = table * np.uint16(257) if wide == 1 or (bits == 8 and table.max() < 256) else table
        tables.append(np.concatenate([np.full(first, table[0], dtype=np.uint16), table])[:65536])
    if len({len(table) for table in tables}) > 1:
        raise UnreadableInput("pixels by a palette of unequal tables", "three tables of one length")
    return tuple(tables)


def _whole(dataset: Dataset, keyword: str, default: int = -1) -> int:
    try:
        value = dataset.get(keyword)
        return default if value is None or value == "" else int(value)
    except Exception:  # pydicom decodes a value when it is asked for, and raises what it likes
        return -1
