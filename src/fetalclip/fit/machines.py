"""One process, many GPUs or many machines: Accelerate decides which, by how the program was started."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from fetalclip.errors import BadRecipe, UsageError
from fetalclip.fit.pace import Pace
from fetalclip.optional import require

if TYPE_CHECKING:
    from accelerate import Accelerator

T = TypeVar("T")
_ACCELERATE = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


def machines(pace: Pace, log_with: list[Any] | None = None) -> Accelerator:
    """The Accelerator of a run; the processor unless there is a CUDA device.

    Raises:
        MissingPackage: Accelerate is not installed.
        UsageError: the training was started on several processes and cannot be spread.
        BadRecipe: a precision this machine does not have.
    """
    require("accelerate", "training", "train")
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    gpu = torch.cuda.is_available()
    if pace.precision == "fp16" and not gpu:
        raise BadRecipe("optim.precision=fp16 without a GPU", "bf16 or fp32", "optim.precision=fp32")
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != _ACCELERATE[pace.precision]:
        AcceleratorState._reset_state()  # an earlier run of this process had another precision
    made = Accelerator(
        cpu=not gpu,
        mixed_precision=_ACCELERATE[pace.precision],
        gradient_accumulation_steps=pace.accumulate,
        log_with=log_with,
    )
    if made.num_processes > 1 and not pace.many:
        found = f"a training of this kind on {made.num_processes} processes"
        raise UsageError(found, "one process: only pretraining and distillation are spread", "fetalclip train RECIPE")
    return made


def joined(own: list[T]) -> list[T]:
    """The lists of all processes, one after the other, in the order of the processes."""
    from accelerate.utils import gather_object

    found: list[T] = gather_object(own)
    return found


def settle() -> None:
    """Put this process on its device, for what is opened before the Accelerator of its run.

    Raises:
        MissingPackage: Accelerate is not installed.
    """
    require("accelerate", "training", "train")
    from accelerate import PartialState

    PartialState(cpu=not torch.cuda.is_available())


def seed_all(seed: int) -> None:
    """Start every generator of this process, so that a run that is started again is the same run."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_states() -> dict[str, Any]:
    """Of every generator of this process, as tensors and plain numbers, so that a checkpoint holds no code."""
    name, keys, place, has_gauss, cached = np.random.get_state()
    version, words, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [str(name), torch.from_numpy(np.asarray(keys).astype(np.int64)), place, has_gauss, cached],
        "python": [version, list(words), gauss],
    }


def restore_random(states: dict[str, Any]) -> None:
    """Put the generators where `random_states` found them."""
    torch.set_rng_state(states["torch"])
    if torch.cuda.is_available() and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
