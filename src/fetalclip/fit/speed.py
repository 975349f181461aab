"""How fast this machine is: its matrix product, and a step of a pretraining on a few pictures, both timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from fetalclip.encoder.engine import Normalisation
from fetalclip.fit.claims import diagonal
from fetalclip.fit.counting import inputs_like
from fetalclip.fit.groups import lock, pair_groups
from fetalclip.fit.objectives import contrastive
from fetalclip.fit.pretrain import Towers
from fetalclip.fit.pretrain_recipe import PretrainRecipe
from fetalclip.fit.watch import peak_memory_mb
from fetalclip.memory import keep_freed_memory
from fetalclip.models.pair import Architecture, DualEncoder

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_SIDE = {"cpu": 1024, "cuda": 8192}  # of the matrices
_TIMES = 3


@dataclass(frozen=True)
class StepSpeed:
    """A step that was done.

    Attributes:
        pictures: in it.
        seconds: of its forward and backward pass, the best of some.
        optimiser: seconds of the optimiser's step.
        peak_mb: the most memory the process held by then.
    """

    pictures: int
    seconds: float
    optimiser: float
    peak_mb: float


def matmul_tflops(precision: str, device: str, seconds: float = 1.0) -> float:
    """10^12 operations a second of a large matrix product: the best of those done in the time given."""
    side = _SIDE[torch.device(device).type]
    a, b = (torch.randn(side, side, device=device, dtype=TYPES[precision]) for _ in range(2))
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end or best == float("inf"):
        best = min(best, _timed(lambda: a @ b, device))
    return 2.0 * side**3 / best / 1e12


def step_speed(recipe: PretrainRecipe, architecture: Architecture, pictures: int, tokens: int) -> StepSpeed:
    """Do a step on random pictures with random weights.

    Args:
        recipe: precision, locks, drops, recomputing.
        architecture: of the pair.
        pictures: in the step.
        tokens: of each caption.
    """
    keep_freed_memory()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    towers = Towers(DualEncoder(architecture), recipe, Normalisation(32, (0.5,) * 3, (0.5,) * 3)).to(device).train()
    lock(towers.model, recipe.model)
    towers.model.visual.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(pair_groups(towers.model, recipe), fused=True)
    inputs = {name: value.to(device) for name, value in inputs_like(recipe, pictures, tokens).items()}
    inputs["pictures"].uniform_()
    half = recipe.optim.precision != "fp32"

    def pass_() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(device, TYPES[recipe.optim.precision], enabled=half):
            made = towers(**inputs)
        true, unknown = (table.to(device) for table in diagonal(pictures))
        images, texts = made["images"].float(), made["texts"].float()
        contrastive(images, texts, made["scale"], true, unknown).backward()

    pass_()
    optimiser.step()  # makes its state
    seconds = min(_timed(pass_, device) for _ in range(_TIMES))
    return StepSpeed(pictures, seconds, _timed(optimiser.step, device), peak_memory_mb(device))


def _timed(work: Callable[[], object], device: str) -> float:
    began = time.perf_counter()
    work()
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began
