"""A mask as its convention would have drawn it: where annotators draw ellipses, the ellipse that fits the mask."""

from __future__ import annotations

import math

import numpy as np

from fetalclip.caliper.outline import Mask
from fetalclip.caliper.round import find_round

SHAPES = ("ellipse",)


def as_ellipse(mask: Mask, structure: str, lit: Mask | None = None) -> Mask:
    """The filled ellipse that fits a mask, on the same pixels; the mask itself where no ellipse does.

    Where an edge is not seen a mask wanders, and an annotator closes the ellipse. The fit is the one that is measured,
    in pixels and with nothing taken off. A mask that is none, in pieces, cut or unlike an ellipse stays as it is, and
    measuring refuses it.

    Args:
        mask: bool (H, W).
        structure: whose shape it must have.
        lit: bool (H, W), where the picture shows tissue, or None.
    """
    drawn = find_round(mask, structure, (1.0, 1.0), 0.0, lit).on_picture
    if drawn is None:
        return mask
    (left, top), (right, bottom) = drawn.outline().min(axis=0), drawn.outline().max(axis=0)
    rows = np.arange(max(0, math.floor(top)), min(mask.shape[0], math.ceil(bottom) + 1))
    columns = np.arange(max(0, math.floor(left)), min(mask.shape[1], math.ceil(right) + 1))
    if not (len(rows) and len(columns)):
        return mask
    inverse = np.linalg.inv(drawn.matrix)
    x, y = columns - drawn.centre[0], (rows - drawn.centre[1])[:, None]
    level = np.square(inverse[0, 0] * x + inverse[0, 1] * y) + np.square(inverse[1, 0] * x + inverse[1, 1] * y)
    made = np.zeros(mask.shape, dtype=bool)
    made[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = level <= 1.0
    return made
