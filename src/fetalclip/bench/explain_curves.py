"""Deletion and insertion: how fast the answer goes when the hottest pixels go, and comes when they come.

Petsiuk et al. 2018 (arXiv 1806.07421), on the square the tower sees. A deleted pixel is that of the blurred picture, so
that what goes is structure and not brightness; only pixels of the sector are deleted. The area is that under the
probability of the text among the others, over the share of pixels, 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fetalclip.encoder import Encoder
from fetalclip.explain.question import Question
from fetalclip.explain.view import blur, onto
from fetalclip.frame import Pixels
from fetalclip.metrics import Reals
from fetalclip.preprocess.letterbox import Letterbox
from fetalclip.result.attribution import Heat

Mask = npt.NDArray[np.bool_]

STEPS = 6
FILL = 1 / 8  # of the side, sigma of the blur; at 1 / 16 half of the femurs are still named with every pixel deleted
CELLS = 12  # along a side of a random map: as many as the block has that the methods look at
PRIOR = 0.12  # of the width: sigma of the centred Gaussian


def areas(encoder: Encoder, question: Question, square: Pixels, sector: Mask, heats: Sequence[Heat]) -> list[Reals]:
    """Areas under the deletion and the insertion curve of each map.

    Args:
        encoder: what scores.
        question: what is scored; held against others.
        square: uint8 (S, S) or (S, S, 3), as prepared.
        sector: (S, S).
        heats: (S, S) each. Equal values, such as the zeros of a map, are taken in the order of a random map.

    Returns:
        (2,) for each map: deletion, insertion.
    """
    blurred, side = blur(square, FILL), square.shape[0]
    whole, none = _probability(encoder, question, [square, blurred])
    ties = random_heat(side, 0)
    found = []
    for heat in heats:
        rank = _ranks(heat, ties, sector)  # (S, S): 0 for the hottest, beyond all outside the sector
        count = int(sector.sum())
        gone = [rank < round(count * step / STEPS) for step in range(1, STEPS)]
        pictures = [_mixed(square, blurred, where) for where in gone]
        pictures += [_mixed(blurred, square, where) for where in gone]
        said = _probability(encoder, question, pictures)
        curves = [[whole, *said[: STEPS - 1], none], [none, *said[STEPS - 1 :], whole]]
        found.append(np.array([(sum(curve) - (curve[0] + curve[-1]) / 2) / STEPS for curve in curves]))  # trapezia
    return found


def random_heat(side: int, seed: int) -> Heat:
    """A map of chance, as smooth as one of the methods': (side, side), 0 and above."""
    noise = np.random.default_rng(seed).random((CELLS, CELLS), dtype=np.float32)
    return onto(noise, Letterbox(side, side, side))


def centre_heat(height: int, width: int) -> Heat:
    """The centre prior: a Gaussian in the middle of an (H, W) picture."""
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    squares = (rows - height / 2) ** 2 + (columns - width / 2) ** 2
    return np.exp(-squares / (2 * (PRIOR * width) ** 2)).astype(np.float32)


def _ranks(heat: Heat, ties: Heat, sector: Mask) -> npt.NDArray[np.int64]:
    inside = np.flatnonzero(sector)
    order = np.lexsort((-ties.reshape(-1)[inside], -heat.reshape(-1)[inside]))
    rank = np.full(heat.size, heat.size, np.int64)
    rank[inside[order]] = np.arange(len(inside))
    return rank.reshape(heat.shape)


def _mixed(base: Pixels, other: Pixels, where: Mask) -> Pixels:
    return np.where(where if base.ndim == 2 else where[..., None], other, base)


def _probability(encoder: Encoder, question: Question, pictures: Sequence[Pixels]) -> list[float]:
    """Of the text among the others."""
    scores = question.of(encoder.images(pictures)).astype(np.float64)
    return (1 / (1 + np.exp(-scores))).tolist()
