"""From the bytes of one DICOM picture to its samples: uncompressed, RLE, JPEG, JPEG-LS and JPEG 2000.

Pillow decodes 8-bit JPEG (baseline and lossless), JPEG 2000 and the runs of RLE, pyjpegls JPEG-LS, and FFmpeg what
remains: lossless JPEG of up to 12 bits, and JPEG 2000 that Pillow finds odd. What a stream announces is compared with
the header before it is decoded, so that no decoder makes room for more than the header was checked for.
"""

from __future__ import annotations

import struct
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, Jpeg2KImagePlugin, JpegImagePlugin

from fetalclip.io.dicom.shape import Shape

Samples = npt.NDArray[Any]
"""Integers, (H, W) or (H, W, 3)."""

_PLUGINS = (JpegImagePlugin, Jpeg2KImagePlugin)
_RGB_IDS = (b"RGB", b"rgb")


class Undecodable(Exception):
    """A picture that cannot be decoded; its text has no value of the file."""


def decode(data: bytes, shape: Shape, coding: str, little: bool = True) -> tuple[Samples, str]:
    """The samples of a picture and the colours they are in.

    Args:
        data: the bytes of one picture.
        shape: what the header says.
        coding: one of `Syntax.coding`.
        little: byte order of uncompressed samples.

    Returns:
        samples: unsigned as stored, with the bits that do not count still in place; or signed, from JPEG 2000.
        photometric: of the samples; ``RGB`` where the decoder has converted colours.

    Raises:
        Undecodable: damaged, of another size than the header says, or of an odd variant.
        Exception: what decoders raise of a damaged stream.
    """
    if coding == "native":
        return _native(data, shape, little), shape.photometric.removesuffix("_422")
    if coding == "rle":
        return _rle(data, shape), shape.photometric
    if coding == "jpegls":
        return _jpegls(data, shape), shape.photometric.removesuffix("_422")
    if coding == "jpeg2000":
        return _jpeg2000(data, shape), "RGB" if shape.samples == 3 else shape.photometric
    return _jpeg(data, shape, coding == "lossless")


def _native(data: bytes, shape: Shape, little: bool) -> Samples:
    dtype = np.dtype(f"{'<' if little else '>'}u{shape.allocated // 8}")
    values = np.frombuffer(data, dtype)
    if values.size * dtype.itemsize != shape.frame_bytes:
        raise Undecodable("it is shorter than its size says")
    height, width = shape.height, shape.width
    if shape.halved:  # Y Y Cb Cr: two pixels share their colour
        four = values.reshape(height, width // 2, 4)
        return np.stack([four[..., :2], four[..., [2, 2]], four[..., [3, 3]]], -1).reshape(height, width, 3)
    if shape.samples == 1:
        return values.reshape(height, width)
    if shape.planar:
        return np.moveaxis(values.reshape(3, height, width), 0, -1)
    return values.reshape(height, width, 3)


def _rle(data: bytes, shape: Shape) -> Samples:
    """Runs of bytes (PackBits), one segment for each byte of each sample, the upper first (PS3.5 Annex G)."""
    deep = shape.allocated // 8
    if len(data) < 64:
        raise Undecodable("it is shorter than its table")
    count, *offsets = struct.unpack("<16L", data[:64])
    if count != shape.samples * deep:
        raise Undecodable("it has another number of segments than the header says")
    bounds = [*offsets[:count], len(data)]
    if bounds[0] < 64 or sorted(bounds) != bounds:
        raise Undecodable("its table of segments is wrong")
    size = (shape.width * shape.height, 1)
    planes = [
        np.asarray(Image.frombytes("L", size, data[start:end], "packbits", "L"))[0] for start, end in pairwise(bounds)
    ]
    stacked = np.stack(planes).reshape(shape.samples, deep, shape.height, shape.width)
    bytes_last = np.ascontiguousarray(stacked.transpose(2, 3, 0, 1))  # (H, W, samples, bytes), upper byte first
    values = bytes_last.view(f">u{deep}")[..., 0]
    return values[..., 0] if shape.samples == 1 else values


def _jpeg(data: bytes, shape: Shape, lossless: bool) -> tuple[Samples, str]:
    told = jpeg_frame(data)
    _agree((told.width, told.height, told.samples), shape)
    if told.bits > 8:
        if not (lossless and told.bits <= 12 and told.samples == 1):  # FFmpeg errs at the full range of 16 bits
            raise Undecodable(f"it is a JPEG of {told.bits} bits")
        return _ffmpeg("mjpeg", data, shape, "gray16le"), shape.photometric
    with Image.open(BytesIO(data), formats=("JPEG",)) as image:
        photometric = "RGB" if shape.samples == 3 else shape.photometric
        if shape.samples == 3 and lossless:  # libjpeg hands lossless colours through
            photometric = shape.photometric.removesuffix("_422")
        elif shape.samples == 3 and shape.photometric == "RGB" and not told.says_colours:
            image.draft("YCbCr", image.size)  # no conversion: the header says they are RGB, the stream says nothing
        image.load()
        if image.mode not in (("L",) if shape.samples == 1 else ("RGB", "YCbCr")):
            raise Undecodable("its colours are of another kind than the header says")
        return np.asarray(image), photometric


def _jpegls(data: bytes, shape: Shape) -> Samples:
    import jpeg_ls

    told = jpeg_frame(data)
    _agree((told.width, told.height, told.samples), shape)
    if told.bits > shape.allocated:
        raise Undecodable("it has more bits than the header says")
    buffer, info = jpeg_ls.decode_pixel_data(data + b"\xff\xd9")  # without an end it can search for one for ever
    values = np.frombuffer(buffer, np.uint8 if info["bits_per_sample"] <= 8 else np.uint16)
    if values.size != shape.height * shape.width * shape.samples:
        raise Undecodable("it is of another size than the header says")
    if shape.samples == 1:
        return values.reshape(shape.height, shape.width)
    if info["interleave_mode"] == 0:
        return np.moveaxis(values.reshape(3, shape.height, shape.width), 0, -1)
    return values.reshape(shape.height, shape.width, 3)


def _jpeg2000(data: bytes, shape: Shape) -> Samples:
    stream = data[max(0, data.find(b"\xff\x4f\xff\x51")) :]
    if len(stream) < 50 or stream[:4] != b"\xff\x4f\xff\x51":
        raise Undecodable("it is no JPEG 2000")
    across, down, left, top, wide, high, _, _, samples, depth = struct.unpack(">8LHB", stream[8:43])
    _agree((across - left, down - top, samples), shape)
    bits, signed = (depth & 0x7F) + 1, bool(depth & 0x80)
    if -(-across // max(1, wide)) * -(-down // max(1, high)) > 65535:  # B.3 of the standard
        raise Undecodable("it has too many tiles")
    if bits > 16 or (shape.samples == 3 and bits > 8):
        raise Undecodable(f"it is a JPEG 2000 of {bits} bits")
    try:
        with Image.open(BytesIO(data), formats=("JPEG2000",)) as image:
            image.load()
            values = np.asarray(image)
    except Exception:
        if bits != 8 or signed:
            raise
        return _ffmpeg("jpeg2000", stream, shape, "gray" if shape.samples == 1 else "rgb24")
    if values.shape != (shape.height, shape.width, 3)[: 2 if shape.samples == 1 else 3]:
        raise Undecodable("its colours are of another kind than the header says")
    # Pillow moves signed samples up by half their range, and those of odd depths to the top of 8 or 16 bits
    whole = 8 if values.dtype == np.uint8 else 16
    shifted = values.astype(np.int32) >> (whole - bits)
    return shifted - (1 << (bits - 1)) if signed else shifted.astype(values.dtype)


def _ffmpeg(codec: str, data: bytes, shape: Shape, form: str) -> Samples:
    import av

    context: Any = av.CodecContext.create(codec, "r")
    context.thread_count = 1
    context.options = {"err_detect": "explode", "max_pixels": str((shape.width + 256) * (shape.height + 256))}
    found = [*context.decode(av.Packet(data)), *context.decode(None)]
    if len(found) != 1 or found[0].is_corrupt or (found[0].width, found[0].height) != (shape.width, shape.height):
        raise Undecodable("it is damaged")
    return found[0].to_ndarray(format=form)


class JpegFrame:
    """What the start of a JPEG or JPEG-LS stream announces.

    Attributes:
        width, height, samples, bits: of the picture.
        says_colours: whether the stream itself tells its colours (JFIF, Adobe, or letters as names).
    """

    def __init__(self, width: int, height: int, samples: int, bits: int, says_colours: bool) -> None:
        self.width, self.height, self.samples, self.bits = width, height, samples, bits
        self.says_colours = says_colours


def jpeg_frame(data: bytes) -> JpegFrame:
    """The start-of-frame segment (ITU-T T.81 B.2.2, T.87 C.2.2).

    Raises:
        Undecodable: there is none.
    """
    if data[:2] != b"\xff\xd8":
        raise Undecodable("it is no JPEG")
    place, says = 2, False
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            break
        marker = data[place + 1]
        if marker == 0xFF or 0xD0 <= marker <= 0xD7:  # filling, restarts
            place += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[place + 2 : place + 4])
        body = data[place + 4 : place + 2 + length]
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            if len(body) < 6:
                break
            samples = body[5]
            says |= bytes(body[6 : 6 + 3 * samples : 3]) in _RGB_IDS
            return JpegFrame(int.from_bytes(body[3:5]), int.from_bytes(body[1:3]), samples, body[0], says)
        says |= (marker == 0xE0 and body[:4] == b"JFIF") or (
            marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12
        )
        place += 2 + max(2, length)
    raise Undecodable("it is a JPEG without a frame")


def _agree(told: tuple[int, int, int], shape: Shape) -> None:
    if told[:2] != (shape.width, shape.height):
        raise Undecodable("it is of another size than the header says")
    if told[2] != shape.samples:
        raise Undecodable("its colours are of another kind than the header says")
