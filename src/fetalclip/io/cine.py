"""Clips in, ``Cine`` out: known by their content and never by their suffix, streamed, one picture in memory."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from fetalclip.errors import UnreadableInput, UsageError
from fetalclip.frame import Cine, Frame, Shot
from fetalclip.io.formats import HEAD, READABLE_CLIP, describe, sniff, sniff_clip
from fetalclip.io.source import check_regular, name_of, refusal, shown
from fetalclip.io.stills import as_spacing, read, read_size

Clip = str | os.PathLike[str] | bytes


def read_cine(source: Clip, mm_per_pixel: float | tuple[float, float] | None = None) -> Cine:
    """Read a clip: MP4, MOV, MKV, WebM, AVI, GIF, animated PNG or WebP, or a DICOM file of several pictures.

    The file is looked through once without decoding (for the number of pictures and their times) and its first picture
    is decoded; the rest is decoded while iterating. Turned and mirrored clips come upright. How each pixel format
    becomes 8 bits is told in ``fetalclip.io.video_pixels.to_pixels``.

    Args:
        source: a path, or the bytes of a file.
        mm_per_pixel: mm per pixel of the upright picture, one number or (x, y); without it that of the ultrasound
            regions of a DICOM file, else None.

    Returns:
        Cine: ``seconds`` of its shots are the presentation times of the file, unrounded. ``info`` has ``format``,
        ``seconds`` (length of the clip, or None), ``variable_rate``, ``warnings``; of a video ``codec``,
        ``pixel_format``, ``bits``, ``rotation`` (degrees clockwise that were turned) and, where pixels are not
        square, ``pixel_aspect`` (width to height); ``fields``, the names of its metadata fields.

    Raises:
        UnreadableInput: missing, empty, truncated before its first picture, sound only, a still picture, text, a
            folder or a device.
        InputTooLarge: pictures of more than 20 megapixels, found before decoding.
        UsageError: ``source`` or ``mm_per_pixel`` is of the wrong kind.
    """
    spacing = as_spacing(mm_per_pixel)
    name, label, form = _known(source)
    if form == "DICOM":
        from fetalclip.io.dicom.read import read_clip

        return read_clip(lambda: _begin(source), name, label, spacing)
    found = _animation(source, name, label, form) if form in ("APNG", "WEBP") else _video(source, name, label, form)
    return replace(found, mm_per_pixel=spacing, shots=_spaced(found, spacing))


def read_at(source: Clip, index: int | None = None) -> Frame:
    """A still picture, or one picture of a clip, as a table names it.

    Args:
        source: a path, or the bytes of a file.
        index: place of the picture in the clip, from 0; None of a still. In a DICOM file it is decoded without those
            before it; any other clip is gone through up to it.

    Raises:
        UnreadableInput, InputTooLarge, UsageError: as `read` and `read_cine`; the clip has no such picture.
    """
    if index is None:
        return read(source)
    if (begin := dicom_clip(source)) is None:
        return read_cine(source).at(index).frame
    from fetalclip.io.dicom.read import read_picture

    return read_picture(begin[0], begin[1], begin[2], index)


def is_clip(source: Clip) -> bool:
    """Whether a file starts like a clip; False too for one that cannot be opened, for which `read` has its error."""
    try:
        _known(source)
    except UnreadableInput:
        return False
    return True


def dicom_clip(source: Clip) -> tuple[Callable[[], BinaryIO], str, str] | None:
    """What opens a clip that is a DICOM file, its name and its label; None of another clip.

    Raises:
        UnreadableInput: it is no clip, or cannot be read.
    """
    name, label, form = _known(source)
    return (lambda: _begin(source), name, label) if form == "DICOM" else None


def read_sequence(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    rate: float,
    mm_per_pixel: float | tuple[float, float] | None = None,
) -> Cine:
    """A clip of still pictures of one size.

    Args:
        paths: the pictures in order, or a folder: then all its files, hidden ones left out, numbers in their names in
            the order of numbers (2 before 10).
        rate: pictures per second.
        mm_per_pixel: mm per pixel, one number or (x, y).

    Raises:
        UsageError: no picture.
        UnreadableInput: one is missing or none of the formats of ``fetalclip.read``, or of another size than the first;
            a picture that is damaged after its header is found while iterating.
    """
    spacing = as_spacing(mm_per_pixel)
    files = _in_folder(Path(paths)) if isinstance(paths, (str, os.PathLike)) else list(paths)
    if not files:
        raise UsageError("a sequence without a picture", "one picture or more", "read_sequence([path, ...], rate=30)")
    size = read_size(files[0])
    for file in files[1:]:
        if (other := read_size(file)) != size:
            raise UnreadableInput(
                f"{shown(os.fspath(file))} has {other[0]} x {other[1]} pixels",
                f"{size[0]} x {size[1]} like the first of the sequence",
                "leave it out, or export all at one size",
            )

    def shots() -> Iterator[Shot]:
        for index, file in enumerate(files):
            yield Shot(index, index / rate, read(file, spacing))

    source = os.fspath(paths) if isinstance(paths, (str, os.PathLike)) else ""
    cine = Cine(*size, len(files), rate, shots, spacing, source)  # refuses a rate that is none
    cine.info.update(format="sequence", seconds=len(files) / rate, variable_rate=False, warnings=[])
    return cine


def _in_folder(folder: Path) -> list[Path]:
    try:
        found = [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()]
    except OSError as error:
        raise UnreadableInput(
            f"{shown(str(folder))} is not a folder that can be listed", "a folder of pictures, or a list of them"
        ) from error
    return sorted(found, key=lambda path: [(len(p), p) if p.isdigit() else (0, p) for p in _parts(path.name)])


def _parts(name: str) -> list[str]:
    return [part.lstrip("0") or "0" if part.isdigit() else part for part in re.split(r"([0-9]+)", name)]


def _known(source: Clip) -> tuple[str, str, str]:
    """Name, label and kind of a clip.

    Raises:
        UnreadableInput: not a file that starts like a clip.
        UsageError: none of the accepted types.
    """
    name = name_of(source)
    label = (shown(name) or "the empty path") if not isinstance(source, bytes) else "the given bytes"
    if not isinstance(source, (str, os.PathLike, bytes)):
        raise UsageError(f"a clip of type {type(source).__name__}", "a path or bytes", "fetalclip.read_cine(path)")
    try:
        with _begin(source) as file:
            head = file.read(HEAD)
    except (OSError, ValueError) as error:
        raise refusal(error, name, label) from error
    if not head:
        raise UnreadableInput(f"{label} is empty (0 bytes)", READABLE_CLIP, "copy or export the clip again")
    form, still = sniff_clip(head), sniff(head)
    if still == "DICOM" and _is_moving(source, name, label):
        form = "DICOM"
    if form is None:
        looks = f"a still picture ({still})" if still else describe(head)
        fix = "fetalclip.read(path), or read_sequence([path, ...], rate)" if still else "export it as H.264 MP4"
        raise UnreadableInput(f"{label} is not a clip: it looks like {looks}", READABLE_CLIP, fix)
    return name, label, form


def _is_moving(source: Clip, name: str, label: str) -> bool:
    from fetalclip.io.dicom.read import is_moving

    try:
        return is_moving(lambda: _begin(source), label)
    except OSError as error:
        raise refusal(error, name, label) from error


def _begin(source: Clip) -> BinaryIO:
    if isinstance(source, bytes):
        return BytesIO(source)
    check_regular(name_of(source), shown(name_of(source)), limit=None)
    return open(source, "rb")


def _video(source: Clip, name: str, label: str, form: str) -> Cine:
    from fetalclip.io.video import MAX_DECODED, MAX_FRAMES, Video

    warnings: list[str] = []
    video = Video(lambda: _begin(source), name, label, form, warnings)
    scan, info, fields = video.scan()
    with closing(video.shots()) as shots:
        first = next(shots).frame
    video.limit = min(MAX_FRAMES, max(1, MAX_DECODED // (first.width * first.height)))
    info = {"format": form, **info, **video.seen, "seconds": scan.seconds, "variable_rate": scan.variable}
    count = min(scan.count, video.limit)
    told = {"warnings": warnings, "fields": fields}
    return Cine(first.width, first.height, count, scan.rate, video.shots, None, name, info | told)


def _animation(source: Clip, name: str, label: str, form: str) -> Cine:
    from fetalclip.io import animated

    warnings: list[str] = []

    def shots() -> Generator[Shot, None, None]:
        with _begin(source) as file, animated.opened(file, label, form) as image:
            yield from animated.shots(image, name, label, form, warnings)

    with closing(shots()) as begun:
        width, height, count, times = animated.times(begun)
    steps = [after - before for before, after in pairwise(times)]
    rate = (count - 1) / times[-1] if times[-1] > 0 else None
    seconds = times[-1] + steps[-1] if rate else None
    variable = bool(steps) and max(steps) - min(steps) > 0.002  # times are whole milliseconds
    info = {"format": form, "seconds": seconds, "variable_rate": variable, "warnings": warnings, "fields": []}
    return Cine(width, height, count, rate, shots, None, name, info)


def _spaced(cine: Cine, spacing: tuple[float, float] | None) -> Callable[[], Iterable[Shot]]:
    """The clip's shots with millimetres on every frame."""
    if spacing is None:
        return cine.shots
    return lambda: (replace(shot, frame=shot.frame.with_spacing(spacing)) for shot in cine.shots())
