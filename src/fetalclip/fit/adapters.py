"""LoRA: a tower is trained through small matrices beside its large ones, and comes out as the tower it was.

Each adapted matrix W stays as it is and B A of a low rank is added to it; B starts at zero (Hu et al. 2021, arXiv
2106.09685). The adapters are peft's. It adapts ``nn.Linear`` and ``nn.Conv2d``, so while they are there the joint
projection of an attention and the 1 x 1 convolutions of an EfficientNet are shown to it as such layers, on the very
same parameters. `Adapters.merge` adds B A into them and puts the tower's own modules back: what is left needs no peft.

Depthwise convolutions, norms and the projection into the joint space are not adapted: the head follows the latter, and
the others hold few numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fetalclip.errors import BadRecipe
from fetalclip.models.efficientnet import BN_EPS, ConvNorm
from fetalclip.models.transformer import Attention
from fetalclip.optional import require

_LAYERS = ("in_proj", "out_proj", "c_fc", "c_proj", "mix")  # what is adapted, by its name


@dataclass(frozen=True)
class Lora:
    """How large the adapters are.

    Attributes:
        rank: of each of them.
        alpha: what B A is multiplied by, times the rank.
        dropout: chance with which an input of A is left out in training.
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.rank <= 256:
            raise BadRecipe(f"lora.rank = {self.rank}", "1 to 256", "lora.rank=8")
        if not 0 < self.alpha < math.inf or not 0 <= self.dropout < 1:
            raise BadRecipe(f"lora.alpha = {self.alpha:g}, dropout = {self.dropout:g}", "above 0, and 0 to 1")


class _ShownAttention(Attention):
    """An attention whose joint projection is a layer, on the same parameters."""

    def __init__(self, own: Attention) -> None:
        nn.Module.__init__(self)
        self.heads, self.out_proj = own.heads, own.out_proj
        out, into = own.in_proj_weight.shape
        self.in_proj = nn.Linear(into, out, device="meta")
        self.in_proj.weight, self.in_proj.bias = own.in_proj_weight, own.in_proj_bias

    def project(self, x: Tensor) -> Tensor:
        """See `Attention.project`."""
        batch, length, width = x.shape
        qkv = self.in_proj(x).view(batch, length, 3, self.heads, width // self.heads)
        found: Tensor = qkv.permute(2, 0, 3, 1, 4)
        return found


class _ShownConvNorm(nn.Module):
    """A 1 x 1 convolution and its norm, the former as a layer, on the same parameters."""

    def __init__(self, own: ConvNorm) -> None:
        super().__init__()
        out, into = own.weight.shape[:2]
        self.mix = nn.Conv2d(into, out, 1, bias=False, device="meta")
        self.mix.weight = own.weight
        self.gamma, self.beta = own.gamma, own.beta
        self.register_buffer("running_mean", own.running_mean)
        self.register_buffer("running_var", own.running_var)
        self.running_mean: Tensor
        self.running_var: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """See `ConvNorm.forward`."""
        scale = self.gamma * torch.rsqrt(self.running_var + BN_EPS)  # (C',)
        bias = self.beta - self.running_mean * scale
        found: Tensor = torch.addcmul(bias.view(1, -1, 1, 1), self.mix(x), scale.view(1, -1, 1, 1))
        return found


class Adapters:
    """The adapters of one tower, put into it; until they are merged it computes with them.

    Args:
        tower: an image tower; every parameter of its own is frozen.
        lora: how large they are.
        frozen_blocks: the first blocks, which get none.

    Raises:
        MissingPackage: peft is not installed.
        BadRecipe: nothing is left to adapt.
    """

    def __init__(self, tower: nn.Module, lora: Lora, frozen_blocks: int = 0) -> None:
        peft = require("peft", feature="LoRA", extra="train")
        tower.requires_grad_(False)
        self._tower, self._own = tower, _show(tower, frozen_blocks)
        targets = [name for name, module in _adaptable(tower, frozen_blocks) if _is_target(name, module)]
        if not targets:
            found = f"model.frozen_blocks = {frozen_blocks}, which leaves no layer to adapt"
            raise BadRecipe(found, "fewer than the tower has blocks", "model.frozen_blocks=0")
        config = peft.LoraConfig(
            r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets, bias="none"
        )
        self._lora: Any = peft.LoraModel(tower, config, "default")
        self.layers = len(targets)

    def merge(self) -> None:
        """Add the adapters into the tower's own parameters and take them away.

        Raises:
            ValueError: one of them holds a value that is not a number; the tower is not to be used then.
        """
        self._lora.merge_and_unload(safe_merge=True)
        for name, module in self._own.items():
            self._tower.set_submodule(name, module)


def _adaptable(tower: nn.Module, frozen_blocks: int) -> Iterator[tuple[str, nn.Module]]:
    """Every module by its name, but for those of the first blocks."""
    for name, module in tower.named_modules():
        block = re.match(r"(?:blocks|transformer\.resblocks)\.(\d+)\.", name)
        if block is None or int(block[1]) >= frozen_blocks:
            yield name, module


def _show(tower: nn.Module, frozen_blocks: int) -> dict[str, nn.Module]:
    """Show what peft does not know as layers it knows; the tower's own modules by name."""
    own: dict[str, nn.Module] = {}
    for name, module in list(_adaptable(tower, frozen_blocks)):
        if isinstance(module, Attention):
            shown: nn.Module = _ShownAttention(module)
        elif isinstance(module, ConvNorm) and (module.kernel, module.stride, module.groups) == (1, 1, 1):
            shown = _ShownConvNorm(module)
        else:
            continue
        tower.set_submodule(name, shown)
        own[name] = module
    return own


def _is_target(name: str, module: nn.Module) -> bool:
    return name.rpartition(".")[2] in _LAYERS and isinstance(module, (nn.Linear, nn.Conv2d))
