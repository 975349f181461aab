"""Zero-pad to the centred square, resize, and remember how to come back.

Leaving the padding out is the commonest mistake with this family of models: a centre crop cuts the sector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from fetalclip.errors import UsageError
from fetalclip.frame import Pixels

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Letterbox:
    """How a (height, width) picture was laid into a (size, size) square.

    Points are pixel coordinates in which a pixel's centre is at (i + 0.5); x to the right, y down.

    Attributes:
        width, height: the original picture, pixels.
        size: side of the square it was resized to, pixels.
    """

    width: int
    height: int
    size: int

    def __post_init__(self) -> None:
        if min(self.width, self.height, self.size) < 1:
            raise UsageError(f"a letterbox of {self.width}x{self.height} to {self.size}", "sizes of at least 1 pixel")

    @property
    def side(self) -> int:
        """Side of the padded square in original pixels."""
        return max(self.width, self.height)

    @property
    def left(self) -> int:
        """Columns of padding left of the picture, original pixels (the odd one goes right)."""
        return (self.side - self.width) // 2

    @property
    def top(self) -> int:
        """Rows of padding above the picture, original pixels (the odd one goes below)."""
        return (self.side - self.height) // 2

    @property
    def scale(self) -> float:
        """Square pixels per original pixel."""
        return self.size / self.side

    def points_in(self, points: npt.ArrayLike) -> Points:
        """Original (n, 2) x, y points to points of the square."""
        return (np.asarray(points, dtype=np.float64) + (self.left, self.top)) * self.scale

    def points_out(self, points: npt.ArrayLike) -> Points:
        """Points of the square back to the original picture."""
        return np.asarray(points, dtype=np.float64) / self.scale - (self.left, self.top)

    def spacing_in(self, mm_per_pixel: tuple[float, float]) -> tuple[float, float]:
        """Spacing (x, y) of an original pixel to that of a pixel of the square, mm."""
        return mm_per_pixel[0] / self.scale, mm_per_pixel[1] / self.scale

    def spacing_out(self, mm_per_pixel: tuple[float, float]) -> tuple[float, float]:
        """Spacing (x, y) of a pixel of the square back to an original pixel, mm."""
        return mm_per_pixel[0] * self.scale, mm_per_pixel[1] * self.scale

    def picture_in(self, pixels: Pixels) -> Pixels:
        """(H, W) or (H, W, 3) picture to a square: centred zero padding, Pillow's antialiased 8-bit bicubic."""
        self._check(pixels.shape[:2], (self.height, self.width))
        square = np.zeros((self.side, self.side, *pixels.shape[2:]), dtype=np.uint8)
        square[self.top : self.top + self.height, self.left : self.left + self.width] = pixels
        if self.size == self.side:
            return square
        resized = Image.fromarray(square).resize((self.size, self.size), Image.Resampling.BICUBIC)
        return np.asarray(resized)

    def mask_in(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """(H, W) mask to a (size, size) mask, by nearest neighbour."""
        self._check(mask.shape, (self.height, self.width))
        rows, columns = self._index(self.size, 1 / self.scale)
        rows, columns = rows - self.top, columns - self.left
        inside = ((rows >= 0) & (rows < self.height))[:, None] & ((columns >= 0) & (columns < self.width))[None, :]
        picked = mask[np.clip(rows, 0, self.height - 1)[:, None], np.clip(columns, 0, self.width - 1)[None, :]]
        return picked.astype(bool) & inside

    def mask_out(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """(size, size) mask back to the original (H, W), by nearest neighbour."""
        self._check(mask.shape, (self.size, self.size))
        rows = np.floor((np.arange(self.height) + self.top + 0.5) * self.scale).astype(int).clip(0, self.size - 1)
        columns = np.floor((np.arange(self.width) + self.left + 0.5) * self.scale).astype(int).clip(0, self.size - 1)
        return mask[rows[:, None], columns[None, :]].astype(bool)

    @staticmethod
    def _index(n: int, step: float) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
        index = np.floor((np.arange(n) + 0.5) * step).astype(int)
        return index, index.copy()

    @staticmethod
    def _check(found: tuple[int, ...], expected: tuple[int, ...]) -> None:
        if found != expected:
            raise UsageError(f"an array of shape {found}", f"shape {expected}, the one this letterbox was made for")


def letterbox(pixels: Pixels, size: int) -> tuple[Pixels, Letterbox]:
    """Lay a picture into a square.

    Args:
        pixels: uint8 (H, W) or (H, W, 3).
        size: side of the square, pixels.

    Returns:
        uint8 (size, size) or (size, size, 3) and the record that maps points, masks and spacing both ways.
    """
    record = Letterbox(int(pixels.shape[1]), int(pixels.shape[0]), size)
    return record.picture_in(pixels), record
