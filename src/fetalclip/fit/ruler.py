"""A ruler in the joint space: one direction for each size of a head in pixels.

Heads and captions that name an age and a spacing are both held against it. Few pictures have an age, and captions are
free: with the ruler between them the text tower learns what an age at a spacing means in pixels without a picture.
It is used in training only; at inference pictures and texts are compared with each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fetalclip.clinical.captions import Facts
from fetalclip.clinical.growth import median_hc

LOW, HIGH = 50.0, 750.0  # smallest and largest circumference, pixels; what lies beyond is held against the last mark
MARKS = 96  # 2.9 % from one to the next


class Ruler(nn.Module):
    """Marks along a path through the joint space.

    Args:
        width: of the joint space.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.marks = nn.Parameter(torch.randn(MARKS, width) * width**-0.5)
        self.scale = nn.Parameter(torch.tensor(math.log(20.0)))
        self.register_buffer("sizes", torch.linspace(math.log(LOW), math.log(HIGH), MARKS))
        self.sizes: Tensor

    def forward(self, vectors: Tensor, sizes: Tensor, width: float) -> Tensor:
        """How far vectors are from their marks: cross-entropy to marks within ``width`` of each size.

        Args:
            vectors: (B, D) unit length.
            sizes: (B,) logarithm of the circumference in pixels; NaN where there is none, which counts for nothing.
            width: standard deviation of the logarithm that still fits.

        Returns:
            Scalar; 0 where no size is known.
        """
        known = sizes.isfinite()
        if not known.any():
            return vectors.sum() * 0
        gap = (sizes[known, None].to(self.sizes) - self.sizes) / width
        target = torch.softmax(-(gap**2) / 2, dim=1)
        logits = self.scale.exp().clamp(max=100.0) * vectors[known] @ F.normalize(self.marks, dim=1).T
        return -(target * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


def log_pixels(said: Sequence[Facts]) -> Tensor:
    """Logarithm of the circumference in pixels that an age at a spacing stands for, (n,); NaN where one is not said.

    A head of an age takes the WHO median circumference of that age over its spacing.
    """
    found = np.full(len(said), np.nan, np.float32)
    for i, facts in enumerate(said):
        circumference = median_hc(facts.age_days) if facts.age_days else None  # mm
        if circumference and facts.spacing:
            found[i] = math.log(circumference / facts.spacing)
    return torch.from_numpy(found)


def likeness(sizes: Tensor, others: Tensor, width: float) -> Tensor:
    """How alike sizes are: (B, A) in 0-1, zeros for an unknown one.

    Args:
        sizes, others: (B,) and (A,) logarithms, NaN where unknown.
        width: standard deviation of the logarithm of their ratio that still fits.
    """
    gap = (sizes[:, None] - others[None, :]) / width
    return torch.exp(-(gap**2) / 2).nan_to_num(nan=0.0)
