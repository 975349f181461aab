"""Animated PNG and WebP through Pillow: every picture as it is shown, each with its time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image, PngImagePlugin, WebPImagePlugin

from fetalclip.errors import InputTooLarge, UnreadableInput
from fetalclip.frame import Frame, Shot
from fetalclip.io.convert import to_pixels
from fetalclip.io.formats import HEAD, READABLE_CLIP, webp_size
from fetalclip.io.quiet import quiet

MAX_PIXELS = 20_000_000
"""Most pixels (width times height) of a picture of an animation."""

MAX_DECODED = 4 * 10**10
"""Most pixels of all pictures of an animation together that are decoded; the rest is left out and told."""

_FORMATS = {"APNG": PngImagePlugin.PngImageFile.format, "WEBP": WebPImagePlugin.WebPImageFile.format}


def opened(file: BinaryIO, label: str, form: str) -> Image.Image:
    """The animation with its header read and its size checked.

    Args:
        file: an open binary file at its start; the picture reads on from it.
        label: what it is called in a message.
        form: ``APNG`` or ``WEBP``.

    Raises:
        UnreadableInput, InputTooLarge: as ``read_cine``.
    """
    head = file.read(HEAD)
    file.seek(0)
    if form == "WEBP":  # Pillow allocates the canvas at once
        _check(webp_size(head) or (1, 1), label)
    _check((int.from_bytes(head[16:20]), int.from_bytes(head[20:24])) if form == "APNG" else (1, 1), label)
    with quiet():
        try:
            return Image.open(file, formats=(_FORMATS[form],))
        except Exception as error:  # Pillow's decoders raise what they like
            raise UnreadableInput(
                f"{label} starts like an animation ({form}) but is truncated or damaged", READABLE_CLIP, "copy it again"
            ) from error


def shots(image: Image.Image, source: str, label: str, form: str, warnings: list[str]) -> Iterator[Shot]:
    """The pictures of an animation; one that breaks off gives what there is, and a warning.

    Raises:
        UnreadableInput: not one picture could be decoded.
    """
    milliseconds, index = 0.0, 0
    count = int(getattr(image, "n_frames", 1))
    most = max(1, MAX_DECODED // (image.width * image.height))
    while index < min(count, most):
        try:
            with quiet():
                image.seek(index)
                image.load()
                pixels, _ = to_pixels(image)
        except Exception:  # as above
            _tell(warnings, f"the file is truncated or damaged: {index} of {count} pictures are there")
            break
        yield Shot(index, milliseconds / 1000, Frame(pixels, None, source, {"format": form}))
        milliseconds += float(image.info.get("duration", 0) or 0)
        index += 1
    if most < count and index == most:
        _tell(warnings, f"the clip is longer than is read: {index} pictures were")
    if not index:
        raise UnreadableInput(f"not one picture of {label} could be decoded", READABLE_CLIP, "export the clip again")


def times(begun: Iterator[Shot]) -> tuple[int, int, int, tuple[float, ...]]:
    """Width, height, number of pictures and the time of each in seconds: the whole animation is decoded once."""
    width = height = 0
    found = []
    for shot in begun:
        width, height = shot.frame.width, shot.frame.height
        found.append(shot.seconds)
    return width, height, len(found), tuple(found)


def _tell(warnings: list[str], warning: str) -> None:
    if warning not in warnings:
        warnings.append(warning)


def _check(size: tuple[int, int], label: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise InputTooLarge(
            f"{label} announces {size[0]} x {size[1]} pixels",
            f"a clip of at most {MAX_PIXELS // 1_000_000} megapixels",
            "export it smaller",
        )
