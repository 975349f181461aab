"""What a pretraining will take, put together from counts: steps, memory of a process, time, room on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from fetalclip.fit import counting
from fetalclip.fit.counting import Operations, Parameters
from fetalclip.fit.pretrain_recipe import PretrainRecipe
from fetalclip.fit.speed import StepSpeed
from fetalclip.models.pair import Architecture

MB = 1e6
_FLOAT = 4  # bytes: weights, gradients and AdamW's two means are float32 at every precision
FRAGMENTS = 0.1  # of what is counted: room between blocks that an allocator cannot use; assumed
_PREFETCHED = 3  # batches of pictures in memory: the one trained on and those read ahead
GPU_CONTEXT_MB = 600.0  # of a CUDA process before it does anything; assumed


@dataclass(frozen=True)
class Shape:
    """A recipe as the counts need it.

    Attributes:
        recipe: the recipe.
        architecture: that is trained.
        tokens: longest caption of a process's share of a batch.
        processes: GPUs, or 1.
    """

    recipe: PretrainRecipe
    architecture: Architecture
    tokens: int
    processes: int

    @property
    def share(self) -> int:
        """Pictures of a batch that a process has."""
        return max(1, self.recipe.optim.batch // self.processes)

    @property
    def rows(self) -> int:
        """Pictures that a process puts through the towers at a time."""
        return min(self.recipe.optim.chunk or self.share, self.share)

    @property
    def chunks(self) -> int:
        """Parts that a process's share is put through the towers in."""
        return ceil(self.share / self.rows)

    @property
    def pictures(self) -> int:
        """Pictures of a step, over all processes."""
        return self.recipe.optim.batch * self.recipe.optim.accumulate


def count_steps(shape: Shape, pairs: int) -> dict[str, int]:
    """Steps of an epoch and in all, and the pictures of one; errors are the caller's to look for."""
    epoch = pairs // shape.pictures
    return {"pictures": shape.pictures, "epoch": epoch, "all": epoch * shape.recipe.optim.epochs}


def memory_mb(shape: Shape, parameters: Parameters, base: float) -> dict[str, float]:
    """What a process holds at its fullest, in MB, by what it is.

    Activations and gradients are counted in full together: gradients fill while activations empty, but the first
    chunk's gradients are there when the next one's activations are.

    Args:
        shape: what is trained.
        parameters: of it.
        base: MB of the process without any of it.
    """
    recipe = shape.recipe
    every, trained = sum(parameters.all.values()), sum(parameters.trained.values())
    weights = (every + parameters.buffers) * _FLOAT
    side = recipe.model.image_size
    kept, passing = counting.activations(recipe, shape.architecture, shape.rows, shape.tokens)
    found: dict[str, float] = {
        "weights": weights,
        "gradients": trained * _FLOAT,
        "gradients_sent": trained * _FLOAT if shape.processes > 1 else 0,
        "optimiser": 2 * trained * _FLOAT,
        "average": weights if recipe.optim.ema else 0,
        "activations": kept,
        "passing": passing,
        "loss": counting.loss_bytes(shape.architecture.embed_dim, recipe.optim.batch),
        "batches": _PREFETCHED * recipe.optim.accumulate * shape.share * side**2 * _FLOAT,
    }
    found |= {"fragments": FRAGMENTS * sum(found.values()), "process": base * MB}
    return {**{name: value / MB for name, value in found.items()}, "peak": sum(found.values()) / MB}


def base_mb(shape: Shape, parameters: Parameters, measured: StepSpeed) -> float:
    """MB of the process without the training: what a measured step held beyond what is counted of it."""
    activations = sum(counting.activations(shape.recipe, shape.architecture, measured.pictures, shape.tokens)) / MB
    every, trained = sum(parameters.all.values()) + parameters.buffers, sum(parameters.trained.values())
    counted = (every + 3 * trained) * _FLOAT / MB + activations
    return max(0.0, measured.peak_mb - counted)


def time_here(shape: Shape, operations: Operations, steps: int, peak: float, measured: StepSpeed) -> dict[str, Any]:
    """Time on this machine, from a step that was done on a few pictures and a matrix product that was timed.

    Gradient caching's second forward passes are put on top by their number of operations.
    """
    done = operations.forward + operations.backward + operations.forward * shape.recipe.model.recompute
    seconds = measured.seconds / measured.pictures * operations.all / done  # of a picture
    step = seconds * shape.pictures + measured.optimiser
    return {
        "where": "here",
        "processes": 1,
        "peak_tflops": peak,
        "peak_is": "measured: a matrix product",
        "share": done * measured.pictures / measured.seconds / (peak * 1e12),
        "share_is": f"measured: a step of {measured.pictures} pictures",
        "pictures_per_second": shape.pictures / step,
        "seconds": step * steps,
        "process_hours": step * steps / 3600,
    }


def time_planned(shape: Shape, operations: Operations, steps: int) -> dict[str, Any]:
    """Time on the planned machines: operations over processes, peak and share of it, as the recipe says them."""
    planned = shape.recipe.planned
    rate = shape.processes * planned.peak_tflops * 1e12 * planned.share / operations.all  # pictures a second
    seconds = steps * shape.pictures / rate
    return {
        "where": f"{planned.processes} x {planned.device or 'a GPU'}",
        "processes": planned.processes,
        "peak_tflops": planned.peak_tflops,
        "peak_is": "stated by its maker (planned.peak_tflops)",
        "share": planned.share,
        "share_is": "assumed (planned.share)",
        "pictures_per_second": rate,
        "seconds": seconds,
        "process_hours": seconds * planned.processes / 3600,
    }


def disk_mb(shape: Shape, parameters: Parameters, held: bool) -> dict[str, float]:
    """MB in a run folder: a checkpoint, the best weights, the model; and what is needed while one replaces another."""
    every = sum(parameters.all.values()) + parameters.buffers
    state = every * _FLOAT * (2 if shape.recipe.optim.ema else 1)
    checkpoint = (state + 2 * sum(parameters.trained.values()) * _FLOAT) / MB
    best, model = every * _FLOAT / MB if held else 0.0, every * 2 / MB
    return {"checkpoint": checkpoint, "best": best, "model": model, "needed": 2 * checkpoint + 2 * best + model}
