"""DICOM files as pictures and clips, with the spacing of their ultrasound regions and nothing that identifies."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, BinaryIO

from fetalclip.clinical.age import IndependentAge
from fetalclip.errors import FetalclipError, UnreadableInput
from fetalclip.frame import Cine, Frame, Pixels, Shot
from fetalclip.io.dicom import values
from fetalclip.io.dicom.age import age_of
from fetalclip.io.dicom.decode import Undecodable, decode
from fetalclip.io.dicom.header import Header, Opener, check_class, read_header
from fetalclip.io.dicom.names import identifying
from fetalclip.io.dicom.pixels import Converter
from fetalclip.io.dicom.places import Places, Span, find_places, picture_bytes
from fetalclip.io.dicom.regions import calibration, regions, scan
from fetalclip.io.dicom.shape import MAX_DECODED, Shape, frames_told, shape_of
from fetalclip.io.dicom.syntaxes import CLASSES, READABLE_DICOM
from fetalclip.io.quiet import quiet

Spacing = tuple[float, float] | None

_NO_CLASS = "the file does not tell what kind of object it is"
_MOST_SECONDS = 3600.0  # between two pictures of a clip


@dataclass(frozen=True)
class Opened:
    """A DICOM file whose header has been read and found readable.

    Attributes:
        header, shape: what it says.
        spacing: mm per pixel: given by the user, else of its regions, else None.
        warnings: what the user should know; grows while pictures are decoded.
        age: known without the picture, by the header; or None.
        uncalibrated: why there is no spacing; empty where there is one.
    """

    header: Header
    shape: Shape
    spacing: Spacing
    warnings: list[str]
    age: IndependentAge | None = None
    uncalibrated: str = ""


def is_moving(begin: Opener, label: str) -> bool:
    """Whether a DICOM file tells of more than one picture.

    Raises:
        UnreadableInput, InputTooLarge: its header cannot be read.
    """
    return frames_told(read_header(begin, label)) > 1


def read_frame(begin: Opener, name: str, label: str, spacing: Spacing = None) -> Frame:
    """The one picture of a DICOM file.

    Args:
        begin: opens its bytes.
        name: the path as given.
        label: what it is called in a message.
        spacing: mm per pixel that the user knows, before the file's own.

    Returns:
        Frame: the whole picture, not cropped to its regions. ``info`` as of `told`, and ``warnings``.

    Raises:
        UnreadableInput: damaged, without pixels, of another kind, or a clip.
        InputTooLarge: too many pixels, found before decoding.
    """
    opened = open_dicom(begin, label, spacing)
    if opened.shape.frames > 1:
        raise UnreadableInput(
            f"{label} is a clip of {opened.shape.frames} pictures", "a still picture", "fetalclip.read_cine(path)"
        )
    with closing(_pictures(opened, name)) as pictures:
        _, pixels = next(pictures)
    return Frame(pixels, opened.spacing, name, told(opened) | {"pages": 1, "warnings": opened.warnings})


def read_clip(begin: Opener, name: str, label: str, spacing: Spacing = None) -> Cine:
    """The pictures of a multi-frame DICOM file, decoded one by one while iterating; the first is decoded at once.

    Args, Raises: as `read_frame`, but for a still.

    Returns:
        Cine: with the times of Frame Time, Frame Time Vector or Cine Rate (PS3.3 C.7.6.5).
    """
    opened = open_dicom(begin, label, spacing)
    shape, warnings = opened.shape, opened.warnings
    with begin_pixels(opened) as file:
        count = min(len(_places(file, opened).frames), max(1, MAX_DECODED // (shape.width * shape.height)))
    rate, times = _times(opened.header, count)
    if rate is None:
        _tell(warnings, "the clip tells neither times nor a rate")
    steps = [after - before for before, after in pairwise(times)]
    variable = bool(steps) and max(steps) - min(steps) > 0.002
    if variable:
        _tell(warnings, "the clip has a variable rate: use the time of each picture and not its number")

    each = {"format": "DICOM", "scan": [list(box) for box in scan(opened.header.dataset)]}

    def shots() -> Iterator[Shot]:
        for index, pixels in _pictures(opened, name):
            if index >= count:
                return
            yield Shot(index, times[index] if rate else math.nan, Frame(pixels, opened.spacing, name, dict(each)))

    with closing(_pictures(opened, name)) as pictures:
        next(pictures)
    info = told(opened) | {
        "seconds": count / rate if rate else None,
        "variable_rate": variable,
        "warnings": warnings,
        "fields": list(identifying(opened.header.dataset)),
    }
    return Cine(shape.width, shape.height, count, rate, shots, opened.spacing, name, info)


def read_picture(begin: Opener, name: str, label: str, index: int) -> Frame:
    """One picture of a file by its place, from 0, as `read_clip` would give it; those before it are not decoded.

    Raises:
        UnreadableInput, InputTooLarge: as `read_frame`; or the file has no such picture, or it is damaged.
    """
    opened = open_dicom(begin, label)
    with closing(_pictures(opened, name, index)) as pictures:
        found = dict(pictures)
    if index not in found:
        raise UnreadableInput(
            f"{label} has no picture {index} that can be decoded", "a place of one of its pictures, from 0"
        )
    about = told(opened) | {"pages": opened.shape.frames, "warnings": opened.warnings}
    return Frame(found[index], opened.spacing, name, about)


def open_dicom(begin: Opener, label: str, spacing: Spacing = None) -> Opened:
    """Read the header and check that the file is one that is read.

    Raises:
        UnreadableInput, InputTooLarge: as `read_frame`.
    """
    header = read_header(begin, label)
    check_class(header)
    shape = shape_of(header)
    warnings = [] if header.sop_class else [_NO_CLASS]
    own = calibration(header.dataset)
    uncalibrated = own.reason if spacing is None and own.mm_per_pixel is None else ""
    if uncalibrated:
        warnings.append(f"no millimetres per pixel: {uncalibrated}")
    pairs = zip(spacing or (), own.mm_per_pixel or (), strict=False)
    if not all(math.isclose(given, found, rel_tol=0.01) for given, found in pairs):
        warnings.append("the millimetres per pixel that were given are not those of the file")
    told_age = age_of(header.dataset)
    warnings += told_age.warnings
    return Opened(header, shape, spacing or own.mm_per_pixel, warnings, told_age.age, uncalibrated)


def begin_pixels(opened: Opened) -> BinaryIO:
    """The bytes that the places of the pictures count in."""
    return opened.header.begin()


def told(opened: Opened) -> dict[str, Any]:
    """What is told of a file: nothing of it can identify somebody."""
    header, shape = opened.header, opened.shape
    burned = values.text(header.dataset, "BurnedInAnnotation").upper()
    return {
        "format": "DICOM",
        "mode": shape.photometric,
        "bits": shape.stored,
        "sop_class": CLASSES.get(header.sop_class, "unknown"),
        "transfer_syntax": header.syntax.name,
        "burned_in": {"YES": True, "NO": False}.get(burned),
        "regions": [region.told() for region in regions(header.dataset)],
        "scan": [list(box) for box in scan(header.dataset)],
        "uncalibrated": opened.uncalibrated,
        "age": None if opened.age is None else opened.age.to_dict(),
    }


def _places(file: BinaryIO, opened: Opened) -> Places:
    places = find_places(file, opened.header, opened.shape)
    for warning in places.warnings:
        _tell(opened.warnings, warning)
    return places


def _pictures(opened: Opened, name: str, only: int | None = None) -> Generator[tuple[int, Pixels], None, None]:
    """The pictures in order with their places; one that cannot be decoded ends them with a warning, the first with
    an error. Of ``only`` one the first comes too where it settles the grey values of the clip.
    """
    header, shape = opened.header, opened.shape
    convert = Converter(header.dataset, shape, header.syntax.little)
    for warning in convert.warnings:
        _tell(opened.warnings, warning)
    with begin_pixels(opened) as file:
        places = _places(file, opened)
        for index, spans in enumerate(places.frames):
            if only not in (None, index) and not (index == 0 and convert.waits):
                continue
            try:
                with quiet():
                    pixels = convert(
                        *decode(stored_bytes(file, spans, opened), shape, header.syntax.coding, header.syntax.little)
                    )
            except FetalclipError:
                raise
            except Exception as error:  # decoders raise what they like of a damaged stream
                if index:
                    _tell(opened.warnings, f"picture {index} is damaged; it and the rest are left out")
                    return
                raise _undecoded(error, header) from None
            yield index, pixels


def stored_bytes(file: BinaryIO, spans: list[Span], opened: Opened) -> bytes:
    """The bytes of one picture, in the order of a little endian file where they are single bytes."""
    header, shape = opened.header, opened.shape
    swapped = not header.syntax.little and header.words and shape.allocated == 8
    if not swapped:
        return picture_bytes(file, spans, header.label)
    (start, length), begin = spans[0], header.start  # bytes in words: each pair is turned round
    before, after = (start - begin) % 2, (start - begin + length) % 2
    words = picture_bytes(file, [(start - before, length + before + after)], header.label)
    turned = bytearray(len(words))
    turned[0::2], turned[1::2] = words[1::2], words[0::2]
    return bytes(turned[before : before + length])


def _times(header: Header, count: int) -> tuple[float | None, tuple[float, ...]]:
    """Pictures per second, None when unknown, and the time of each picture in seconds."""
    dataset = header.dataset
    vector = values.numbers(dataset, "FrameTimeVector")
    if len(vector) >= count > 1 and all(0 <= step / 1000 <= _MOST_SECONDS for step in vector):
        times = tuple(accumulate(step / 1000 for step in [0.0, *vector[1:count]]))
        if times[-1] > 0:
            return (count - 1) / times[-1], times
    step = (values.numbers(dataset, "FrameTime") or [0.0])[0] / 1000
    rate = None if not 1e-4 <= step <= _MOST_SECONDS else 1 / step
    for keyword in ("CineRate", "RecommendedDisplayFrameRate"):
        shown = values.number(dataset, keyword)
        if rate is None and 0 < shown <= 10_000:
            rate = shown
    return rate, () if rate is None else tuple(index / rate for index in range(count))


def _undecoded(error: Exception, header: Header) -> UnreadableInput:
    if isinstance(error, MemoryError):
        return UnreadableInput(f"{header.label} does not fit in memory", "a smaller picture", "export it smaller")
    why = str(error) if isinstance(error, Undecodable) else "it is truncated, damaged or of an odd variant"
    return UnreadableInput(
        f"the picture in {header.label} ({header.syntax.name}) cannot be decoded: {why}",
        READABLE_DICOM,
        "copy it again, or export it uncompressed",
    )


def _tell(warnings: list[str], warning: str) -> None:
    if warning not in warnings:
        warnings.append(warning)
