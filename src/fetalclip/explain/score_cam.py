"""Score-CAM: each channel of one block's map weighs what the score is when the picture is seen through it alone.

Wang et al. 2020 (arXiv 1910.01279): a channel's map is brought to the picture's size and to 0 to 1, the normalised
picture is multiplied by it, and the softmax of the scores over the channels are the weights. At most 128 channels are
tried, those that vary most over the picture: each costs a run of the tower, and of a large transformer there are a
thousand.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fetalclip.explain.view import View
from fetalclip.models.efficientnet import EfficientNetLite

BLOCK = 11  # of EfficientNet-Lite0, as in `fetalclip.explain.hires_cam`
CHANNELS = 128


@torch.inference_mode()
def attribute(view: View) -> Tensor:
    """(h, w) map; ReLU of the weighted sum, as published."""
    maps, scores = channels(view)
    return (scores.softmax(dim=0)[:, None, None] * maps).sum(dim=0).relu()


@torch.inference_mode()
def channels(view: View) -> tuple[Tensor, Tensor]:
    """Maps (K, h, w) of the channels that were tried, and the scores (K,) of the picture seen through each."""
    (seen,) = view.tower.token_maps(view.picture, [_block(view.tower)])
    maps = seen[0].float()  # (C, h, w)
    most = maps.flatten(1).var(dim=1).topk(min(CHANNELS, len(maps))).indices
    maps = maps[most.sort().values]
    return maps, torch.cat([view.scores(_through(view.picture, part)) for part in maps.split(view.batch)])


def _block(tower: Any) -> int:
    """The block whose map is used: of a transformer the last but one, after whose attention patches still matter."""
    return BLOCK if isinstance(tower, EfficientNetLite) else max(1, int(tower.depth) - 1)


def _through(picture: Tensor, maps: Tensor) -> Tensor:
    """A picture (1, 3, S, S) seen through (K, h, w) maps: (K, 3, S, S)."""
    large = F.interpolate(maps[:, None], picture.shape[-2:], mode="bilinear", align_corners=False)
    low, high = large.amin(dim=(2, 3), keepdim=True), large.amax(dim=(2, 3), keepdim=True)
    return picture * ((large - low) / (high - low).clamp_min(1e-8)).to(picture.dtype)
