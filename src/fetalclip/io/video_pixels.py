"""From one decoded picture of a video to 8-bit grey or colour, upright, by rules that are written down."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fetalclip.frame import Pixels
from fetalclip.io.convert import collapse, on_black

if TYPE_CHECKING:
    from av import VideoFrame

_FULL, _LIMITED = 2, 1  # AVColorRange: JPEG, MPEG
_NATIVE = "le" if sys.byteorder == "little" else "be"
Turn = tuple[int, int, int, int]


def to_pixels(frame: VideoFrame) -> Pixels:
    """8-bit pixels of a decoded picture, as stored (not turned).

    - Luma without chroma, or with chroma that nowhere differs from neutral by more than 2 of 255 (what a lossy codec
      makes of grey): grey. Limited range (16–235 of 8 bits, and
      in proportion of more) is stretched to 0–255, full range divided down, both rounded. A picture that does not
      say its range is limited, unless it is grey or of a ``yuvj`` format.
    - Anything else: 8-bit RGB by FFmpeg's scaler, transparency composited on black, then grey when the three
      channels are equal everywhere.

    Returns:
        uint8 (H, W) or (H, W, 3).

    Raises:
        ValueError: a pixel format that has no conversion.
    """
    luma = _grey(frame)
    if luma is not None:
        return luma
    clear = any(part.is_alpha for part in frame.format.components)
    pixels: Pixels = np.asarray(frame.to_ndarray(format="rgba" if clear else "rgb24"), dtype=np.uint8)
    return collapse(on_black(pixels) if clear else pixels)


def _grey(frame: VideoFrame) -> Pixels | None:
    """Grey pixels of a planar luma picture without colour, or None."""
    form = frame.format
    parts = form.components
    if form.is_rgb or form.has_palette or not form.name.startswith(("yuv", "gray")) or len(frame.planes) != len(parts):
        return None
    if len(parts) not in (1, 3) or not 8 <= parts[0].bits <= 16:
        return None
    if parts[0].bits > 8 and not form.name.endswith(_NATIVE):
        return None
    planes = [_plane(plane, parts[0].bits) for plane in frame.planes]
    luma, *chroma = planes
    if luma is None or any(plane is None or not _neutral(plane, parts[0].bits) for plane in chroma):
        return None
    full = frame.color_range == _FULL or (frame.color_range != _LIMITED and form.name.startswith(("gray", "yuvj")))
    return _levels(parts[0].bits, full)[luma]


def _plane(plane: Any, bits: int) -> npt.NDArray[Any] | None:
    """The samples of a plane, (H, W), without the padding at the end of each row; None where rows run upwards."""
    wide = 1 if bits == 8 else 2  # bytes per sample
    if plane.line_size < plane.width * wide:
        return None
    rows = np.frombuffer(plane, np.uint8, plane.line_size * plane.height).reshape(plane.height, plane.line_size)
    samples = rows[:, : plane.width * wide]
    return samples if wide == 1 else np.ascontiguousarray(samples).view(np.uint16).clip(0, (1 << bits) - 1)


def _neutral(chroma: npt.NDArray[Any], bits: int) -> bool:
    middle, slack = 1 << bits - 1, 2 << bits - 8
    return bool(chroma.min() >= middle - slack and chroma.max() <= middle + slack)


@lru_cache(maxsize=8)
def _levels(bits: int, full: bool) -> Pixels:
    """8-bit grey of every luma value, (2 ** bits,). Source: ITU-R BT.601 and BT.2100, quantisation."""
    value = np.arange(1 << bits, dtype=np.float64)
    step = 1 << bits - 8
    grey = value * 255 / (len(value) - 1) if full else (value / step - 16) * 255 / 219
    return np.rint(grey.clip(0, 255)).astype(np.uint8)


def turn_of(frame: VideoFrame) -> Turn:
    """The display matrix's upper left 2 x 2 as (a, b, c, d) of -1, 0, 1; the identity where there is none.

    x' = a x + c y and y' = b x + d y, as in ``libavutil/display.h``. A turn that is no multiple of 90° is left alone.
    """
    from av.sidedata.sidedata import Type

    data = frame.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload]  # the stub says str
    raw = b"" if data is None else bytes(data)
    if len(raw) < 36:
        return 1, 0, 0, 1
    a, b, _, c, d, *_ = np.frombuffer(raw[:36], np.int32) / 65536.0
    found = tuple(round(float(np.clip(v, -2, 2))) for v in (a, b, c, d))
    near = all(abs(v - w) < 0.01 for v, w in zip((a, b, c, d), found, strict=True))
    one_each = sorted(map(abs, found)) == [0, 0, 1, 1] and abs(found[0]) == abs(found[3])
    return found if near and one_each else (1, 0, 0, 1)  # type: ignore[return-value]


def upright(pixels: Pixels, turn: Turn) -> Pixels:
    """Pixels turned and mirrored as the display matrix says."""
    a, b, c, d = turn
    if a == 0:  # rows become columns: x' = c y, y' = b x
        pixels = pixels.swapaxes(0, 1)
        return pixels[:: -1 if b < 0 else 1, :: -1 if c < 0 else 1]
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def degrees(turn: Turn) -> int:
    """Clockwise turn that makes the picture upright, 0, 90, 180 or 270; a mirrored one has its turn after mirroring."""
    return {(1, 0): 0, (0, 1): 90, (-1, 0): 180, (0, -1): 270}[turn[0], turn[1]]
