"""Random changes to training pictures, a whole batch at a time.

Whatever scales a picture is returned with it, so that the spacing in a caption stays true.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes.

    Attributes:
        rotate: largest rotation, degrees.
        zoom: smallest and largest magnification.
        shift: largest shift, as a share of the side.
        flip: chance of a left-right flip.
        brightness, contrast: largest relative change.
        gamma: largest change of the exponent, as a factor (0.3: from 1/1.3 to 1.3).
        speckle: largest relative strength of multiplicative noise.
        erase_corners: chance that each corner is blanked (burned-in text lives there).
        erase_patch: chance of one blanked rectangle anywhere.
    """

    rotate: float = 12.0
    zoom: tuple[float, float] = (0.8, 1.25)
    shift: float = 0.06
    flip: float = 0.5
    brightness: float = 0.15
    contrast: float = 0.25
    gamma: float = 0.35
    speckle: float = 0.15
    erase_corners: float = 0.35
    erase_patch: float = 0.15


def augment(batch: Tensor, size: int, ranges: Augmentation, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Change every picture of a batch at random.

    Args:
        batch: grey (B, S, S) in 0–1.
        size: side of the result, pixels.
        ranges: how much.
        generator: source of randomness, so that a resumed run repeats itself.

    Returns:
        Grey (B, size, size) in 0–1, and (B,) result pixels per input pixel: divide a spacing by it.
    """
    n, side = batch.shape[0], batch.shape[-1]

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape or (n,), generator=generator)

    theta, magnification = _affine(n, ranges, uniform)
    grid = F.affine_grid(theta, [n, 1, size, size], align_corners=False)
    x = F.grid_sample(batch.unsqueeze(1), grid, mode="bilinear", align_corners=False).squeeze(1)
    x = _intensity(x, ranges, uniform, generator)
    x = _erase(x, ranges, uniform)
    return x, magnification * (size / side)


def _affine(n: int, ranges: Augmentation, uniform: object) -> tuple[Tensor, Tensor]:
    assert callable(uniform)
    low, high = (torch.tensor(v).log().item() for v in ranges.zoom)
    magnification = uniform(low, high).exp()
    angle = torch.deg2rad(uniform(-ranges.rotate, ranges.rotate))
    mirror = torch.where(uniform(0, 1) < ranges.flip, -1.0, 1.0)
    cos, sin = angle.cos() / magnification, angle.sin() / magnification
    shift = uniform(-2 * ranges.shift, 2 * ranges.shift, n, 2)  # grid coordinates run from -1 to 1
    rows = torch.stack([cos * mirror, -sin, shift[:, 0]], dim=1), torch.stack([sin * mirror, cos, shift[:, 1]], dim=1)
    return torch.stack(rows, dim=1), magnification


def _intensity(x: Tensor, ranges: Augmentation, uniform: object, generator: torch.Generator) -> Tensor:
    assert callable(uniform)
    black = x <= 1 / 255  # padding and the ground around the sector stay black
    gamma_limit = torch.tensor(1 + ranges.gamma).log().item()
    gamma = uniform(-gamma_limit, gamma_limit).exp().view(-1, 1, 1)
    x = x.clamp_min(1e-4).pow(gamma)
    gain = (1 + uniform(-ranges.contrast, ranges.contrast)).view(-1, 1, 1)
    lift = uniform(-ranges.brightness, ranges.brightness).view(-1, 1, 1) * 0.5
    x = x * gain + lift * x.mean(dim=(1, 2), keepdim=True) * 2
    strength = uniform(0, ranges.speckle).view(-1, 1, 1)
    x = x * (1 + strength * torch.randn(x.shape, generator=generator))
    return x.clamp(0, 1).masked_fill(black, 0.0)


def _erase(x: Tensor, ranges: Augmentation, uniform: object) -> Tensor:
    assert callable(uniform)
    n, size = x.shape[0], x.shape[-1]
    x = x.clone()
    corner, patch = uniform(0, 1, n, 4) < ranges.erase_corners, uniform(0, 1) < ranges.erase_patch
    extent = (uniform(0.05, 0.22, n, 4, 2) * size).long()  # (picture, corner, height and width)
    where = uniform(0, 1, n, 4)
    for i in range(n):
        for k in range(4):
            if corner[i, k]:
                high, wide = int(extent[i, k, 0]), int(extent[i, k, 1])
                rows = slice(0, high) if k < 2 else slice(size - high, size)
                x[i, rows, slice(0, wide) if k % 2 == 0 else slice(size - wide, size)] = 0
        if patch[i]:
            high, wide = (where[i, 2:] * 0.2 * size + 4).long().tolist()
            top, left = (where[i, :2] * torch.tensor([size - high, size - wide])).long().tolist()
            x[i, top : top + high, left : left + wide] = 0
    return x
