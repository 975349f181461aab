"""Still pictures by content: PNG, JPEG, TIFF, BMP, WebP and DICOM to ``Frame``."""

from __future__ import annotations

import contextlib
from io import BytesIO
from typing import Any

# The plugins are named one by one: asking Pillow to find them would load every format it knows.
from PIL import BmpImagePlugin, Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from fetalclip.errors import InputTooLarge, UnreadableInput, UsageError
from fetalclip.frame import Frame, Pixels
from fetalclip.io.convert import orient, to_pixels
from fetalclip.io.formats import READABLE, tiff_pages, webp_size
from fetalclip.io.quiet import quiet
from fetalclip.io.source import Readable, Source, load

MAX_PIXELS = 100_000_000
MAX_SIDE = 20_000
"""Most pixels (width times height) that are decoded."""

_PLUGINS = (BmpImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin)
_ORIENTATION, _BITS = 274, 258  # EXIF and TIFF tags


def read(source: Readable, mm_per_pixel: float | tuple[float, float] | None = None) -> Frame:
    """Read one still picture.

    The format is known by content: a JPEG called ``a.png`` is read, a text called ``a.png`` is refused. The
    EXIF orientation is applied. How each mode becomes 8 bits is told in ``fetalclip.io.convert.to_pixels``.
    Of a file with several pages or pictures the first is read; ``info["pages"]`` says how many there are.

    Args:
        source: a path, the bytes of a file, or an open binary file (read from where it stands).
        mm_per_pixel: mm per pixel of the upright picture, one number or (x, y). Without it the spacing is that of
            the ultrasound regions of a DICOM file, and None of any other: nothing is guessed from a print resolution.

    Returns:
        Frame: uint8 (H, W), or (H, W, 3) for real colour. ``source`` is the path as given; ``info`` has
        ``format``, ``mode`` and ``bits`` as stored, ``pages``, and where they apply ``orientation`` (2–8) and
        ``non_finite`` (float pixels that were not finite). Of DICOM see ``fetalclip.io.dicom.read``; its
        ``warnings`` say why there is no spacing.

    Raises:
        UnreadableInput: missing, empty, truncated, damaged, not a picture, a folder or a device.
        InputTooLarge: more than ``MAX_PIXELS`` pixels or more than 1 GiB, found before decoding.
        UsageError: ``source`` or ``mm_per_pixel`` is of the wrong kind.
    """
    spacing = as_spacing(mm_per_pixel)
    loaded = load(source)
    if loaded.format == "DICOM":
        from fetalclip.io.dicom.read import read_frame

        return read_frame(lambda: BytesIO(loaded.data), loaded.name, loaded.label, spacing)
    pixels, info, _ = decode(loaded)
    return Frame(pixels, spacing, loaded.name, info)


def read_size(source: Readable) -> tuple[int, int]:
    """Width and height of the upright picture in pixels, from its header: nothing is decoded.

    Raises:
        UnreadableInput, InputTooLarge, UsageError: as ``read``.
    """
    loaded = load(source)
    if loaded.format == "DICOM":
        from fetalclip.io.dicom.read import open_dicom

        shape = open_dicom(lambda: BytesIO(loaded.data), loaded.label).shape
        return shape.width, shape.height
    with quiet():
        image = _open(loaded)
        width, height = image.size
        return (height, width) if _orientation(image) >= 5 else (width, height)


def as_spacing(value: float | tuple[float, float] | None) -> tuple[float, float] | None:
    """(x, y) in mm per pixel from one number or two; ``Frame`` checks that they are positive."""
    if value is None:
        return None
    try:
        x, y = (value, value) if isinstance(value, (int, float)) else value
        return float(x), float(y)
    except (TypeError, ValueError):
        raise UsageError(
            f"a pixel spacing of type {type(value).__name__}",
            "one positive number or (x, y), mm per pixel",
            "0.07",
        ) from None


def decode(source: Source) -> tuple[Pixels, dict[str, Any], Image.Image]:
    """Decode the first picture of a file.

    Returns:
        pixels: uint8, (H, W) or (H, W, 3), upright.
        info: see ``read``.
        image: the decoded Pillow image, for the names of its metadata fields.

    Raises:
        UnreadableInput, InputTooLarge: as ``read``.
    """
    with quiet():
        image = _open(source)
        info: dict[str, Any] = {
            "format": source.format,
            "mode": image.mode,
            "bits": _bits(image, source.data),
        }
        info["pages"] = tiff_pages(source.data) if source.format == "TIFF" else int(getattr(image, "n_frames", 1))
        # Pillow turns a TIFF upright while it loads it, the others not
        turn = _orientation(image) if source.format == "TIFF" else 1
        try:
            image.load()
            pixels, notes = to_pixels(image)
        except Exception as error:  # Pillow's decoders raise what they like
            raise _damaged(source, error) from error
        if source.format != "TIFF":
            turn = _orientation(image)
            pixels = orient(pixels, turn)
    if 2 <= turn <= 8:
        info["orientation"] = turn
    return pixels, info | notes, image


def _open(source: Source) -> Image.Image:
    """The picture with its header read and its size checked, not decoded."""
    if source.format == "WEBP":
        _check_size(webp_size(source.data[:64]) or (1, 1), source)
    try:
        image = Image.open(BytesIO(source.data), formats=(source.format,))
    except Image.DecompressionBombError as error:
        raise _too_many(source, f"more than {MAX_PIXELS // 1_000_000} megapixels") from error
    except Exception as error:
        raise _damaged(source, error) from error
    _check_size(image.size, source)
    return image


def _check_size(size: tuple[int, int], source: Source) -> None:
    width, height = size
    if width <= 0 or height <= 0:
        raise _damaged(source, None)
    if max(width, height) > MAX_SIDE:  # a thin picture is padded to a square of its long side
        raise _too_many(source, f"{width} x {height} pixels")
    if width * height > MAX_PIXELS:
        raise _too_many(source, f"{width} x {height} pixels")


def _bits(image: Image.Image, data: bytes) -> int:
    """Bits per channel as stored."""
    if image.format == "PNG":
        return data[24]  # IHDR: width, height, bit depth
    if image.format == "TIFF":
        with contextlib.suppress(Exception):  # a damaged tag: the mode still tells
            return int(max(image.tag_v2[_BITS]))  # type: ignore[attr-defined]
    return {"1": 1, "I;16": 16, "I;16B": 16, "I": 32, "F": 32}.get(image.mode, 8)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1–8; 1 when there is none or the metadata is damaged."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken metadata does not make the pixels unreadable
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _damaged(source: Source, error: Exception | None) -> UnreadableInput:
    if isinstance(error, MemoryError):
        return UnreadableInput(f"{source.label} does not fit in memory", "a smaller picture", "export it smaller")
    return UnreadableInput(
        f"{source.label} starts like a {source.format} but is truncated, damaged or of an odd variant",
        READABLE,
        "copy the file again, or export the picture as 8-bit PNG",
    )


def _too_many(source: Source, found: str) -> InputTooLarge:
    return InputTooLarge(
        f"{source.label} announces {found}",
        f"at most {MAX_PIXELS // 1_000_000} megapixels",
        "crop or shrink the picture first",
    )
