"""The pre-norm transformer both towers are made of; parameter names are OpenCLIP's.

Radford et al. 2021 (arXiv 2103.00020) and Dosovitskiy et al. 2021 (arXiv 2010.11929).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Attention(nn.Module):
    """Multi-head self-attention with one joint projection for query, key and value."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, causal: bool) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        q, k, v = self.project(x)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)  # (B, heads, N, D / heads)
        return self.out_proj(y.transpose(1, 2).reshape(x.shape))

    def project(self, x: Tensor) -> Tensor:
        """(B, N, D) to queries, keys and values, (3, B, heads, N, D / heads)."""
        batch, length, width = x.shape
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)  # (B, N, 3D)
        return qkv.view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)


class FeedForward(nn.Module):
    """Two linear layers with a GELU between."""

    def __init__(self, width: int, ratio: float) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, int(width * ratio))
        self.c_proj = nn.Linear(int(width * ratio), width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        return self.c_proj(F.gelu(self.c_fc(x)))


class Block(nn.Module):
    """Pre-norm residual attention block."""

    def __init__(self, width: int, heads: int, mlp_ratio: float = 4.0) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width, mlp_ratio)

    def forward(self, x: Tensor, causal: bool, paths: Tensor | None = None) -> Tensor:
        """(B, N, D) to (B, N, D); ``paths``, (2, B), multiplies both residual branches of each sample."""
        if paths is None:
            x = x + self.attn(self.ln_1(x), causal)
            return x + self.mlp(self.ln_2(x))
        attn, mlp = paths.to(x.dtype)[:, :, None, None]  # (B, 1, 1) each
        x = x + attn * self.attn(self.ln_1(x), causal)
        return x + mlp * self.mlp(self.ln_2(x))

    def project(self, x: Tensor) -> Tensor:
        """(B, N, D) to queries, keys and values, (3, B, heads, N, D / heads): the half before attention."""
        return self.attn.project(self.ln_1(x))

    def finish(self, x: Tensor, y: Tensor) -> Tensor:
        """(B, N, D) and what attention made of it, (B, heads, N, D / heads), to (B, N, D): the half after it."""
        x = x + self.attn.out_proj(y.transpose(1, 2).reshape(x.shape))
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """A stack of blocks.

    Args:
        width, layers, heads: its shape; width is divisible by heads.
        mlp_ratio: inner width of the feed-forward part over ``width``.

    Attributes:
        recompute: keep only the blocks' inputs for the backward pass and compute the rest again there (Chen et al.
            2016, arXiv 1604.06174): less memory, more time, the same gradient.
    """

    recompute = False

    def __init__(self, width: int, layers: int, heads: int, mlp_ratio: float = 4.0) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads, mlp_ratio) for _ in range(layers))
        self._initialise(width, layers)

    def _initialise(self, width: int, layers: int) -> None:
        # GPT-2's scheme as CLIP uses it: residual branches shrink with depth.
        attn_std, proj_std = width**-0.5, width**-0.5 * (2 * layers) ** -0.5
        for block in self.resblocks:
            assert isinstance(block, Block)
            nn.init.normal_(block.attn.in_proj_weight, std=attn_std)
            nn.init.normal_(block.attn.out_proj.weight, std=proj_std)
            nn.init.zeros_(block.attn.out_proj.bias)
            nn.init.normal_(block.mlp.c_fc.weight, std=(2 * width) ** -0.5)
            nn.init.normal_(block.mlp.c_proj.weight, std=proj_std)

    def forward(self, x: Tensor, causal: bool, paths: Tensor | None = None) -> Tensor:
        """(B, N, D) to (B, N, D); ``paths``, (layers, 2, B), multiplies the residual branches of each sample."""
        for i in range(len(self.resblocks)):
            x = self._after(i, x, causal, paths)
        return x

    def states(self, x: Tensor, causal: bool) -> Iterator[Tensor]:
        """The (B, N, D) state after each block, in order."""
        for i in range(len(self.resblocks)):
            x = self._after(i, x, causal)
            yield x

    def _after(self, i: int, x: Tensor, causal: bool, paths: Tensor | None = None) -> Tensor:
        """The state after block ``i``."""
        given = (x, causal) if paths is None else (x, causal, paths[i])
        if self.recompute and torch.is_grad_enabled():
            made: Tensor = checkpoint(self.resblocks[i], *given, use_reentrant=False)
            return made
        return self.resblocks[i](*given)
