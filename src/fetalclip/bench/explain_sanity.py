"""Model randomisation: a map that stays when the weights go does not explain the model.

Adebayo et al. 2018 (arXiv 1810.03292): weights are drawn anew from the top of the image tower down, stage by stage,
and each stage's map is held against the trained model's by rank correlation.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata

from fetalclip.encoder import Encoder
from fetalclip.models.pair import image_tower
from fetalclip.result.attribution import Heat

STAGES = ("top", "upper half", "lower half", "all")
"""What has random weights: projection and last norm or convolution; the deeper blocks too; all blocks; everything."""


def randomised(encoder: Encoder, stage: str, seed: int) -> Any:
    """The encoder's image tower with weights of a stage, and of those before it, as a new tower has them.

    Args:
        encoder: whose tower.
        stage: one of `STAGES`.
        seed: of the weights; the caller's random state is untouched.
    """
    trained = encoder.model.visual
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tower = image_tower(encoder.model.architecture)
    fresh, reached = tower.state_dict(), STAGES.index(stage)
    mixed = {
        name: fresh[name] if _stage(name, int(trained.depth)) <= reached else value.detach().float().cpu()
        for name, value in trained.state_dict().items()
    }
    tower.load_state_dict(mixed)
    first = next(trained.parameters())
    return tower.eval().to(device=first.device, dtype=first.dtype)


def rank_correlation(a: Heat, b: Heat, where: npt.NDArray[np.bool_]) -> float:
    """Spearman's correlation of two maps at the chosen pixels; 0 where one is the same everywhere."""
    ranks = [rankdata(heat[where]) for heat in (a, b)]
    if not where.any() or any(np.ptp(one) == 0 for one in ranks):
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])


def _stage(name: str, depth: int) -> int:
    """The stage a weight belongs to, by its name."""
    block = re.search(r"blocks\.(\d+)\.", name)
    if block:
        return 1 if int(block[1]) >= depth // 2 else 2
    return 0 if name.startswith(("proj", "head", "ln_post")) else 3
