"""One look at one file: everything the audit needs to know of it, small enough to keep a million of them.

A look runs in a worker process, so this module loads no torch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from hashlib import file_digest, sha256
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from fetalclip.errors import FetalclipError
from fetalclip.frame import Frame, Pixels
from fetalclip.io import read, read_at
from fetalclip.io.source import load, shown
from fetalclip.overlay import find_overlay, mask_overlay, overlay_only
from fetalclip.overlay.raster import Mask, boxes

SIDE = 32  # pixels; of the small squares
_FEW = 64  # so few files are looked at in this process: starting others would take longer
_CHUNK = 32  # files handed to a worker at a time
_CELL = 4  # pixels; marks nearer than this are one

Mark = tuple[str, str]
"""Kind and place of a burned-in mark, such as ``("text", "upper right")``."""


@dataclass(frozen=True, eq=False)
class Look:
    """What was seen of one file.

    Attributes:
        error: why it could not be read, without its name; the other fields are empty then.
        size: bytes of the file.
        file: SHA-256 of the file.
        pixels: SHA-256 of the decoded grey picture and its size.
        width, height: native pixels.
        small: uint8 (32, 32), the grey picture without its overlay, letterboxed.
        marks: uint8 (32, 32), the overlay alone, letterboxed.
        covered: share of the sector under the overlay, 0 to 1.
        kinds: the marks, each kind and place once.
    """

    error: str | None = None
    size: int = 0
    file: str = ""
    pixels: str = ""
    width: int = 0
    height: int = 0
    small: Pixels | None = None
    marks: Pixels | None = None
    covered: float = 0.0
    kinds: tuple[Mark, ...] = ()

    @property
    def blank(self) -> bool:
        """Whether the picture shows next to nothing, so that it resembles every other blank one."""
        return self.small is None or float(self.small.std()) < 2.0  # grey levels

    @property
    def filled(self) -> Pixels:
        """The small square without its letterbox borders, stretched, uint8 (32, 32)."""
        assert self.small is not None
        long = max(self.width, self.height)
        tall, wide = (max(1, round(n * SIDE / long)) for n in (self.height, self.width))
        top, left = (SIDE - tall) // 2, (SIDE - wide) // 2
        inner = Image.fromarray(self.small[top : top + tall, left : left + wide])
        return np.asarray(inner.resize((SIDE, SIDE), Image.Resampling.BILINEAR), dtype=np.uint8)


def look(path: Path, index: int | None = None) -> Look:
    """Read and measure one file, or one picture of a clip; what goes wrong is in ``error``."""
    try:
        if index is None:
            source = load(path)
            size, file = len(source.data), sha256(source.data).hexdigest()
            frame = read(source.data)
        else:  # a clip may be larger than memory
            frame = read_at(path, index)
            with path.open("rb") as stream:
                size, file = os.fstat(stream.fileno()).st_size, file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return Look(error=f"the file cannot be read ({error.strerror})")
    except FetalclipError as error:
        return Look(error=str(error).replace(shown(str(path)), "the file"))
    gray = frame.gray
    found = find_overlay(gray)
    seen = sha256(f"{gray.shape[0]}x{gray.shape[1]}:".encode())
    seen.update(gray.tobytes())
    return Look(
        size=size,
        file=file,
        pixels=seen.hexdigest(),
        width=frame.width,
        height=frame.height,
        small=_square(mask_overlay(gray, found)),
        marks=_square(overlay_only(gray, found)),
        covered=found.covered,
        kinds=marks_of(found.mask),
    )


def clean(frame: Frame) -> Frame:
    """The grey picture with its overlay blanked: what the page may show."""
    return Frame(mask_overlay(frame.gray))


def look_all(
    paths: Sequence[Path], workers: int | None = None, indices: Sequence[int | None] | None = None
) -> Iterator[Look]:
    """Looks in the order of the paths.

    Args:
        paths: files.
        workers: processes; None takes one for each core.
        indices: of each which picture of a clip it is, None of a still; None where there are no clips.
    """
    indices = indices or [None] * len(paths)
    count = min(workers or os.cpu_count() or 1, 32)
    if count < 2 or len(paths) <= _FEW:
        yield from map(look, paths, indices)
        return
    # spawn: a forked child of a process that has run torch may hang
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        yield from pool.map(look, paths, indices, chunksize=_CHUNK)


def marks_of(mask: Mask) -> tuple[Mark, ...]:
    """Kinds and places of the marks in an overlay mask, bool (H, W), by their shape."""
    if not mask.any():
        return ()
    height, width = (-(-n // _CELL) for n in mask.shape)
    padded = np.zeros((height * _CELL, width * _CELL), dtype=bool)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    cells = np.asarray(padded.reshape(height, _CELL, width, _CELL).any(axis=(1, 3)), dtype=bool)
    return tuple(sorted({_mark(box, height, width) for box in boxes(cells)}))


def _mark(box: tuple[int, int, int, int], height: int, width: int) -> Mark:
    y0, x0, y1, x1 = box
    tall, wide = (y1 - y0) / height, (x1 - x0) / width
    up, left = (y0 + y1) / (2 * height) < 0.5, (x0 + x1) / (2 * width) < 0.5
    side = "left" if left else "right"
    corner = f"{'upper' if up else 'lower'} {side}"
    if wide >= 0.9:
        return "banner", "top" if up else "bottom"
    if tall >= 0.9:
        return ("ruler" if wide <= 0.08 else "ruler with text"), side
    if tall >= 0.15 and wide <= 0.08 and (x0 == 0 or x1 == width):
        return "grey bar", side
    if (x1 - x0) >= 1.5 * (y1 - y0) or tall >= 0.15:
        return "text", corner
    return "small mark", corner


def _square(gray: Pixels) -> Pixels:
    """Letterboxed by area average to (32, 32)."""
    picture = ImageOps.pad(Image.fromarray(gray), (SIDE, SIDE), method=Image.Resampling.BOX, color=0)
    return np.asarray(picture, dtype=np.uint8)
