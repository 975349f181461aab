"""Which parameters of a pair are trained, at which rate, and which of them decay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import nn

from fetalclip.errors import BadRecipe
from fetalclip.fit.pretrain_recipe import PretrainRecipe, TowersRecipe
from fetalclip.models.pair import DualEncoder

_BLOCK = re.compile(r"(?:transformer\.resblocks|blocks)\.(\d+)\.")
_INPUT = ("conv1.", "class_embedding", "positional_embedding", "ln_pre.", "stem.", "token_embedding.")


def lock(model: DualEncoder, recipe: TowersRecipe) -> None:
    """Let only what a recipe trains have gradients; the scale always does.

    Raises:
        BadRecipe: more blocks than a tower has.
    """
    for side, tower, blocks in (("image", model.visual, recipe.lock_image), ("text", model.text, recipe.lock_text)):
        if blocks > tower.depth:
            key = f"model.lock_{side}"
            raise BadRecipe(f"{key} = {blocks}", f"at most the tower's {tower.depth} blocks", f"{key}=-1 for all of it")
        tower.requires_grad_(blocks >= 0)
        tower.freeze(max(blocks, 0))


def pair_groups(
    model: DualEncoder, recipe: PretrainRecipe, more: Mapping[str, nn.Parameter] | None = None
) -> list[dict[str, Any]]:
    """AdamW's groups of the parameters that have gradients.

    A tower's rate falls by ``layer_decay`` from each block to the one below it (Clark et al. 2020, arXiv 2003.10555;
    Bao et al. 2022, arXiv 2106.08254): what stands after the blocks has the whole rate, their input the smallest.
    Norms, biases, tables of positions, the class token and the scale do not decay.

    Args:
        model: the pair.
        recipe: the rates are its ``optim``'s.
        more: further parameters by name, at the image side's whole rate; those of one dimension do not decay.

    Returns:
        Groups with ``params``, ``peak`` (the highest rate), ``lr`` (the same until a schedule sets it) and
        ``weight_decay``; every parameter in one of them.
    """
    optim = recipe.optim
    rates = {"visual": optim.rate, "text": optim.rate_text or optim.rate}
    depths = {"visual": model.visual.depth, "text": model.text.depth}
    found = [(name, parameter, optim.rate) for name, parameter in (more or {}).items()]
    for name, parameter in model.named_parameters():
        side, _, rest = name.partition(".")
        blocks = depths.get(side, 0)
        below = blocks + 1 - depth_of(rest, blocks) if blocks else 0
        found.append((name, parameter, rates.get(side, optim.rate) * optim.layer_decay**below))
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter, rate in found:
        plain = parameter.ndim < 2 or "positional_embedding" in name
        if parameter.requires_grad:
            groups.setdefault((rate, 0.0 if plain else optim.weight_decay), []).append(parameter)
    return [{"params": p, "lr": rate, "peak": rate, "weight_decay": decay} for (rate, decay), p in groups.items()]


def depth_of(name: str, blocks: int) -> int:
    """Where a tower's parameter stands: 0 at the input, i in block i of 1 to ``blocks``, ``blocks`` + 1 after them.

    Args:
        name: the parameter's, within its tower.
        blocks: the tower's number of them.
    """
    if found := _BLOCK.match(name):
        return int(found[1]) + 1
    return 0 if name.startswith(_INPUT) else blocks + 1
