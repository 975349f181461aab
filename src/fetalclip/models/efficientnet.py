"""The compact image tower: EfficientNet-Lite0 with a projection into the joint space.

Lite is EfficientNet without squeeze-and-excitation and with ReLU6, made to run well on plain processors.
Layout and ImageNet start: Tan & Le 2019 (arXiv 1905.11946) and the TensorFlow EfficientNet-Lite release.
BatchNorm never leaves its running statistics, in training neither: its affine part is trained, its statistics
are not, so that a batch split into pieces (gradient caching, several processes) equals the joined batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fetalclip.models.depths import after_blocks
from fetalclip.models.drops import kept_paths

# (blocks, kernel, stride, expansion, output channels) of the seven stages
LITE0_STAGES: tuple[tuple[int, int, int, int, int], ...] = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
BN_EPS = 1e-3  # the value the ImageNet weights were trained with


@dataclass(frozen=True)
class LiteConfig:
    """Shape of the tower: there is one."""

    kind: str = "efficientnet-lite0"


class ConvNorm(nn.Module):
    """Convolution without bias, "same" padding, then BatchNorm on its running statistics.

    With fixed statistics the norm is a scale and a shift per channel, so it is folded into the convolution's
    weight and bias on the fly: the gradient still reaches weight, gamma and beta, and no pass over the pixels
    is spent on normalising.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.stride, self.groups, self.kernel = stride, groups, kernel
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in // groups, kernel, kernel))
        self.gamma = nn.Parameter(torch.ones(channels_out))
        self.beta = nn.Parameter(torch.zeros(channels_out))
        self.register_buffer("running_mean", torch.zeros(channels_out))
        self.register_buffer("running_var", torch.ones(channels_out))
        self.running_mean: Tensor
        self.running_var: Tensor
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")  # fan-out vanishes depthwise

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', ceil(H / stride), ceil(W / stride))."""
        scale = self.gamma * torch.rsqrt(self.running_var + BN_EPS)  # (C',)
        weight = self.weight * scale.view(-1, 1, 1, 1)
        bias = self.beta - self.running_mean * scale
        rows, columns = (_same_padding(n, self.kernel, self.stride) for n in x.shape[-2:])
        if rows == columns and rows % 2 == 0:
            return F.conv2d(x, weight, bias, self.stride, rows // 2, 1, self.groups)
        # TensorFlow's "same": the odd pixel goes right and below.
        x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return F.conv2d(x, weight, bias, self.stride, 0, 1, self.groups)


def _same_padding(n: int, kernel: int, stride: int) -> int:
    return max((-(-n // stride) - 1) * stride + kernel - n, 0)


class InvertedResidual(nn.Module):
    """Expand, depthwise, project; the input is added back where shapes allow."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = channels_in * expansion
        self.expand = ConvNorm(channels_in, width, 1) if expansion != 1 else None
        self.depthwise = ConvNorm(width, width, kernel, stride, groups=width)
        self.project = ConvNorm(width, channels_out, 1)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor, path: Tensor | None = None) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride); ``path``, (B,), multiplies what is added to each input."""
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        if self.residual and path is not None:
            y = y * path.to(y.dtype)[:, None, None, None]
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite0 and a linear projection.

    Args:
        config: its shape.
        embed_dim: width of the joint space.

    Attributes:
        drop_path: chance that a picture with a seed skips the last residual branch there can be; see `kept_paths`.
        recompute: as `Transformer.recompute`.
    """

    drop_path, recompute = 0.0, False

    def __init__(self, config: LiteConfig, embed_dim: int) -> None:
        super().__init__()
        self.config = config
        self.stem = ConvNorm(3, STEM_CHANNELS, 3, 2)
        blocks: list[InvertedResidual] = []
        channels = STEM_CHANNELS
        for repeats, kernel, stride, expansion, width in LITE0_STAGES:
            for i in range(repeats):
                blocks.append(InvertedResidual(channels, width, kernel, stride if i == 0 else 1, expansion))
                channels = width
        self.blocks = nn.ModuleList(blocks)
        self.head = ConvNorm(channels, HEAD_CHANNELS, 1)
        self.proj = nn.Linear(HEAD_CHANNELS, embed_dim, bias=False)
        nn.init.normal_(self.proj.weight, std=HEAD_CHANNELS**-0.5)

    def freeze(self, blocks: int) -> None:
        """Keep the stem and the first ``blocks`` blocks as they are (0: train everything)."""
        for module in [self.stem, *self.blocks[:blocks]] if blocks else []:
            module.requires_grad_(False)

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    def features(self, images: Tensor, seeds: Tensor | None = None) -> Tensor:
        """Pooled features before the projection: (B, 3, S, S) to (B, 1280); ``seeds`` as `forward`'s."""
        paths = None
        if seeds is not None and self.drop_path:
            paths = kept_paths(seeds, self.drop_path, self.depth, 1)[:, 0]  # (blocks, B)
        (last,) = after_blocks(self._states(images, paths), [self.depth], self.depth)
        return F.relu6(self.head(last)).mean(dim=(2, 3))

    def forward(self, images: Tensor, seeds: Tensor | None = None) -> Tensor:
        """Raw (not normalised) embedding.

        Args:
            images: (B, 3, S, S).
            seeds: (B,) int64, what each picture's drops are drawn from; None: nothing is dropped.

        Returns:
            (B, embed_dim).
        """
        return self.proj(self.features(images, seeds))

    def token_maps(self, images: Tensor, depths: Sequence[int]) -> list[Tensor]:
        """Feature maps after the named blocks, for dense heads.

        Args:
            images: (B, 3, S, S).
            depths: block numbers, 1 to ``depth``.

        Raises:
            UsageError: no depth, or one this tower does not have.

        Returns:
            One (B, C, h, w) map per depth, in the order asked.
        """
        return after_blocks(self._states(images), depths, self.depth)

    def with_maps(self, images: Tensor, depths: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
        """Raw embedding and token maps in one pass; arguments and errors as `token_maps`."""
        *maps, last = self.token_maps(images, [*depths, self.depth])
        return self.proj(F.relu6(self.head(last)).mean(dim=(2, 3))), maps

    def _states(self, images: Tensor, paths: Tensor | None = None) -> Iterator[Tensor]:
        """(B, C, h, w) after each block; ``paths`` is (blocks, B)."""
        x = F.relu6(self.stem(images))
        for i, block in enumerate(self.blocks):
            given = (x,) if paths is None else (x, paths[i])
            again = self.recompute and torch.is_grad_enabled()
            x = checkpoint(block, *given, use_reentrant=False) if again else block(*given)
            yield x
