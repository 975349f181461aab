"""What a training picture leaves out, drawn from its own seed: residual branches and patches.

Stochastic depth (Huang et al. 2016, arXiv 1603.09382) skips residual branches, more often the deeper they lie; patch
dropout (FLIP, Li et al. 2023, arXiv 2212.00794) keeps a random part of a picture's patches. Every draw is a hash of the
picture's seed and the draw's number (SplitMix64: Steele et al. 2014, doi 10.1145/2660193.2660195) in whole numbers,
and no random state is read or moved: the same picture and seed draw the same in any batch, chunk, process and device.
"""

from __future__ import annotations

import torch
from torch import Tensor

_PATHS, _PATCHES = 1, 2  # streams: what a draw is for


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word


_STEP = _signed(0x9E3779B97F4A7C15)
_FIRST, _SECOND = _signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB)


def _down(z: Tensor, bits: int) -> Tensor:
    """Shift right as if unsigned."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def split_mix(state: Tensor) -> Tensor:
    """SplitMix64's next number of each state, int64 for its unsigned 64 bits; products wrap."""
    z = state + _STEP
    z = (z ^ _down(z, 30)) * _FIRST
    z = (z ^ _down(z, 27)) * _SECOND
    return z ^ _down(z, 31)


def draws(seeds: Tensor, stream: int, count: int) -> Tensor:
    """Random words of each seed: (B,) int64 to (B, count) int64; streams are independent of each other."""
    key = split_mix(seeds + split_mix(torch.full_like(seeds, stream)))  # (B,)
    return split_mix(key[:, None] + _STEP * torch.arange(count, device=seeds.device))


def kept_paths(seeds: Tensor, drop_path: float, blocks: int, branches: int) -> Tensor:
    """What each residual branch is multiplied by for each picture: 0, or one over the chance that it is kept.

    Args:
        seeds: (B,) int64.
        drop_path: chance that the last block's branches are skipped, under 1; block l of L skips l / L of it.
        blocks, branches: blocks of the tower, and residual branches of a block.

    Returns:
        (blocks, branches, B) float32; its mean over seeds is 1.
    """
    words = draws(seeds, _PATHS, blocks * branches).T.view(blocks, branches, -1)
    uniform = _down(words, 40).float() / 2**24  # 24 bits: exact in float32
    depth = torch.arange(1, blocks + 1, device=seeds.device)[:, None, None] / blocks
    skip = drop_path * depth  # (blocks, 1, 1)
    return (uniform >= skip) / (1 - skip)


def kept_patches(seeds: Tensor, patch_dropout: float, patches: int) -> Tensor:
    """Which patches each picture keeps: the same number of every picture, at least one, in their order.

    Args:
        seeds: (B,) int64.
        patch_dropout: share left out, under 1.
        patches: how many there are.

    Returns:
        (B, kept) int64, rising along each row.
    """
    kept = max(1, round(patches * (1 - patch_dropout)))
    return draws(seeds, _PATCHES, patches).argsort(dim=1)[:, :kept].sort(dim=1).values
