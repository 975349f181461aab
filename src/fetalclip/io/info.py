"""What one file is, for ``fetalclip info``: read by the same code as everything else."""

from __future__ import annotations

import os
from io import BytesIO
from typing import Any

from PIL import ExifTags, Image

from fetalclip.errors import InputError
from fetalclip.frame import Frame
from fetalclip.io.cine import Clip, dicom_clip, is_clip, read_cine
from fetalclip.io.dicom.info import inspect_dicom
from fetalclip.io.quiet import quiet
from fetalclip.io.source import Readable, load, name_of, shown
from fetalclip.io.stills import as_spacing, decode

# TIFF and EXIF tags that say how pixels are stored or shown: they cannot name a person, a place or a time.
_STRUCTURE = frozenset(
    {*range(254, 269), 273, 274, *range(277, 285), *range(286, 298), 301, *range(317, 333), 334}
    | {
        336,
        *range(338, 348),
        *range(512, 533),
        34665,
        34675,
        34853,
        36864,
        37121,
        *range(40960, 40964),
        40965,
    }
)
# Fields of a clip that say how it was packed: they cannot name a person, a place or a time.
_CONTAINER = frozenset(
    ("major_brand", "minor_version", "compatible_brands", "encoder", "software", "language", "vendor_id", "duration")
    + ("handler_name", "bps", "number_of_frames", "number_of_bytes", "rotate", "alpha_mode")
)
_SUB_TAGS = {ExifTags.IFD.Exif: ExifTags.TAGS, ExifTags.IFD.GPSInfo: ExifTags.GPSTAGS}


def inspect(
    path: Readable, mm_per_pixel: float | tuple[float, float] | None = None, show_identifiers: bool = False
) -> dict[str, Any]:
    """What was read of one file; a file that cannot be read gives ``error`` and never raises.

    Args:
        path: as for ``fetalclip.io.read``.
        mm_per_pixel: mm per pixel, one number or (x, y), when the user knows it.
        show_identifiers: tell the values of identifying fields too, of a DICOM file.

    Returns:
        ``path`` as given; ``kind`` ("image" or "cine"); ``format`` and ``mode`` as stored; ``width`` and ``height`` in
        pixels of the upright picture; ``frames`` (pages or pictures in the file); ``mm_per_pixel`` ([x, y] or
        None); ``identifiers`` (names of metadata fields that may identify somebody, never their values; text
        burned into the pixels is not looked for); ``error``. When it cannot be read, all but ``path`` and
        ``error`` are None. A clip has besides ``rate`` (pictures per second), ``seconds``, ``variable_rate`` and
        ``warnings``, of a video ``rotation`` (degrees clockwise that were turned), and its ``format`` and ``mode`` are
        container and codec with pixel format. A DICOM file has besides ``sop_class``, ``transfer_syntax``, ``regions``
        (ultrasound regions: box, format, data, units, mm per pixel), ``burned_in`` (what its header says of text in the
        picture: True, False or None), ``age`` (days and source, known without the picture, or None), ``warnings``, and
        ``identifier_values`` for who asks.

    Raises:
        UsageError: ``path`` or ``mm_per_pixel`` is of the wrong kind.
    """
    keys = ("kind", "format", "mode", "width", "height", "frames", "mm_per_pixel", "identifiers")
    spacing = as_spacing(mm_per_pixel)
    if isinstance(path, (str, os.PathLike, bytes)) and is_clip(path):
        return _clip(path, spacing, keys, show_identifiers)
    try:
        source = load(path)
        if source.format == "DICOM":
            return inspect_dicom(lambda: BytesIO(source.data), source.name, source.label, spacing, show_identifiers)
        pixels, info, image = decode(source)
    except InputError as error:
        return {"path": name_of(path), **dict.fromkeys(keys), "error": str(error)}
    frame = Frame(pixels, spacing, source.name, info)
    return {
        "path": source.name,
        "kind": "image",
        "format": info["format"],
        "mode": info["mode"],
        "width": frame.width,
        "height": frame.height,
        "frames": info["pages"],
        "mm_per_pixel": None if frame.mm_per_pixel is None else list(frame.mm_per_pixel),
        "identifiers": identifiers(image),
        "error": None,
    }


def _clip(path: Clip, spacing: tuple[float, float] | None, keys: tuple[str, ...], show: bool) -> dict[str, Any]:
    """`inspect` of a file that starts like a clip."""
    try:
        if (begin := dicom_clip(path)) is not None:
            return inspect_dicom(*begin, spacing, show)
        cine = read_cine(path, spacing)
    except InputError as error:
        return {"path": name_of(path), **dict.fromkeys(keys), "error": str(error)}
    info = cine.info
    return {
        "path": cine.source,
        "kind": "cine",
        "format": info["format"],
        "mode": " ".join(str(info[key]) for key in ("codec", "pixel_format") if info.get(key)) or None,
        "width": cine.width,
        "height": cine.height,
        "frames": cine.count,
        "rate": cine.rate,
        "seconds": info["seconds"],
        "variable_rate": info["variable_rate"],
        "rotation": info.get("rotation", 0),
        "mm_per_pixel": None if cine.mm_per_pixel is None else list(cine.mm_per_pixel),
        "identifiers": sorted(shown(name) for name in info["fields"] if name.lower() not in _CONTAINER),
        "warnings": list(cine.warnings),
        "error": None,
    }


def identifiers(image: Image.Image) -> list[str]:
    """Sorted names of the metadata fields of a decoded picture that may identify somebody, never values.

    EXIF and TIFF fields by their tag names, PNG texts as ``PNG:keyword``, and ``comment``, ``IPTC``, ``XMP``,
    ``EXIF thumbnail`` (a small copy of the picture) and ``EXIF (damaged)``.
    """
    names: set[str] = set()
    with quiet():
        try:
            exif = image.getexif()
            names |= _tag_names(exif, ExifTags.TAGS)
            if image.format != "TIFF" and exif.get_ifd(ExifTags.IFD.IFD1):  # in a TIFF that is the next page
                names.add("EXIF thumbnail")
            if image.info.get("exif") and not exif:  # it is there and holds nothing that can be told
                names.add("EXIF (damaged)")
            for part, tags in _SUB_TAGS.items():
                names |= _tag_names(exif.get_ifd(part), tags)
        except Exception:  # as above
            names.add("EXIF (damaged)")
    text = getattr(image, "text", {})
    names |= {f"PNG:{shown(str(key))}" for key in text if key != "XML:com.adobe.xmp"}
    if image.info.get("comment"):
        names.add("comment")
    if "photoshop" in image.info:
        names.add("IPTC")
    if "xmp" in image.info or "XML:com.adobe.xmp" in image.info:
        names.add("XMP")
    return sorted(names)


def _tag_names(tags: Any, names: dict[int, str]) -> set[str]:
    return {names.get(tag, f"tag 0x{tag:04x}") for tag in tags if names is ExifTags.GPSTAGS or tag not in _STRUCTURE}
