"""The one training loop: whatever is trained, resumable, with atomic checkpoints and a log that can be plotted."""

from __future__ import annotations

import json
import math
import platform
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

import fetalclip
from fetalclip.disk import replacing
from fetalclip.errors import BadCheckpoint, OutputError

T = TypeVar("T")


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
    def optim(self) -> Optim:
        """How it is trained."""

    def to_dict(self) -> dict[str, Any]:
        """The resolved recipe."""
        ...


class Run(ABC):
    """One run: modules, optimiser, and the folder it leaves behind.

    A training sets ``optimiser`` (its groups carry their ``peak`` rate) and ``steps`` (of an epoch), says what its
    modules, batches and loss are, and calls `start` when all of that is there.

    Args:
        recipe: what to do.
        out: run folder: ``recipe.json``, ``metrics.jsonl``, ``checkpoint.pt``.
    """

    optimiser: torch.optim.Optimizer
    steps: int

    def __init__(self, recipe: AnyRecipe, out: Path) -> None:
        self.out, self.epoch = out, 0
        self._recipe = recipe
        self.device = "cuda" if torch.cuda.is_available() else "cpu"

    @abstractmethod
    def modules(self) -> dict[str, nn.Module]:
        """What is trained, by its name in the checkpoint; the first is put into training mode."""

    @abstractmethod
    def epoch_batches(self, epoch: int) -> Iterator[Any]:
        """The batches of an epoch, the same whenever it is asked."""

    @abstractmethod
    def loss(self, batch: Any) -> Tensor:
        """The loss of a batch."""

    def after_step(self) -> None:  # noqa: B027  (most runs do nothing)
        """What is done to the modules after each step."""

    def look_back(self) -> dict[str, Any]:
        """What the log says of an epoch beside its loss and speed."""
        return {}

    @property
    def total(self) -> int:
        """Steps of the whole run."""
        return self.steps * self._recipe.optim.epochs

    @property
    def done(self) -> bool:
        """Whether every epoch has been trained."""
        return self.epoch >= self._recipe.optim.epochs

    def start(self, facts: dict[str, Any]) -> None:
        """Make the run folder and write ``recipe.json``, with the facts given.

        Raises:
            OutputError: the folder cannot be written.
        """
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            self.made_with = self._made_with()
            told = {"recipe": self._recipe.to_dict(), **self.made_with, **facts}
            (self.out / "recipe.json").write_text(json.dumps(told, indent=1))
        except OSError as error:
            found = f"run folder {self.out} cannot be written ({error.strerror})"
            raise OutputError(found, "a writable folder") from None

    def _made_with(self) -> dict[str, Any]:
        """Environment and commit at the start of the run; a resumed run keeps those it started with."""
        file = self.out / "recipe.json"
        if self.epoch and file.is_file():
            before = json.loads(file.read_text())
            return {name: before[name] for name in ("environment", "commit") if name in before}
        return {"environment": environment(), "commit": commit()}

    def epochs(self) -> None:
        """Train to the last epoch, a checkpoint and a line of the log after each."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task("training", total=self.total, completed=self.epoch * self.steps)
            for epoch in range(self.epoch, self._recipe.optim.epochs):
                began, losses = time.perf_counter(), []
                for step, batch in enumerate(ahead(self.epoch_batches(epoch))):
                    losses.append(self.step(batch, epoch * self.steps + step))
                    progress.update(bar, advance=1, description=f"epoch {epoch + 1} loss {losses[-1]:.3f}")
                self.epoch = epoch + 1
                seconds = time.perf_counter() - began
                self._log(float(np.mean(losses)), len(losses) * self._recipe.optim.batch / seconds)
                self._checkpoint()

    def step(self, batch: Any, number: int) -> float:
        """One optimiser step; returns the loss."""
        model = next(iter(self.modules().values()))
        model.train()
        factor = schedule(number, self._recipe.optim.warmup_steps, self.total)
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * factor
        loss = self.loss(batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), self._recipe.optim.clip)
        self.optimiser.step()
        with torch.no_grad():
            self.after_step()
        return float(loss.detach())

    def _log(self, loss: float, speed: float) -> None:
        line: dict[str, Any] = {"epoch": self.epoch, "loss": loss, "pictures_per_second": round(speed, 2)}
        line.update(self.look_back())
        with (self.out / "metrics.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")

    def _checkpoint(self) -> None:
        state: dict[str, Any] = {name: module.state_dict() for name, module in self.modules().items()}
        state |= {"optimiser": self.optimiser.state_dict(), "epoch": self.epoch, "recipe": self._words()}
        with replacing(self.out / "checkpoint.pt") as part:
            torch.save(state, part)

    def resume(self) -> bool:
        """Go on from the folder's checkpoint; False where there is none.

        Raises:
            BadCheckpoint: it is damaged or of another recipe.
        """
        path = self.out / "checkpoint.pt"
        if not path.is_file():
            return False
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            same = state["recipe"] == self._words()
            if same:
                for name, module in self.modules().items():
                    module.load_state_dict(state[name])
                self.optimiser.load_state_dict(state["optimiser"])
                self.epoch = int(state["epoch"])
        except Exception as error:  # torch raises many kinds for a damaged file
            kind = type(error).__name__
            fix = "remove it to start this run again"
            raise BadCheckpoint(f"checkpoint {path} cannot be read ({kind})", "one this recipe wrote", fix) from None
        if not same:
            raise BadCheckpoint(f"checkpoint {path} of another recipe", "the same recipe", "another --out folder")
        return True

    def _words(self) -> str:
        return json.dumps(self._recipe.to_dict(), sort_keys=True)


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


def commit() -> str:
    """Commit of the code, with a + when it has changes that are not committed; empty outside a git checkout."""
    call = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
    try:
        return subprocess.run(call, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def environment() -> dict[str, str]:
    """What the numbers were made with."""
    return {"fetalclip": fetalclip.__version__, "torch": torch.__version__, "python": platform.python_version()}
