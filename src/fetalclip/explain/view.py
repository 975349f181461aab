"""What a method gets to see: one picture, the tower, the score; and how a map comes back to the scan's pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from fetalclip.explain.question import Question
from fetalclip.frame import Pixels
from fetalclip.preprocess.letterbox import Letterbox
from fetalclip.result.attribution import Heat

BLUR = 1 / 16  # of the square's side: the Gaussian's sigma that hides a structure and leaves the picture's brightness


@dataclass(frozen=True, eq=False)
class View:
    """One picture before the tower.

    Attributes:
        tower: the image tower as it infers.
        picture: (1, 3, S, S), normalised.
        blurred: the same picture blurred, (1, 3, S, S).
        sector: bool (S, S), where the picture shows something.
        question: what is scored.
        batch: pictures at a time.
    """

    tower: Any
    picture: Tensor
    blurred: Tensor
    sector: Tensor
    question: Question
    batch: int = 16

    def mirrored(self) -> View:
        """The same view, left and right exchanged."""
        turned = {name: getattr(self, name).flip(-1) for name in ("picture", "blurred", "sector")}
        return replace(self, **turned)

    @torch.inference_mode()
    def scores(self, pictures: Tensor) -> Tensor:
        """Scores (B,) of normalised pictures (B, 3, S, S)."""
        parts = [self.question(self.tower(part)) for part in pictures.split(self.batch)]
        return torch.cat(parts)


def blur(square: Pixels, share: float = BLUR) -> Pixels:
    """A uint8 (S, S) or (S, S, 3) picture blurred by a Gaussian whose sigma is a share of its side."""
    sigma = share * square.shape[0]
    return np.asarray(Image.fromarray(square).filter(ImageFilter.GaussianBlur(sigma)))


def onto(grid: npt.NDArray[np.floating[Any]], box: Letterbox) -> Heat:
    """An (h, w) map over the square brought to the scan's own (H, W) pixels, linear between the cells' middles."""
    rows = _weights(grid.shape[0], (np.arange(box.height) + 0.5 + box.top) / box.side)
    columns = _weights(grid.shape[1], (np.arange(box.width) + 0.5 + box.left) / box.side)
    return (rows @ grid.astype(np.float32) @ columns.T).astype(np.float32)


def _weights(cells: int, at: npt.NDArray[np.float64]) -> Heat:
    """(n, cells): how much of each cell a place takes, places as shares of the square's side; level at the edges."""
    place = np.clip(at * cells - 0.5, 0, cells - 1)
    low = np.minimum(place.astype(int), max(cells - 2, 0))
    share = place - low
    table = np.zeros((len(at), cells), np.float32)
    index = np.arange(len(at))
    table[index, low] = 1 - share
    if cells > 1:
        table[index, low + 1] += share
    return table
