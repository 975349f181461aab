"""The same transformer with its matrices laid out for this processor: faster, same numbers.

On a CPU, torch multiplies float32 matrices through MKL, which is slow where it does not know the processor (AMD's).
oneDNN, which torch carries too, is two to three times as fast there once a weight matrix has been put into its own
layout. That is done once, when a tower is first used, and only for inference.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fetalclip.models.transformer import Block, Transformer

_WORTH = 512  # width from which packing pays
_ROWS = 257  # rows the layout is chosen for: the tokens of one picture of ViT-L/14; right for any number


def can_pack(tower: nn.Module, device: str) -> bool:
    """Whether a tower has a transformer worth packing and this torch can do it here."""
    body = getattr(tower, "transformer", None)
    if not isinstance(body, Transformer) or device != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    weight = next(body.parameters())  # of the first norm: as long as the transformer is wide
    return weight.numel() >= _WORTH and _works(weight.dtype)


@cache
@torch.inference_mode()
def _works(dtype: torch.dtype) -> bool:
    """Whether torch's oneDNN operators are there (they are not part of its public face) and right."""
    x, weight, bias = torch.eye(16, dtype=dtype), torch.eye(16, dtype=dtype) * 2, torch.ones(16, dtype=dtype)
    try:
        return torch.equal(PackedLinear(weight, bias)(x), x * 2 + 1)
    except (RuntimeError, AttributeError, TypeError):
        return False


class PackedLinear:
    """A linear layer in oneDNN's own layout, with what follows it fused in.

    Args:
        weight: (out, in).
        bias: (out,).
        then: ``none`` or ``gelu``.
    """

    def __init__(self, weight: Tensor, bias: Tensor, then: str = "none") -> None:
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), _ROWS)
        self.bias, self.then = bias.detach(), then

    def __call__(self, x: Tensor) -> Tensor:
        """(B, N, in) to (B, N, out)."""
        made: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, self.then, [], "none")
        return made


class PackedBlock(nn.Module):
    """One pre-norm block; see ``fetalclip.models.transformer.Block``."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        attn, mlp = block.attn, block.mlp
        self.heads, self.ln_1, self.ln_2 = attn.heads, block.ln_1, block.ln_2
        self.qkv = PackedLinear(attn.in_proj_weight, attn.in_proj_bias)
        self.out = PackedLinear(attn.out_proj.weight, attn.out_proj.bias)
        self.widen = PackedLinear(mlp.c_fc.weight, mlp.c_fc.bias, "gelu")
        self.narrow = PackedLinear(mlp.c_proj.weight, mlp.c_proj.bias)

    def forward(self, x: Tensor, causal: bool) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        q, k, v = self.project(x)
        return self.finish(x, F.scaled_dot_product_attention(q, k, v, is_causal=causal))

    def project(self, x: Tensor) -> Tensor:
        """See ``Block.project``."""
        batch, length, width = x.shape
        qkv = self.qkv(self.ln_1(x)).view(batch, length, 3, self.heads, width // self.heads)
        return qkv.permute(2, 0, 3, 1, 4)

    def finish(self, x: Tensor, y: Tensor) -> Tensor:
        """See ``Block.finish``."""
        x = x + self.out(y.transpose(1, 2).reshape(x.shape))
        return x + self.narrow(self.widen(self.ln_2(x)))


class PackedTransformer(Transformer):
    """Takes the place of ``Transformer`` in a tower that only infers: the same stack, of packed blocks."""

    def __init__(self, body: Transformer) -> None:
        nn.Module.__init__(self)  # nothing of its own to make
        self.resblocks = nn.ModuleList(PackedBlock(block) for block in body.resblocks)  # type: ignore[arg-type]


@torch.inference_mode()
def pack(tower: Any) -> Any:
    """A copy of a tower that shares everything but its transformer, which is packed.

    Args:
        tower: on the CPU, in the number type it is to compute in.
    """
    twin = copy.copy(tower)
    twin._modules = {**tower._modules, "transformer": PackedTransformer(tower.transformer)}
    return twin
