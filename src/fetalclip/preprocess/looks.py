"""The same picture looked at again under small changes, and the way back from each look to the picture's own pixels.

A look's geometry is a flip, a magnification and a shift, so rows and columns go their own ways: each way is one matrix
of interpolation weights, and laying a map out on the picture is two products of matrices, exact to the sub-pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fetalclip.frame import Pixels
from fetalclip.preprocess.letterbox import Letterbox

Reals = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """One way to look at a square.

    Attributes:
        flip: left-right.
        zoom: magnification about the centre.
        shift: of the picture to the right and down, as shares of the side.
        gamma: exponent of the grey levels; black stays black.
    """

    flip: bool = False
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    gamma: float = 1.0

    @property
    def plain(self) -> bool:
        """Whether it changes nothing."""
        return self == Look()

    def seen(self, square: Pixels) -> Pixels:
        """A uint8 (S, S) square as this look shows it; what lies beyond its edge is black."""
        if self.plain:
            return square
        side = len(square)
        places = (np.arange(side) + 0.5) / side
        rows, columns = (weights(self._back(places, axis) * side, side, cubic=False) for axis in (1, 0))
        made = rows @ square.astype(np.float32) @ columns.T / 255
        return np.rint(255 * np.clip(made, 0, 1) ** self.gamma).astype(np.uint8)

    def _back(self, places: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float64]:
        """From places in the look to places in the square, both as shares of the side; axis 0 is x."""
        moved = (places - 0.5 - self.shift[axis]) / self.zoom
        return 0.5 + (-moved if self.flip and axis == 0 else moved)

    def _there(self, places: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float64]:
        """The other way: from places in the square to places in the look."""
        moved = places - 0.5
        return 0.5 + self.shift[axis] + self.zoom * (-moved if self.flip and axis == 0 else moved)

    def laid_out(self, found: Reals, box: Letterbox) -> Reals:
        """A map of this look on the picture's own pixels.

        Args:
            found: (..., h, w) values of what this look showed, any number of maps.
            box: how the picture was laid into the square.

        Returns:
            (..., height, width), by cubic interpolation; beyond the look's edge its edge goes on.
        """
        high, wide = found.shape[-2:]
        across = (np.arange(box.width) + 0.5 + box.left) / box.side
        down = (np.arange(box.height) + 0.5 + box.top) / box.side
        rows = weights(np.clip(self._there(down, 1), 0, 1) * high, high)
        columns = weights(np.clip(self._there(across, 0), 0, 1) * wide, wide)
        made: Reals = rows @ found.astype(np.float32) @ columns.T
        return made


# Changes far smaller than those of training: what moves under them is what the picture does not settle.
LOOKS: tuple[Look, ...] = (
    Look(),
    Look(flip=True),
    Look(zoom=0.94, shift=(0.02, -0.01), gamma=1.12),
    Look(flip=True, zoom=1.05, shift=(0.01, 0.015), gamma=0.9),
    Look(zoom=0.97, shift=(-0.02, 0.02), gamma=0.85),
)


def weights(places: Sequence[float] | npt.NDArray[np.float64], n: int, cubic: bool = True) -> Reals:
    """Weights that interpolate n samples at some places.

    Args:
        places: (m,) places; sample i stands at i + 0.5.
        n: samples.
        cubic: Keys' cubic convolution (1981, a = -1/2), the edge samples going on beyond the edge; else linear, with
            nothing beyond the edge.

    Returns:
        (m, n) float32; cubic rows sum to 1.
    """
    at = np.asarray(places, dtype=np.float64) - 0.5
    first = np.floor(at).astype(int)
    made = np.zeros((len(at), n), np.float32)
    line = np.arange(len(at))
    for tap in range(-1, 3) if cubic else range(2):
        index = first + tap
        far = np.abs(at - index)
        weight = _keys(far) if cubic else 1 - far
        inside = np.ones(len(at), bool) if cubic else (index >= 0) & (index < n)
        np.add.at(made, (line[inside], np.clip(index, 0, n - 1)[inside]), weight[inside].astype(np.float32))
    return made


def _keys(far: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    near = 1.5 * far**3 - 2.5 * far**2 + 1
    wide = -0.5 * far**3 + 2.5 * far**2 - 4 * far + 2
    return np.where(far <= 1, near, np.where(far < 2, wide, 0.0))
