"""The text tower: a causal pre-norm transformer, read at the end-of-text token.

Names of the parameters are OpenCLIP's, so that any size of it can take CLIP weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fetalclip.models.transformer import Transformer


@dataclass(frozen=True)
class TextConfig:
    """Shape of the text tower; ``context_length`` counts both special tokens in."""

    context_length: int = 117
    vocab_size: int = 2048
    width: int = 256
    layers: int = 4
    heads: int = 4
    mlp_ratio: float = 4.0


class TextTower(nn.Module):
    """Token ids to an embedding in the joint space.

    Args:
        config: its shape.
        embed_dim: width of the joint space.
    """

    def __init__(self, config: TextConfig, embed_dim: int) -> None:
        super().__init__()
        width = config.width
        self.context_length = config.context_length
        self.token_embedding = nn.Embedding(config.vocab_size, width)
        self.positional_embedding = nn.Parameter(torch.empty(config.context_length, width))
        self.transformer = Transformer(width, config.layers, config.heads, config.mlp_ratio)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, embed_dim))
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.positional_embedding, std=0.01)
        nn.init.normal_(self.text_projection, std=width**-0.5)

    def freeze(self, blocks: int) -> None:
        """Keep both tables and the first ``blocks`` blocks as they are (0: train everything)."""
        if not blocks:
            return
        for part in (self.token_embedding, *self.transformer.resblocks[:blocks]):
            part.requires_grad_(False)
        self.positional_embedding.requires_grad_(False)

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self.transformer.resblocks)

    def forward(self, tokens: Tensor, end: Tensor) -> Tensor:
        """Raw (not normalised) embedding.

        Causal text needs no padding to the full context: a shorter batch gives the same features.

        Args:
            tokens: (B, N) ids, N at most ``context_length``.
            end: (B,) position of each text's end-of-text token.

        Returns:
            (B, embed_dim).
        """
        x = self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]  # (B, N, D)
        x = self.transformer(x, causal=True)
        pooled = x[torch.arange(len(x), device=x.device), end]  # (B, D)
        return self.ln_final(pooled) @ self.text_projection
