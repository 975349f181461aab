"""From any mode of a decoded picture to 8-bit grey or colour, by rules that are written down."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from fetalclip.frame import Pixels

_ROWS = 256  # rows scaled at a time, so that a large picture needs little extra memory
_PHOTOMETRIC, _SAMPLE_FORMAT = 262, 339  # TIFF tags


def to_pixels(image: Image.Image) -> tuple[Pixels, dict[str, Any]]:
    """8-bit pixels of a decoded picture, and what had to be done that a reader should know.

    - 1, L: grey as it is (1 becomes 0 and 255). P, RGB, CMYK, YCbCr and the like: colour, then grey when the
      three channels are equal everywhere.
    - Transparency (an alpha channel, a transparent palette entry or colour) is composited on black.
    - 16- and 32-bit integers: linear from 0..largest value to 0..255, so that 12 bits in 16 are not black;
      from smallest..largest when there are negative values.
    - float: 0..1 to 0..255 when all values lie there, else linear from smallest..largest (a constant gives
      black). Pixels that are not finite become black and are counted in ``non_finite``.
    - A TIFF whose zero means white is turned so that zero is black.
    - Colour of 16 bits a channel keeps its upper 8 bits (as Pillow decodes it).

    Returns:
        pixels: uint8, (H, W) or (H, W, 3).
        notes: ``{"non_finite": count}`` when there are such pixels, else empty.

    Raises:
        ValueError: a mode that has no conversion, or a float picture with no finite value.
    """
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        return _from_wide(image)
    if image.has_transparency_data:
        grey = mode in ("1", "L", "LA", "La")
        return collapse(on_black(np.asarray(image.convert("LA" if grey else "RGBA")))), {}
    if mode in ("1", "L"):
        return np.asarray(image.convert("L")), {}
    return collapse(np.asarray(image.convert("RGB"))), {}


def collapse(pixels: Pixels) -> Pixels:
    """(H, W, 3) with equal channels, or (H, W, 1), as (H, W); anything else as it is."""
    if pixels.ndim == 2:
        return pixels
    first = pixels[..., 0]
    if all(np.array_equal(first, pixels[..., channel]) for channel in range(1, pixels.shape[2])):
        return np.ascontiguousarray(first)
    return pixels


def orient(pixels: Pixels, orientation: int) -> Pixels:
    """Pixels turned upright by an EXIF orientation 1–8 (EXIF 2.32, tag 0x0112); others change nothing."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def on_black(pixels: Pixels) -> Pixels:
    """(H, W, C + 1) with straight alpha last, composited on black: (H, W, C), rounded."""
    alpha = pixels[..., -1:].astype(np.uint16)
    colour = pixels[..., :-1] * alpha  # at most 255 * 255: fits 16 bits, + 127 too
    colour += 127
    colour //= 255
    return colour.astype(np.uint8)


def _from_wide(image: Image.Image) -> tuple[Pixels, dict[str, Any]]:
    values: npt.NDArray[Any] = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    if image.mode == "I" and tags.get(_SAMPLE_FORMAT, (1,)) in (1, (1,)) and tags:
        values = values.view(np.uint32)  # Pillow has no unsigned 32-bit mode
    notes: dict[str, Any] = {}
    finite = None
    if image.mode == "F":
        finite = np.isfinite(values)
        if bool(finite.all()):
            finite = None
        elif not bool(finite.any()):
            raise ValueError("no finite value")
        else:
            notes["non_finite"] = int(finite.size - np.count_nonzero(finite))
    known = values if finite is None else values[finite]
    low, high = float(known.min()), float(known.max())
    if image.mode == "F" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif image.mode != "F" and low >= 0:
        low = 0.0
    pixels = _linear(values, low, high)
    if tags.get(_PHOTOMETRIC) == 0:
        pixels = 255 - pixels
    if finite is not None:
        pixels[~finite] = 0
    return pixels, notes


def _linear(values: npt.NDArray[Any], low: float, high: float) -> Pixels:
    """uint8 of the same shape: ``low`` to 0, ``high`` to 255, rounded; all 0 when they are equal."""
    out = np.zeros(values.shape, dtype=np.uint8)
    if high <= low:
        return out
    for top in range(0, values.shape[0], _ROWS):
        rows = values[top : top + _ROWS].astype(np.float64)
        with np.errstate(invalid="ignore"):
            rows = (rows - low) / (high - low) * 255.0
        out[top : top + _ROWS] = np.rint(np.nan_to_num(rows, nan=0.0).clip(0, 255)).astype(np.uint8)
    return out
