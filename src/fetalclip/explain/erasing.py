"""HiResCAM, and again on the picture with what it found blurred away: what is left to the model is found too.

A single map shows what the answer rests on first. Adversarial erasing (Wei et al. 2017, arXiv 1703.08448) takes the
hottest part away and asks again; each further map counts half of the one before.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from fetalclip.explain import hires_cam
from fetalclip.explain.view import View

ROUNDS = 4  # maps
SHARE = 0.12  # of the sector, blurred away after each


def attribute(view: View) -> Tensor:
    """(h, w) map, not negative."""
    found = _scaled(hires_cam.attribute(view))
    for turn in range(1, ROUNDS):
        left = _erased(view, found, SHARE * turn)
        found = found + 0.5**turn * _scaled(hires_cam.attribute(replace(view, picture=left)))
    return found


def _scaled(grid: Tensor) -> Tensor:
    """What speaks for the text, 0 to 1."""
    heat = grid.relu()
    return heat / heat.max().clamp_min(1e-12)


def _erased(view: View, found: Tensor, share: float) -> Tensor:
    """The picture with the hottest share of its sector blurred; what is not hot at all stays."""
    large = F.interpolate(found[None, None], view.picture.shape[-2:], mode="bilinear", align_corners=False)[0, 0]
    large = large * view.sector
    count = int(share * int(view.sector.sum()))
    if count < 1 or not bool((large > 0).any()):
        return view.picture
    level = large.flatten().topk(count).values[-1]
    gone = (large >= level) & (large > 0)
    return torch.where(gone, view.blurred, view.picture)
