"""Score-CAM: each channel of one block's map weighs what the score is when the picture is seen through it alone.

Wang et al. 2020 (arXiv 1910.01279): a channel's map is brought to the picture's size and to 0 to 1, the picture is
multiplied by it, and the softmax of the scores over the channels are the weights. Only the channels that vary most over
the picture are tried: a channel that is the same everywhere points nowhere, and each one costs a run of the tower.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fetalclip.explain.view import View
from fetalclip.models.efficientnet import EfficientNetLite

BLOCK = 11  # of EfficientNet-Lite0, as in `fetalclip.explain.hires_cam`
CHANNELS = 32


@torch.inference_mode()
def attribute(view: View) -> Tensor:
    """(h, w) map; ReLU of the weighted sum, as published."""
    (seen,) = view.tower.token_maps(view.picture, [_block(view.tower)])
    maps = seen[0].float()  # (C, h, w)
    most = maps.flatten(1).var(dim=1).topk(min(CHANNELS, len(maps))).indices
    maps = maps[most.sort().values]
    scores = torch.cat([view.scores(_through(view, part)) for part in maps.split(view.batch)])
    weights = scores.softmax(dim=0)
    return (weights[:, None, None] * maps).sum(dim=0).relu()


def _block(tower: Any) -> int:
    """The block whose map is used: of a transformer the last but one, after whose attention patches still matter."""
    return BLOCK if isinstance(tower, EfficientNetLite) else max(1, int(tower.depth) - 1)


def _through(view: View, maps: Tensor) -> Tensor:
    """The picture seen through (K, h, w) maps: (K, 3, S, S), black where a map is at its lowest."""
    large = F.interpolate(maps[:, None], view.picture.shape[-2:], mode="bilinear", align_corners=False)
    low, high = large.amin(dim=(2, 3), keepdim=True), large.amax(dim=(2, 3), keepdim=True)
    share = ((large - low) / (high - low).clamp_min(1e-8)).to(view.picture.dtype)  # (K, 1, S, S), 0 to 1
    return view.black + (view.picture - view.black) * share
