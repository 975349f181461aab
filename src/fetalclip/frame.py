"""The waist on the input side: what a picture, and a clip of pictures, is once it has been read.

Left of this module nobody knows models; right of it nobody knows files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.errors import UnreadableInput, UsageError

Pixels = npt.NDArray[np.uint8]

# ITU-R BT.601 luma weights, the ones Pillow's "L" conversion uses.
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Frame:
    """One still picture.

    Attributes:
        pixels: uint8, (H, W) grey or (H, W, 3) RGB, C-contiguous, not writeable.
        mm_per_pixel: (x, y) in mm per pixel, or None when unknown (never 1.0 as a stand-in).
        source: where it came from, as the user gave it; empty for a picture made in memory.
        info: what the reader saw (format, mode, original bit depth); never identifiers.

    Raises:
        UsageError: if the array is not uint8 of one of these shapes, is empty, or the spacing is not positive.
    """

    pixels: Pixels
    mm_per_pixel: tuple[float, float] | None = None
    source: str = ""
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        array = np.asarray(self.pixels)
        shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
        if array.dtype != np.uint8 or not shaped or array.size == 0:
            raise UsageError(
                f"a picture of type {array.dtype} and shape {array.shape}",
                "uint8 pixels of shape (H, W) or (H, W, 3), not empty",
                "fetalclip.read(path), which scales other types",
            )
        array = np.ascontiguousarray(array)
        if array is self.pixels or array.base is not None:
            array = array.copy()
        array.flags.writeable = False
        object.__setattr__(self, "pixels", array)
        if self.mm_per_pixel is not None:
            object.__setattr__(self, "mm_per_pixel", _spacing(self.mm_per_pixel))

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    @property
    def gray(self) -> Pixels:
        """Luma of the picture, uint8 (H, W)."""
        if self.pixels.ndim == 2:
            return self.pixels
        luma = self.pixels.astype(np.float32) @ _LUMA  # (H, W)
        return np.rint(luma).clip(0, 255).astype(np.uint8)

    def with_pixels(self, pixels: Pixels) -> Frame:
        """The same frame with other pixels (same size, same spacing)."""
        return replace(self, pixels=pixels)

    def with_spacing(self, mm_per_pixel: tuple[float, float] | float | None) -> Frame:
        """The same frame with another spacing; a single number is used for x and y."""
        if isinstance(mm_per_pixel, (int, float)):
            mm_per_pixel = (float(mm_per_pixel), float(mm_per_pixel))
        return replace(self, mm_per_pixel=mm_per_pixel)


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture of a clip.

    Attributes:
        index: place in the clip, from 0.
        seconds: presentation time as the clip tells it; NaN when it tells neither times nor a rate.
        frame: the picture.
    """

    index: int
    seconds: float
    frame: Frame


@dataclass(frozen=True, eq=False)
class Cine:
    """Moving pictures of one size. Iterating gives `Shot` after `Shot`; every iteration opens the source anew.

    Attributes:
        width, height: of the upright picture, pixels.
        count: number of pictures as the container tells it, or None; fewer may come out of a damaged file.
        rate: pictures per second, the mean of a clip of variable rate; None when unknown.
        mm_per_pixel: (x, y) in mm per pixel, or None when unknown.
        source: where it came from, as the user gave it; empty for a clip made in memory.
        info: what the reader saw (format, codec, pixel format, rotation); never identifiers. Its ``warnings`` are
            a list that grows when damage is met while iterating.
        shots: opens the source and gives its pictures, one at a time.

    Raises:
        UsageError: a size, rate or spacing that is not positive.
    """

    width: int
    height: int
    count: int | None
    rate: float | None
    shots: Callable[[], Iterable[Shot]] = field(repr=False)
    mm_per_pixel: tuple[float, float] | None = None
    source: str = ""
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise UsageError(f"a clip of {self.width} x {self.height} pixels", "at least one pixel")
        if self.rate is not None and not (np.isfinite(self.rate) and self.rate > 0):
            raise UsageError(f"a rate of {self.rate}", "pictures per second, a positive number", "rate=30")
        if self.mm_per_pixel is not None:
            object.__setattr__(self, "mm_per_pixel", _spacing(self.mm_per_pixel))

    def __iter__(self) -> Iterator[Shot]:
        return iter(self.shots())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know of the clip, as far as it has been read."""
        return tuple(self.info.get("warnings", ()))

    def at(self, index: int) -> Shot:
        """One picture by its place, from 0; the clip is gone through up to it, one picture in memory.

        Raises:
            UnreadableInput: the clip has no such picture, or cannot be read.
        """
        for shot in self:
            if shot.index == index:
                return shot
        raise UnreadableInput(f"no picture {index} in the clip", "a place of one of its pictures, from 0")

    @classmethod
    def of(
        cls,
        pictures: Sequence[Pixels] | Callable[[], Iterable[Pixels]],
        rate: float,
        mm_per_pixel: tuple[float, float] | None = None,
        source: str = "",
        info: dict[str, Any] | None = None,
    ) -> Cine:
        """A clip made in memory; picture i is shown at i / rate seconds.

        Args:
            pictures: uint8 (H, W) or (H, W, 3) each, all of one size; or a function that begins such a series anew
                each time it is called (its first picture is drawn at once, for the size).
            rate: pictures per second.
            mm_per_pixel: (x, y) in mm per pixel.
            source: what to call it.
            info: what is known of it.

        Raises:
            UsageError: no picture; while iterating, a picture of another size.
        """
        begin = pictures if callable(pictures) else lambda: pictures
        first = next(iter(begin()), None)
        if first is None:
            raise UsageError("a clip without a picture", "one picture or more")
        seen = Frame(first, mm_per_pixel, source)

        def shots() -> Iterator[Shot]:
            for index, pixels in enumerate(begin()):
                frame = Frame(pixels, seen.mm_per_pixel, source)
                if (frame.width, frame.height) != (seen.width, seen.height):
                    raise UsageError(
                        f"picture {index} of a clip has {frame.width} x {frame.height} pixels",
                        f"{seen.width} x {seen.height} like the first",
                    )
                yield Shot(index, index / rate, frame)

        count = None if callable(pictures) else len(pictures)
        return cls(seen.width, seen.height, count, float(rate), shots, mm_per_pixel, source, dict(info or {}))


def spread(count: int, most: int) -> list[int]:
    """At most ``most`` of ``count`` indices: the middles of as many equal parts, in order, without repeats."""
    parts = min(count, most)
    return [(2 * part + 1) * count // (2 * parts) for part in range(parts)]


def _spacing(value: tuple[float, float]) -> tuple[float, float]:
    x, y = float(value[0]), float(value[1])
    if not (np.isfinite(x) and np.isfinite(y) and x > 0 and y > 0):
        raise UsageError(
            f"a pixel spacing of {value}", "two positive numbers, mm per pixel in x and y", "--pixel-spacing 0.07"
        )
    return x, y
