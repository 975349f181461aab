"""What ``fetalclip info`` says of one file."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fetalclip.errors import UsageError
from fetalclip.io import inspect, read

SECRET = "Jane Roe 1990-01-01"
KEYS = [
    "path", "kind", "format", "mode", "width", "height", "frames", "mm_per_pixel", "identifiers", "error",
]  # fmt: skip


def encode(form: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.arange(70, dtype=np.uint8).reshape(7, 10)).save(out, form, **options)
    return out.getvalue()


def exif() -> bytes:
    """EXIF with a description, an artist, orientation 6, a date and a place's date, laid out by hand."""

    def entries(at: int, found: list[tuple[int, bytes | int]]) -> bytes:
        """One directory at offset ``at``, its texts right behind it."""
        head, texts = struct.pack("<H", len(found)), b""
        behind = at + 2 + 12 * len(found) + 4
        for tag, value in found:
            if isinstance(value, int):
                head += struct.pack("<HHII", tag, 4, 1, value)
            else:
                head += struct.pack("<HHII", tag, 2, len(value), behind + len(texts))
                texts += value
        return head + struct.pack("<I", 0) + texts

    secret, when = SECRET.encode() + b"\0", b"2020:01:01 10:00:00\0"
    main = [(270, secret), (274, 6), (315, secret)]  # ImageDescription, Orientation, Artist
    date_at = 8 + len(entries(8, [*main, (34665, 0), (34853, 0)]))
    date = entries(date_at, [(36867, when)])  # DateTimeOriginal
    place_at = date_at + len(date)
    place = entries(place_at, [(29, when)])  # GPSDateStamp
    first = entries(8, [*main, (34665, date_at), (34853, place_at)])
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + first + date + place


def test_a_plain_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode("PNG"))
    found = inspect(path)
    assert list(found) == KEYS
    expected = [str(path), "image", "PNG", "L", 10, 7, 1, None, [], None]
    assert found == dict(zip(KEYS, expected, strict=True))
    assert inspect(path, mm_per_pixel=0.5)["mm_per_pixel"] == [0.5, 0.5]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_identifiers_are_named_and_never_told(form: str) -> None:
    found = inspect(encode(form, exif=exif()))
    assert {"ImageDescription", "Artist", "DateTimeOriginal", "GPSDateStamp"} <= set(found["identifiers"])
    assert (found["width"], found["height"]) == (7, 10)  # upright
    text = json.dumps(found)
    assert "Jane" not in text
    assert "2020" not in text


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_how_pixels_are_stored_identifies_nobody(form: str) -> None:
    options = {} if form == "WEBP" else {"dpi": (96, 96)}
    assert inspect(encode(form, **options))["identifiers"] == []


def test_png_texts_and_comments() -> None:
    texts = PngInfo()
    texts.add_text("PatientName", SECRET)
    texts.add_text("Comment", SECRET, zip=True)
    texts.add_itxt("Author", SECRET)
    assert inspect(encode("PNG", pnginfo=texts))["identifiers"] == [
        "PNG:Author",
        "PNG:Comment",
        "PNG:PatientName",
    ]
    assert inspect(encode("JPEG", comment=SECRET))["identifiers"] == ["comment"]
    assert "XMP" in inspect(encode("JPEG", xmp=b"<x:xmpmeta>" + SECRET.encode()))["identifiers"]
    assert "Jane" not in repr(read(encode("PNG", pnginfo=texts)).info)


def test_unknown_tags_are_named_by_number() -> None:
    found = Image.Exif()
    found[50999] = SECRET
    assert inspect(encode("JPEG", exif=found))["identifiers"] == ["tag 0xc737"]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("body", [b"broken metadata", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\x09\x01"])
def test_damaged_metadata_is_said_to_be_there(form: str, body: bytes) -> None:
    assert inspect(encode(form, exif=b"Exif\0\0" + body))["identifiers"] == ["EXIF (damaged)"]


def test_a_thumbnail_is_named() -> None:
    entry = struct.pack("<HHHII", 1, 259, 3, 1, 6)  # one entry: compression
    body = b"II*\0" + struct.pack("<I", 8) + entry + struct.pack("<I", 26) + entry + struct.pack("<I", 0)
    assert inspect(encode("JPEG", exif=b"Exif\0\0" + body))["identifiers"] == ["EXIF thumbnail"]


def test_pages() -> None:
    other = Image.new("L", (3, 3))
    assert inspect(encode("TIFF", save_all=True, append_images=[other, other]))["frames"] == 3


def test_what_cannot_be_read_has_an_error_and_nothing_else(tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"not a picture")
    for path in (bad, tmp_path / "missing.png", tmp_path):
        found = inspect(path)
        assert list(found) == KEYS
        assert found["path"] == str(path)
        assert found["error"]
        assert all(value is None for key, value in found.items() if key not in ("path", "error"))


def test_a_wrong_call_is_still_an_error() -> None:
    with pytest.raises(UsageError):
        inspect(3)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        inspect(encode("PNG"), mm_per_pixel=-1)
