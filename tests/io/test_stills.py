"""Reading stills: every mode and format, what cannot be read, and the guards."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import socket
import struct
import subprocess
import sys
import threading
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fetalclip.errors import InputError, InputTooLarge, UnreadableInput, UsageError
from fetalclip.io import read, stills

WIDTH, HEIGHT = 23, 17
GREY = ((np.add.outer(np.arange(HEIGHT) * 5, np.arange(WIDTH) * 7)) % 256).astype(np.uint8)  # (H, W)
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)  # (H, W, 3)
LOSSLESS = [
    ("PNG", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("BMP", {}),
    ("WEBP", {"lossless": True}),
]


def encode(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def picture(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values)


def tiff16(values: np.ndarray, order: str, **tags: int) -> bytes:
    """A TIFF of one strip, grey; ``order`` "<" or ">"; may have ``photometric``, ``signed``, ``bits``."""
    bits, signed = tags.get("bits", 16), tags.get("signed", 0)
    data = values.astype(f"{order}{'i' if signed else 'u'}{bits // 8}").tobytes()
    height, width = values.shape
    entries = [
        (256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, tags.get("photometric", 1)),
        (273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, len(data)), (339, 3, 1 + signed),
    ]  # fmt: skip
    out = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8 + len(data)) + data
    out += struct.pack(order + "H", len(entries))
    for tag, kind, value in entries:
        packed = struct.pack(order + "I", value) if kind == 4 else struct.pack(order + "HH", value, 0)
        out += struct.pack(order + "HHI", tag, kind, 1) + packed
    return out + struct.pack(order + "I", 0)


# --- modes ---


@pytest.mark.parametrize(("form", "options"), LOSSLESS)
def test_grey_and_colour_are_exact(form: str, options: dict[str, object]) -> None:
    grey = read(encode(picture(GREY), form, **options))
    assert grey.pixels.shape == (HEIGHT, WIDTH)
    assert np.array_equal(grey.pixels, GREY)
    assert grey.info["format"] == form
    colour = read(encode(picture(COLOUR), form, **options))
    assert np.array_equal(colour.pixels, COLOUR)
    same = read(encode(picture(np.stack([GREY] * 3, axis=-1)), form, **options))
    assert np.array_equal(same.pixels, GREY)  # equal channels: grey
    assert same.mm_per_pixel is None


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg(mode: str) -> None:
    smooth = picture(np.tile(np.arange(64, dtype=np.uint8) * 3, (48, 1)))
    frame = read(encode(smooth.convert(mode), "JPEG", quality=95))
    assert frame.info["format"] == "JPEG"
    assert frame.info["mode"] == mode
    assert frame.pixels.shape == (48, 64)
    assert np.abs(frame.pixels.astype(int) - np.asarray(smooth)).max() <= 4


def test_colour_jpeg_stays_colour() -> None:
    assert read(encode(picture(COLOUR), "JPEG")).pixels.shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
def test_one_bit(form: str) -> None:
    frame = read(encode(picture(GREY > 99), form))
    assert np.array_equal(frame.pixels, np.where(GREY > 99, 255, 0))
    assert frame.info["mode"] == "1"


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_alpha_is_composited_on_black(form: str) -> None:
    alpha = np.full_like(GREY, 128)
    alpha[0] = 0
    alpha[1] = 255
    expected = np.rint(COLOUR * (alpha[..., None] / 255)).astype(np.uint8)
    colour = read(encode(picture(np.dstack([COLOUR, alpha])), form))
    assert np.array_equal(colour.pixels, expected)
    assert not colour.pixels[0].any()
    assert np.array_equal(colour.pixels[1], COLOUR[1])
    two = Image.merge("LA", [picture(GREY), picture(alpha)])
    grey = read(encode(two, form))
    assert grey.info["mode"] == "LA"
    assert np.array_equal(grey.pixels, np.rint(GREY * (alpha / 255)).astype(np.uint8))


def test_webp_alpha_on_black() -> None:
    alpha = np.full_like(GREY, 51)
    frame = read(encode(picture(np.dstack([COLOUR, alpha])), "WEBP", lossless=True, exact=True))
    assert np.array_equal(frame.pixels, np.rint(COLOUR / 5).astype(np.uint8))


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
def test_palette(form: str) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 200, 100, 50, 7, 7, 7])
    image.putdata([0, 1, 2])
    assert read(encode(image, form)).pixels.tolist() == [[[10, 20, 30], [200, 100, 50], [7, 7, 7]]]


@pytest.mark.parametrize("transparency", [1, bytes([255, 0, 255])])
def test_palette_with_transparency(transparency: int | bytes) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 200, 100, 50, 7, 7, 7])
    image.putdata([0, 1, 2])
    frame = read(encode(image, "PNG", transparency=transparency))
    assert frame.pixels.tolist() == [[[10, 20, 30], [0, 0, 0], [7, 7, 7]]]


def test_a_transparent_colour_is_black() -> None:
    grey = read(encode(picture(GREY), "PNG", transparency=int(GREY[3, 4])))
    assert np.array_equal(grey.pixels, np.where(GREY[3, 4] == GREY, 0, GREY))
    colour = read(encode(picture(COLOUR), "PNG", transparency=tuple(int(v) for v in COLOUR[3, 4])))
    assert not colour.pixels[3, 4].any()
    bits = read(encode(picture(GREY > 99), "PNG", transparency=255))
    assert not bits.pixels.any()


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bits_use_the_range_that_is_used(order: str) -> None:
    values = GREY.astype(np.uint16) * 16  # 12 bits in 16
    expected = np.rint(values / values.max() * 255).astype(np.uint8)
    frame = read(tiff16(values, order))
    assert np.array_equal(frame.pixels, expected)
    assert frame.pixels.max() == 255
    assert frame.info["bits"] == 16


def test_sixteen_bit_png() -> None:
    values = np.array([[0, 1024, 2048, 4095]], dtype=np.uint16)
    frame = read(encode(picture(values), "PNG"))
    assert frame.pixels.tolist() == [[0, 64, 128, 255]]
    assert frame.info["bits"] == 16
    assert not read(encode(picture(values * 0), "PNG")).pixels.any()


def test_white_is_zero_is_turned() -> None:
    values = GREY.astype(np.uint16) * 257
    values[0, 0], values[0, 1] = 0, 65535
    frame = read(tiff16(values, "<", photometric=0))
    assert frame.pixels[0, 0] == 255
    assert frame.pixels[0, 1] == 0


def test_negative_integers_use_the_whole_range() -> None:
    values = np.array([[-100, 0, 100]])
    assert read(tiff16(values, "<", signed=1)).pixels.tolist() == [[0, 128, 255]]


def test_thirty_two_bits() -> None:
    values = np.array([[0, 100_000, 200_000]], dtype=np.int32)
    assert read(encode(picture(values), "TIFF")).pixels.tolist() == [[0, 128, 255]]
    unsigned = np.array([[0, 2**31, 2**32 - 1]], dtype=np.uint32)
    assert read(tiff16(unsigned, "<", bits=32)).pixels.tolist() == [[0, 128, 255]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 0.8], [0, 128, 204]),  # 0..1 as it is
        ([10.0, 20.0, 30.0], [0, 128, 255]),
        ([-3e38, 0.0, 3e38], [0, 128, 255]),  # no overflow
        ([5.0, 5.0, 5.0], [0, 0, 0]),
        ([0.0, 1.0, np.nan], [0, 255, 0]),
        ([np.inf, 2.0, 4.0], [0, 0, 255]),
    ],
)
def test_float(values: list[float], expected: list[int]) -> None:
    frame = read(encode(picture(np.array([values], dtype=np.float32)), "TIFF"))
    assert frame.pixels.tolist() == [expected]
    lost = sum(not np.isfinite(value) for value in values)
    assert frame.info.get("non_finite", 0) == lost


def test_float_without_a_finite_value() -> None:
    with pytest.raises(UnreadableInput):
        read(encode(picture(np.full((2, 2), np.nan, dtype=np.float32)), "TIFF"))


# --- orientation, pages, spacing ---


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(form: str, orientation: int) -> None:
    upright = np.zeros((32, 48), dtype=np.uint8)
    upright[:16, :16] = 255
    upright[16:, 16:32] = 128
    back = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: np.transpose,
            6: lambda a: np.rot90(a, 1), 7: lambda a: np.rot90(np.transpose(a), 2),
            8: lambda a: np.rot90(a, -1)}[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[274] = orientation
    frame = read(encode(picture(np.ascontiguousarray(back(upright))), form, exif=exif))
    assert frame.pixels.shape == upright.shape
    assert np.abs(frame.gray.astype(int) - upright).max() <= 12
    assert frame.info.get("orientation", 1) == orientation


@pytest.mark.parametrize("value", [0, 9, 4000])
def test_an_unknown_orientation_changes_nothing(value: int) -> None:
    exif = Image.Exif()
    exif[274] = value
    assert np.array_equal(read(encode(picture(GREY), "PNG", exif=exif)).pixels, GREY)


def test_damaged_exif_does_not_lose_the_picture() -> None:
    data = encode(picture(GREY), "WEBP", lossless=True, exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert np.array_equal(read(data).gray, GREY)


@pytest.mark.parametrize("big", [False, True])
def test_first_page_of_a_tiff(big: bool) -> None:
    others = [picture(GREY[::-1].copy()), picture(GREY[:5])]
    frame = read(encode(picture(GREY), "TIFF", save_all=True, append_images=others, big_tiff=big))
    assert frame.info["pages"] == 3
    assert np.array_equal(frame.pixels, GREY)


def test_a_loop_of_tiff_pages_ends() -> None:
    data = bytearray(tiff16(GREY.astype(np.uint16), "<"))
    data[-4:] = data[4:8]  # the next page is this page
    assert read(bytes(data)).info["pages"] == 1


def test_animations_give_their_first_picture() -> None:
    for form, options in (("PNG", {}), ("WEBP", {"lossless": True})):
        data = encode(picture(GREY), form, save_all=True, append_images=[picture(GREY[::-1].copy())], **options)
        frame = read(data)
        assert np.array_equal(frame.pixels, GREY)
        assert frame.info["pages"] == 2


def test_spacing_is_given_and_never_guessed() -> None:
    data = encode(picture(GREY), "PNG", dpi=(300, 300))
    assert read(data).mm_per_pixel is None
    assert read(encode(picture(GREY), "JPEG", dpi=(72, 72))).mm_per_pixel is None
    assert read(data, mm_per_pixel=0.07).mm_per_pixel == (0.07, 0.07)
    assert read(data, mm_per_pixel=(0.1, 0.2)).mm_per_pixel == (0.1, 0.2)


@pytest.mark.parametrize("spacing", [0, -1.0, float("nan"), (0.1,), "a", (1, 2, 3), [], (0.1, None)])
def test_a_bad_spacing_is_a_usage_error(spacing: object) -> None:
    with pytest.raises(UsageError):
        read(encode(picture(GREY), "PNG"), mm_per_pixel=spacing)  # type: ignore[arg-type]


# --- where it comes from ---


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(picture(GREY), "PNG")
    path = tmp_path / "scan.jpg"  # mislabelled: read by content
    path.write_bytes(data)
    monkeypatch.chdir(tmp_path)
    assert read("scan.jpg").source == "scan.jpg"
    assert read(path).source == str(path)
    assert read(path).info["format"] == "PNG"
    for source in (data, bytearray(data), memoryview(data), io.BytesIO(data)):
        frame = read(source)
        assert frame.source == ""
        assert np.array_equal(frame.pixels, GREY)
    with path.open("rb") as file:
        assert read(file).source == str(path)
    assert not read(path).pixels.flags.writeable


@pytest.mark.parametrize("source", [None, 3, ["a.png"], io.StringIO("text")])
def test_sources_of_the_wrong_kind(source: object) -> None:
    with pytest.raises(UsageError):
        read(source)  # type: ignore[arg-type]


def test_a_closed_file(tmp_path: Path) -> None:
    file = io.BytesIO(encode(picture(GREY), "PNG"))
    file.close()
    with pytest.raises(UnreadableInput):
        read(file)


def dicom() -> bytes:
    return b"\0" * 128 + b"DICM" + b"\x02\0\0\0UL\4\0" + b"\0" * 200


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a.png", encode(picture(GREY), "PNG"))
    return out.getvalue()


NOT_PICTURES = {
    "empty": (b"", "empty"),
    "zip": (archive(), "ZIP"),
    "dicom": (dicom(), "DICOM"),
    "dicom with a TIFF preamble": (b"II*\0" + dicom()[4:], "DICOM"),
    "html": (b"\n<!DOCTYPE html><html></html>", "HTML"),
    "svg": (b"<svg xmlns=''/>", "SVG"),
    "pickle": (pickle.dumps({"a": 1}), "pickle"),
    "text": ("köpfe".encode() * 2000, "text"),
    "csv": (b"filename,mm_per_pixel\na.png,0.1\n", "text"),
    "pdf": (b"%PDF-1.7\n", "PDF"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
    "wmf": (b"\xd7\xcd\xc6\x9a" + b"\0" * 40, "WMF"),
    "gif": (encode(picture(GREY), "GIF"), "GIF"),
    "mp4": (b"\0\0\0\x20ftypisom" + b"\0" * 30, "video"),
    "avi": (b"RIFF\0\0\0\0AVI LIST", "video"),
    "ppm": (encode(picture(GREY), "PPM"), "unknown"),
    "random": (np.random.default_rng(5).bytes(3000), "unknown"),
    "zeros": (b"\0" * 3000, "unknown"),
    "one byte": (b"\x89", "unknown"),
    "png start": (b"\x89PNG\n\x1a\n", "damaged start of a PNG"),
    "png signature": (b"\x89PNG\r\n\x1a\n", "truncated"),
    "jpeg signature": (b"\xff\xd8\xff\xe0", "truncated"),
    "tiff signature": (b"II*\0", "truncated"),
    "bmp signature": (b"BM", "truncated"),
    "webp signature": (b"RIFF\0\0\0\0WEBPVP8 ", "truncated"),
}


@pytest.mark.parametrize("name", NOT_PICTURES)
def test_what_is_not_a_picture_gives_one_clear_error(name: str, tmp_path: Path) -> None:
    data, words = NOT_PICTURES[name]
    path = tmp_path / "scan.png"
    path.write_bytes(data)
    with pytest.raises(UnreadableInput) as caught:
        read(path)
    message = str(caught.value)
    assert words in message
    assert "scan.png" in message
    assert "\n" not in message
    assert "Traceback" not in message
    assert caught.value.fix
    assert caught.value.expected
    with pytest.raises(UnreadableInput):
        read(data)


def test_dangerous_formats_are_never_handed_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("Pillow was asked")

    monkeypatch.setattr(Image, "open", refuse)
    for name in ("eps", "pdf", "wmf", "gif", "zip", "ppm", "dicom with a TIFF preamble"):
        with pytest.raises(UnreadableInput):
            read(NOT_PICTURES[name][0])


def test_missing_folder_and_links(tmp_path: Path) -> None:
    cases = {"no file": tmp_path / "none.png", "is a folder": tmp_path}
    (tmp_path / "broken").symlink_to(tmp_path / "gone.png")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "plain").write_bytes(b"x")
    cases |= {
        "a link to a file that is not there": tmp_path / "broken",
        "leads back to itself": tmp_path / "loop",
    }
    cases |= {"not a folder": tmp_path / "plain" / "a.png"}
    for words, path in cases.items():
        with pytest.raises(UnreadableInput, match=words):
            read(path)
    for odd in ("", "a\0b", "x" * 5000, "a\nb.png", "\udcff.png"):
        with pytest.raises(UnreadableInput) as caught:
            read(odd)
        str(caught.value).encode("utf-8")  # can be printed
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode(picture(GREY), "PNG"))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(UnreadableInput, match="may not be read"):
        read(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_special_files_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fifo = tmp_path / "pipe.png"
    os.mkfifo(fifo)
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.png")
        for path in (fifo, Path("s.png"), Path("/dev/null"), Path("/dev/zero")):
            with pytest.raises(UnreadableInput, match="pipe, socket or device"):
                read(path)


# --- guards ---


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def bombs() -> dict[str, bytes]:
    side = struct.pack("<I", 16383 - 1)[:3]
    bmp = bytearray(encode(picture(COLOUR), "BMP"))
    bmp[18:26] = struct.pack("<ii", 60_000, 60_000)
    jpeg = bytearray(encode(picture(GREY), "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
    tiff = bytearray(tiff16(GREY.astype(np.uint16), "<"))
    at = tiff.index(struct.pack("<HHII", 256, 4, 1, WIDTH))
    tiff[at + 8 : at + 12] = struct.pack("<I", 1 << 30)
    return {
        "png": png_header(40_000, 40_000),
        "png, a little too large": png_header(10_001, 10_000),  # Pillow itself would only warn, or not even
        "bmp": bytes(bmp),
        "jpeg": bytes(jpeg),
        "tiff": bytes(tiff),
        "webp": b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + side + side + b"\0" * 8,
    }


@pytest.mark.parametrize("name", ["png", "png, a little too large", "bmp", "jpeg", "tiff", "webp"])
def test_bombs_are_refused_before_decoding(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", refuse)
    with pytest.raises(InputTooLarge, match="100 megapixels"):
        read(bombs()[name])


def test_the_limit_itself_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(picture(GREY), "PNG")
    monkeypatch.setattr(stills, "MAX_PIXELS", WIDTH * HEIGHT)
    assert read(data).width == WIDTH
    monkeypatch.setattr(stills, "MAX_PIXELS", WIDTH * HEIGHT - 1)
    with pytest.raises(InputTooLarge):
        read(data)


def test_pillows_own_limit_does_not_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(picture(GREY), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", WIDTH * HEIGHT - 1)  # Pillow warns
    assert read(data).width == WIDTH
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # Pillow raises
    with pytest.raises(InputTooLarge):
        read(data)


def test_large_files_are_refused_by_their_size(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.write(encode(picture(GREY), "PNG"))
        file.truncate((1 << 30) + 1)  # sparse: takes no space
    with pytest.raises(InputTooLarge, match="1 GiB"):
        read(path)


def test_a_compressed_text_bomb_is_an_error() -> None:
    whole = encode(picture(GREY), "PNG")
    body = b"Comment\0\0" + zlib.compress(b"x" * 50_000_000)
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    with pytest.raises(UnreadableInput):
        read(whole[:33] + chunk + whole[33:])


# --- damage ---


def samples() -> dict[str, bytes]:
    noise = np.random.default_rng(7).integers(0, 60, (*GREY.shape, 4), dtype=np.uint8) + COLOUR[..., :1] // 2
    grey, colour = picture(np.ascontiguousarray(noise[..., 0])), picture(np.ascontiguousarray(noise[..., :3]))
    exif = Image.Exif()
    exif[274] = 6
    exif[270] = "text"
    wide = picture(noise[..., 0].astype(np.uint16) * 99)
    found = {
        "png": encode(colour, "PNG", exif=exif),
        "png palette": encode(colour.convert("P"), "PNG", transparency=3),
        "png 16": encode(wide, "PNG"),
        "jpeg": encode(colour, "JPEG", exif=exif),
        "jpeg progressive": encode(grey, "JPEG", progressive=True),
        "jpeg cmyk": encode(colour.convert("CMYK"), "JPEG"),
        "bmp": encode(colour, "BMP"),
        "bmp grey": encode(grey, "BMP"),
        "webp": encode(colour, "WEBP", exif=exif),
        "webp lossless": encode(picture(noise), "WEBP", lossless=True),
        "tiff": encode(grey, "TIFF", exif=exif),
        "tiff float": encode(picture(noise[..., 1].astype(np.float32)), "TIFF"),
        "tiff big": encode(wide, "TIFF", big_tiff=True),
    }
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        found[f"tiff {compression}"] = encode(grey, "TIFF", compression=compression)
    return found


SAMPLES = samples()


@pytest.mark.parametrize("name", SAMPLES)
def test_truncated_files_are_refused(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = SAMPLES[name]
    assert read(data).pixels.size
    start = data.index(b"\xff\xda") if "jpeg" in name else 0
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        cut = max(int(len(data) * share), 4)
        if name.startswith("jpeg"):
            cut = max(int(start + (len(data) - start) * share), 4)
        with pytest.raises(UnreadableInput):
            read(data[:cut])
    capfd.readouterr()  # libtiff talks to the terminal by itself


_fuzz = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@_fuzz
@given(name=st.sampled_from(sorted(SAMPLES)), data=st.data())
def test_damage_gives_a_picture_or_our_error(name: str, data: st.DataObject) -> None:
    damaged = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 8))):
        # headers more often than pixels
        top = data.draw(st.sampled_from([64, 300, len(damaged)]))
        damaged[data.draw(st.integers(0, min(top, len(damaged)) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged))) :]
    try:
        frame = read(bytes(damaged))
    except InputError:
        return
    assert frame.pixels.dtype == np.uint8


@_fuzz
@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM"]),
)
def test_noise_gives_our_error(noise: bytes, start: bytes) -> None:
    with contextlib.suppress(InputError):
        read(start + noise)


# --- manners ---


def test_warning_filters_are_as_before_even_with_threads() -> None:
    before = list(warnings.filters)
    data = SAMPLES["png"]
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(30):
                read(data)
                with pytest.raises(UnreadableInput):
                    read(data[:200])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert list(warnings.filters) == before
    with pytest.raises(UserWarning, match="still heard"):
        warnings.warn("still heard", UserWarning, stacklevel=1)


def test_no_torch_and_no_other_formats() -> None:
    code = (
        "import sys, io; from PIL import Image; import fetalclip.io as f; b = io.BytesIO();"
        "Image.new('L', (4, 4)).save(b, 'PNG'); f.read(b.getvalue());"
        "print([m for m in sys.modules if m == 'torch' or m.startswith(('PIL.Eps', 'PIL.Wmf', 'PIL.Pdf'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_thin_picture_is_refused_before_it_is_padded_to_a_square(tmp_path: Path) -> None:
    path = tmp_path / "thin.png"
    Image.new("1", (30_000, 1)).save(path)
    with pytest.raises(InputTooLarge, match="30000 x 1"):
        read(path)
