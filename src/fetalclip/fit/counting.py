"""What a step of pretraining takes, counted without doing it: parameters, bytes kept for the backward pass, operations.

The towers are built of tensors that have a shape and no memory, and run once. Counted are the storages that autograd
keeps, each once, and the multiplications and additions that PyTorch's own counter knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from fetalclip.encoder.engine import Normalisation
from fetalclip.fit.claims import diagonal
from fetalclip.fit.groups import lock
from fetalclip.fit.objectives import contrastive
from fetalclip.fit.pretrain import Towers
from fetalclip.fit.pretrain_recipe import PretrainRecipe
from fetalclip.models.pair import Architecture, DualEncoder

SIDES = ("image", "text", "other")
_MIDDLE = Normalisation(32, (0.5,) * 3, (0.5,) * 3)  # the counts do not depend on it


@dataclass(frozen=True)
class Parameters:
    """How many parameters, all and trained, by ``image``, ``text`` and ``other`` (the scales)."""

    all: dict[str, int]
    trained: dict[str, int]
    buffers: int = 0

    def to_dict(self) -> dict[str, dict[str, int]]:
        """The JSON form."""
        sides = {side: {"all": self.all[side], "trained": self.trained[side]} for side in SIDES}
        return {**sides, "together": {"all": sum(self.all.values()), "trained": sum(self.trained.values())}}


@dataclass(frozen=True)
class Operations:
    """Floating-point operations of one picture and its caption, a multiplication and an addition being two.

    Attributes:
        forward, backward: of one pass.
        again: of forward passes done a second time, for gradient caching and recomputing.
    """

    forward: float
    backward: float
    again: float

    @property
    def all(self) -> float:
        """Of a picture in training."""
        return self.forward + self.backward + self.again


@dataclass
class Kept:
    """Bytes that autograd keeps of a forward pass.

    Attributes:
        outside: not within a block.
        inside: within each block.
        inputs: of the blocks, whatever keeps them.
        largest: of the storages kept.
    """

    outside: int = 0
    inside: list[int] = field(default_factory=list)
    inputs: int = 0
    largest: int = 0

    @property
    def passing(self) -> int:
        """Gradients on their way back: at the largest of what is kept, one comes in and one goes out."""
        return 2 * self.largest

    def bytes(self, recompute: bool) -> int:
        """What is held at once: of recomputed blocks their inputs, and the inside of one of them."""
        if not recompute:
            return self.outside + sum(self.inside)
        return self.outside + self.inputs + max(self.inside, default=0)


def parameters(recipe: PretrainRecipe, architecture: Architecture) -> Parameters:
    """Count parameters.

    Raises:
        BadRecipe: more locked blocks than a tower has.
    """
    with torch.device("meta"):
        towers = _towers(recipe, architecture)
    every, trained = dict.fromkeys(SIDES, 0), dict.fromkeys(SIDES, 0)
    for name, parameter in towers.named_parameters():
        side = {"visual": "image", "text": "text"}.get(name.split(".")[1], "other")
        every[side] += parameter.numel()
        trained[side] += parameter.numel() if parameter.requires_grad else 0
    return Parameters(every, trained, sum(value.numel() for value in towers.buffers()))


def operations(recipe: PretrainRecipe, architecture: Architecture, tokens: int, chunks: int) -> Operations:
    """Count the operations of a picture and a caption of so many tokens, in a share put through in so many chunks."""
    with torch.device("meta"):
        towers = _towers(recipe, architecture)
        with FlopCounterMode(display=False) as forward:
            made = towers(**inputs_like(recipe, 1, tokens))
        with FlopCounterMode(display=False, custom_mapping=_COUNTED) as backward:
            _go_back(made)
    once = float(forward.get_total_flops())
    again = once * (chunks - 1) / chunks + once * recipe.model.recompute
    return Operations(once, float(backward.get_total_flops()), again)


def activations(recipe: PretrainRecipe, architecture: Architecture, rows: int, tokens: int) -> tuple[int, int]:
    """Bytes kept for the backward pass of so many pictures and captions, put through the towers at once.

    Returns:
        What is kept, and beside it `Kept.passing`.
    """
    with FakeTensorMode():
        towers = _towers(recipe, architecture)
        own = {_place(value) for value in (*towers.parameters(), *towers.buffers())}
        inputs = inputs_like(recipe, rows, tokens)
        half = recipe.optim.precision != "fp32"
        with torch.autocast("cpu", torch.bfloat16, enabled=half), _keeping(towers, own) as kept:
            made = towers(**inputs)
        del made
    return kept.bytes(recipe.model.recompute), kept.passing


def loss_bytes(width: int, rows: int) -> int:
    """Bytes kept for the backward pass of a contrastive loss over so many pictures, gathered features included."""
    with FakeTensorMode(), _keeping(nn.Module(), set()) as kept:
        images, texts = (torch.empty(rows, width, requires_grad=True) for _ in range(2))
        contrastive(images, texts, torch.ones((), requires_grad=True), *diagonal(rows))
    return kept.bytes(False)


def inputs_like(recipe: PretrainRecipe, rows: int, tokens: int) -> dict[str, Tensor]:
    """What the towers are called with: so many pictures and captions of so many tokens, of zeros."""
    size = recipe.model.image_size
    return {
        "pictures": torch.zeros(rows, size, size),
        "seeds": torch.zeros(rows, dtype=torch.long),
        "ids": torch.zeros(rows, tokens, dtype=torch.long),
        "end": torch.full((rows,), tokens - 1),
    }


def _towers(recipe: PretrainRecipe, architecture: Architecture) -> Towers:
    model, optim = replace(recipe.model, recompute=False), replace(recipe.optim, compile=False)
    plain = replace(recipe, model=model, optim=optim)  # both hide what is done and kept
    towers = Towers(DualEncoder(architecture), plain, _MIDDLE)
    lock(towers.model, recipe.model)
    return towers.train()


def _go_back(made: dict[str, Tensor]) -> None:
    torch.stack([value.sum() for value in made.values() if value.requires_grad]).sum().backward()


def _convolution_backward(
    gradient: Sequence[int], seen: Sequence[int], weight: Sequence[int], *rest: Any, out_shape: Any = None, **_: Any
) -> int:
    """Operations of a convolution's backward pass; PyTorch's own formula takes a depthwise one for a dense one."""
    once = 2 * prod(gradient) * prod(weight[1:])  # as forward: each output from its group's inputs
    return once * sum(rest[-1][:2])  # of the input, of the weight


_COUNTED = {torch.ops.aten.convolution_backward: _convolution_backward}


def _place(value: Tensor) -> int:
    return int(value.untyped_storage()._cdata)


@contextmanager
def _keeping(module: nn.Module, own: set[int]) -> Iterator[Kept]:
    """Watch what autograd keeps in the block, each storage once and none of those that are there anyway."""
    kept, seen, alive = Kept(), set(own), []
    inside: list[bool] = []

    def pack(value: Tensor) -> Tensor:
        alive.append(value)  # so that no other storage takes its place
        size = value.untyped_storage().nbytes()
        if _place(value) not in seen:
            seen.add(_place(value))
            kept.largest = max(kept.largest, size)
            if inside:
                kept.inside[-1] += size
            else:
                kept.outside += size
        return value

    def enter(block: nn.Module, given: tuple[Tensor, ...]) -> None:
        kept.inputs += given[0].untyped_storage().nbytes()
        kept.inside.append(0)
        inside.append(True)

    def leave(block: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        inside.pop()

    handles = []
    for name, part in module.named_modules():
        if name.rpartition(".")[0].endswith(("resblocks", "blocks")):
            handles += [part.register_forward_pre_hook(enter), part.register_forward_hook(leave)]
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        yield kept
    for handle in handles:
        handle.remove()
