"""How a run goes on: what the loop reads of a recipe, the rate of a step, batches made ahead, what is written when."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
MINUTES = 10.0


@dataclass(frozen=True)
class Pace:
    """What the loop does beside its steps.

    Attributes:
        precision: ``fp32``, ``bf16`` or ``fp16``.
        log_steps: steps between lines of the log; 0: a line an epoch only.
        checkpoint_steps: steps between checkpoints; 0: by the clock.
        checkpoint_minutes: minutes between checkpoints; one stands at the end of each epoch whatever these say.
        many: whether the training may be spread over processes.
        accumulate: batches whose gradients are averaged into one step.
        trackers: further trackers of the log, by Accelerate's names.
    """

    precision: str = "fp32"
    log_steps: int = 0
    checkpoint_steps: int = 0
    checkpoint_minutes: float = MINUTES
    many: bool = False
    accumulate: int = 1
    trackers: tuple[str, ...] = ()


class Optim(Protocol):
    """What the loop reads of a recipe's ``optim``."""

    @property
    def epochs(self) -> int:
        """Passes over an epoch's draws."""

    @property
    def batch(self) -> int:
        """Pictures a step."""

    @property
    def warmup_steps(self) -> int:
        """Steps in which the rate rises to its peak."""

    @property
    def clip(self) -> float:
        """Largest norm of a step's gradient."""


class AnyRecipe(Protocol):
    """What the loop reads of a recipe."""

    @property
    def seed(self) -> int:
        """Seed of everything random."""

    @property
    def optim(self) -> Optim:
        """How it is trained."""

    def to_dict(self) -> dict[str, Any]:
        """The resolved recipe."""
        ...


def ahead(batches: Iterator[T]) -> Iterator[T]:
    """The same batches, each made while the one before it is trained on."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


def schedule(step: int, warmup: int, total: int) -> float:
    """Share of the peak rate at a step: linear warm-up, then cosine to zero."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup))))
