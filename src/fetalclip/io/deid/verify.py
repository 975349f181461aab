"""The check of a file that was written: read again from the disk, compared, and searched for what must not be there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetalclip.errors import NotVerified
from fetalclip.io.deid.blank import text_boxes
from fetalclip.io.deid.pixels import Form, Stored
from fetalclip.io.deid.secrets import NUMBERS, Search, leaves, printed
from fetalclip.overlay.raster import Mask

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


_PIXELS = 0x7FE00010


@dataclass(frozen=True)
class Checked:
    """What the check found.

    Attributes:
        frames: how many were compared; all were equal.
        text: boxes of letters that are still seen; 0 unless text was to be kept.
        strings: how many strings were looked for; none was there.
    """

    frames: int
    text: int
    strings: int


def verify(path: Path, meant: Iterable[tuple[Stored, Mask]], form: Form, search: Search, keep_text: bool) -> Checked:
    """Read a file again and prove it clean.

    Args:
        path: the file.
        meant: each frame as it should be, and the mask of its pixels that were not blanked.
        form: of the pixels.
        search: what must not be in it.
        keep_text: letters that are seen are counted, and are no fault.

    Raises:
        NotVerified: a frame differs, letters are left, or a string was found.
    """
    from pydicom import dcmread

    dataset = dcmread(path)
    data = memoryview(dataset.PixelData)
    size = form.dtype.itemsize * math.prod(form.shape)
    count = seen = 0
    for frame, kept in meant:
        got = np.frombuffer(data[count * size : (count + 1) * size], dtype=form.dtype)
        if got.nbytes != size or not np.array_equal(got.reshape(form.shape), frame):
            raise NotVerified(f"frame {count} was not written as it was meant", "the same pixels")
        left = len(text_boxes(got.reshape(form.shape), form, kept))
        if left and not keep_text:
            raise NotVerified(f"letters are still seen in frame {count}", "none", "a look at the picture")
        seen += left
        count += 1
    if count != form.frames or not 0 <= len(data) - count * size <= 1 or any(data[count * size :]):
        raise NotVerified("other pixels were written than were meant", f"{form.frames} frames and nothing more")
    _search(path, dataset, search)
    return Checked(form.frames, seen, len(search.strings))


def _search(path: Path, dataset: Dataset, search: Search) -> None:
    if max(dataset.keys()) != _PIXELS:
        raise NotVerified("an element stands after the pixels", "the pixels to be the last")
    for part in (dataset.file_meta, dataset):
        for element, raw in leaves(part):
            if element is None:
                raise NotVerified("an element cannot be read again", "a header that can be read")
            if element.VR in ("OB", "OW"):
                continue
            many = [element.value] if isinstance(element.value, (str, bytes)) else np.atleast_1d(element.value)
            for value in many:
                text = str(value)
                if search.in_text(text.strip(" \0"), element.VR in NUMBERS) or (raw and printed(raw)):
                    raise NotVerified(
                        f"a string that was removed stands in {element.keyword or 'an element'}", "it to be nowhere"
                    )
    data = path.read_bytes()
    size = len(dataset.PixelData)
    if search.in_header(data[: len(data) - size]):
        raise NotVerified("a string that was removed stands between the elements", "it to be nowhere")
    if search.in_pixels(memoryview(data)[len(data) - size :]):
        raise NotVerified("a string that was removed stands in the bytes of the pixels", "it to be nowhere")
