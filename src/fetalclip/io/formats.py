"""What a file is, from its first bytes: the formats that are read, and plain names for those that are not."""

from __future__ import annotations

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "DICOM")
READABLE = "a PNG, JPEG, TIFF, BMP, WebP or DICOM picture"

CLIPS = ("MP4", "MOV", "MKV", "AVI", "GIF", "APNG", "WEBP")
READABLE_CLIP = "an MP4, MOV, MKV, WebM, AVI, GIF or multi-frame DICOM clip, or an animated PNG or WebP"

# Kinds of values of an explicit DICOM file, and those of them whose length takes four bytes (PS3.5 table 7.1-1).
_LONG_KINDS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_KINDS = _LONG_KINDS | frozenset(
    (b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS")
    + (b"ST", b"TM", b"UI", b"UL", b"US")
)

HEAD = 4096
"""Bytes that are looked at before a file is read in full."""

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # + is BigTIFF

# (offset, magic, what it is called in a message)
_OTHERS = (
    (128, b"DICM", "a DICOM file"),
    (0, b"PK\x03\x04", "a ZIP archive (or an office document)"),
    (0, b"PK\x05\x06", "an empty ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ\0", "an xz archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "a PostScript file"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript file"),
    (0, b"\xd7\xcd\xc6\x9a", "a WMF drawing"),
    (0, b"GIF8", "a GIF animation"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (4, b"ftypavif", "an AVIF picture"),
    (4, b"ftypheic", "a HEIC picture"),
    (4, b"ftyp", "a video"),
    (8, b"AVI ", "a video"),
    (8, b"WAVE", "a sound file"),
    (0, b"\x1aE\xdf\xa3", "a video"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (344, b"n+1\0", "a NIfTI volume"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
    (0, b"SQLite format 3\0", "a database"),
    (0, b"\0\0\0\x01Bud1", "a folder settings file"),
)


def sniff(head: bytes) -> str | None:
    """The picture format of a file that begins with ``head`` (one of ``FORMATS``), or None."""
    if head[128:132] == b"DICM" or _bare_dicom(head):
        return "DICOM"  # a preamble may look like a TIFF; the file is still DICOM
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(_TIFF):
        return "TIFF"
    if head.startswith(b"BM"):
        return "BMP"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    return None


_BARE = 3  # values in a row that a DICOM file without its preamble must begin with


def _bare_dicom(head: bytes) -> bool:
    """Whether a file begins with DICOM values, first of group 2 or 8, in rising order, with lengths that can be."""
    order = "big" if head[:1] == b"\0" else "little"
    place, before = 0, 0
    for _ in range(_BARE):
        tag, kind = head[place : place + 4], head[place + 4 : place + 6]
        group, element = int.from_bytes(tag[:2], order), int.from_bytes(tag[2:], order)  # type: ignore[arg-type]
        explicit = kind in _KINDS
        if explicit and kind in _LONG_KINDS:
            length, place = int.from_bytes(head[place + 8 : place + 12], order), place + 12  # type: ignore[arg-type]
        elif explicit:
            length, place = int.from_bytes(head[place + 6 : place + 8], order), place + 8  # type: ignore[arg-type]
        else:
            length, place = int.from_bytes(head[place + 4 : place + 8], order), place + 8  # type: ignore[arg-type]
        if (
            group not in ((2, 8) if not before else range(0x41))
            or group << 16 | element <= before
            or length % 2
            or place + length > len(head)
        ):
            return False
        before, place = group << 16 | element, place + length
    return True


# Brands of the ISO base media file format that are pictures and no clips.
_PICTURE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
# QuickTime files from before ``ftyp`` begin with one of these.
_QUICKTIME = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def sniff_clip(head: bytes) -> str | None:
    """The kind of clip that begins with ``head`` (one of ``CLIPS``), or None; pictures that do not move are None."""
    if head[128:132] == b"DICM":
        return None
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return None if brand in _PICTURE_BRANDS else "MOV" if brand == b"qt  " else "MP4"
    if head[4:8] in _QUICKTIME:
        return "MOV"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "MKV"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "AVI"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        control, data = head.find(b"acTL"), head.find(b"IDAT")
        return "APNG" if control >= 0 and (data < 0 or control < data) else None
    if sniff(head) == "WEBP" and head[12:16] == b"VP8X" and len(head) > 20 and head[20] & 0x02:
        return "WEBP"
    return None


def describe(head: bytes) -> str:
    """What a file that is not a picture looks like, in words (never its content)."""
    for offset, magic, words in _OTHERS:
        if head[offset : offset + len(magic)] == magic:
            return words
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a pickle"
    for magic, words in (
        (b"\x89PNG", "the damaged start of a PNG"),
        (b"\xff\xd8", "the damaged start of a JPEG"),
    ):
        if head.startswith(magic):
            return words
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    if text.startswith((b"<?xml", b"<svg")):
        return "an XML or SVG file"
    if not any(byte < 9 or 13 < byte < 32 for byte in head):
        try:
            head.decode("utf-8")
        except UnicodeDecodeError as error:
            # the head may end in the middle of a character
            return "text" if error.start > len(head) - 4 and len(head) >= 4 else "data of an unknown kind"
        return "text"
    return "data of an unknown kind"


def webp_size(head: bytes) -> tuple[int, int] | None:
    """Canvas (width, height) in pixels from a WebP header, before a decoder allocates it, or None.

    Source: WebP container specification and RFC 9649.
    """
    chunk = head[12:16]
    if chunk == b"VP8X" and len(head) >= 30:
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if chunk == b"VP8L" and len(head) >= 25:
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 " and len(head) >= 30:
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return None


def tiff_pages(data: bytes) -> int:
    """Number of pages of a TIFF: its chain of directories is followed, loops and broken links end it."""
    order = "little" if data[:2] == b"II" else "big"
    big = data[2 if order == "little" else 3] == 43
    count_size, entry_size, link_size = (8, 20, 8) if big else (2, 12, 4)

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)  # type: ignore[arg-type]

    seen: set[int] = set()
    at = number(8, 8) if big else number(4, 4)
    while at and at not in seen and at + count_size <= len(data):
        seen.add(at)
        end = at + count_size + number(at, count_size) * entry_size
        if end + link_size > len(data):
            break
        at = number(end, link_size)
    return max(1, len(seen))
