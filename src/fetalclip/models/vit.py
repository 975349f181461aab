"""The full-size image tower: a plain pre-norm vision transformer as CLIP has it.

Patches become tokens by one convolution, a class token goes before them, positions are learned, a norm stands before
the blocks and another after them on the class token, which a projection takes into the joint space. Radford et al.
2021 (arXiv 2103.00020); names of the parameters are OpenCLIP's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fetalclip.errors import UsageError
from fetalclip.models.depths import after_blocks
from fetalclip.models.drops import kept_patches, kept_paths
from fetalclip.models.transformer import Transformer


@dataclass(frozen=True)
class ViTConfig:
    """Shape of the tower; the defaults are those of ViT-L/14 at 224 pixels."""

    kind: str = "vit"
    image_size: int = 224
    patch_size: int = 14
    width: int = 1024
    layers: int = 24
    heads: int = 16
    mlp_ratio: float = 4.0

    @property
    def grid(self) -> int:
        """Patches along one side."""
        return self.image_size // self.patch_size


class VisionTransformer(nn.Module):
    """Pictures to an embedding in the joint space.

    Args:
        config: its shape.
        embed_dim: width of the joint space.

    Attributes:
        drop_path: chance that a picture with a seed skips a residual branch of the last block; see `kept_paths`.
        patch_dropout: share of the patches that a picture with a seed leaves out; see `kept_patches`.
    """

    drop_path, patch_dropout = 0.0, 0.0

    def __init__(self, config: ViTConfig, embed_dim: int) -> None:
        super().__init__()
        self.config = config
        width, scale = config.width, config.width**-0.5
        self.conv1 = nn.Conv2d(3, width, config.patch_size, config.patch_size, bias=False)
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn(config.grid**2 + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, config.layers, config.heads, config.mlp_ratio)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(scale * torch.randn(width, embed_dim))

    def freeze(self, blocks: int) -> None:
        """Keep the patch embedding and the first ``blocks`` blocks as they are (0: train everything)."""
        if not blocks:
            return
        for part in (self.conv1, self.ln_pre, *self.transformer.resblocks[:blocks]):
            part.requires_grad_(False)
        self.class_embedding.requires_grad_(False)
        self.positional_embedding.requires_grad_(False)

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return self.config.layers

    def tokens(self, images: Tensor, seeds: Tensor | None = None) -> Tensor:
        """What goes into the first block: (B, 3, S, S) to (B, 1 + patches, D), the class token first.

        With seeds, (B,) int64, and a ``patch_dropout`` each picture keeps its part of the patches.
        """
        side = self.config.image_size
        if images.shape[-2:] != (side, side):
            raise UsageError(
                f"pictures of {tuple(images.shape[-2:])} pixels", f"{side} x {side}, as the tower's config"
            )
        x = self.conv1(images).flatten(2).transpose(1, 2)  # (B, patches, D)
        first = self.class_embedding.expand(len(x), 1, -1)  # (B, 1, D)
        x = torch.cat([first, x], dim=1) + self.positional_embedding
        if seeds is not None and self.patch_dropout:
            kept = 1 + kept_patches(seeds, self.patch_dropout, x.shape[1] - 1)  # (B, kept)
            kept = torch.cat([torch.zeros_like(kept[:, :1]), kept], dim=1)[:, :, None]
            x = x.gather(1, kept.expand(-1, -1, x.shape[2]))
        return self.ln_pre(x)

    def _states(self, images: Tensor) -> Iterator[Tensor]:
        """(B, 1 + patches, D) after each block."""
        yield from self.transformer.states(self.tokens(images), causal=False)

    def features(self, images: Tensor, seeds: Tensor | None = None) -> Tensor:
        """Pooled features before the projection: (B, 3, S, S) to (B, D); ``seeds`` as `forward`'s."""
        x = self.tokens(images, seeds)
        if seeds is not None and self.drop_path:
            x = self.transformer(x, False, kept_paths(seeds, self.drop_path, self.depth, 2))
        else:
            x = self.transformer(x, causal=False)
        return self.ln_post(x[:, 0])

    def forward(self, images: Tensor, seeds: Tensor | None = None) -> Tensor:
        """Raw (not normalised) embedding.

        Args:
            images: (B, 3, S, S).
            seeds: (B,) int64, what each picture's drops are drawn from; None: nothing is dropped.

        Returns:
            (B, embed_dim).
        """
        return self.features(images, seeds) @ self.proj

    def token_maps(self, images: Tensor, depths: Sequence[int]) -> list[Tensor]:
        """Patch tokens after the named blocks as maps, for dense heads; the class token is left out.

        Args:
            images: (B, 3, S, S).
            depths: block numbers, 1 to ``depth``.

        Raises:
            UsageError: no depth, or one this tower does not have.

        Returns:
            One (B, D, S / patch, S / patch) map per depth, in the order asked.
        """
        return [self._map(x) for x in after_blocks(self._states(images), depths, self.depth)]

    def with_maps(self, images: Tensor, depths: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
        """Raw embedding and token maps in one pass; arguments and errors as `token_maps`."""
        *found, last = after_blocks(self._states(images), [*depths, self.depth], self.depth)
        return self.ln_post(last[:, 0]) @ self.proj, [self._map(x) for x in found]

    def _map(self, x: Tensor) -> Tensor:
        side = self.config.grid
        return x[:, 1:].transpose(1, 2).unflatten(2, (side, side))
