"""The one training loop: whatever is trained, on one core or many machines, resumable to the step, with a log."""

from __future__ import annotations

import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from fetalclip.disk import replacing
from fetalclip.errors import BadCheckpoint, BadValue, OutputError
from fetalclip.fit import checkpoints
from fetalclip.fit.machines import joined, machines, random_states, restore_random, seed_all
from fetalclip.fit.pace import AnyRecipe, Pace, ahead, schedule
from fetalclip.fit.trackers import hyperparameters, numbers, trackers
from fetalclip.fit.watch import LOG, commit, environment, plot_run

T = TypeVar("T")
_LONG = 30.0  # seconds an epoch takes for its curves to be drawn before the last


class Run(ABC):
    """One run: modules, optimiser, and the folder it leaves behind.

    A training sets ``optimiser`` (its groups carry their ``peak`` rate) and ``steps`` (of an epoch), says what its
    modules, batches and loss are, and calls `start` when all of that is there.

    Args:
        recipe: what to do.
        out: run folder: ``recipe.json``, ``metrics.jsonl``, ``checkpoint.pt``.
        pace: precision, and how often things are written.
    """

    optimiser: torch.optim.Optimizer
    steps: int

    def __init__(self, recipe: AnyRecipe, out: Path, pace: Pace | None = None) -> None:
        self.out, self.pace, self._recipe = out, pace or Pace(), recipe
        self.epoch, self.place = 0, 0  # epochs done, and steps of the next one
        made = trackers(self.pace.trackers, out) if self.pace.trackers else None
        self.accelerator = machines(self.pace, made)
        self.device = str(self.accelerator.device)
        seed_all(recipe.seed)
        self.main = bool(self.accelerator.is_main_process)
        self.norm = math.nan  # of the last step's gradient
        self._losses: list[float] = []  # of the epoch's steps so far

    @abstractmethod
    def modules(self) -> dict[str, nn.Module]:
        """What is trained, by its name in the checkpoint; the first is put into training mode."""

    @abstractmethod
    def epoch_batches(self, epoch: int) -> Iterator[Any]:
        """The batches of an epoch, the same whenever it is asked."""

    def rest(self, epoch: int, skip: int) -> Iterator[Any]:
        """The batches of an epoch but for the first ``skip``."""
        return islice(self.epoch_batches(epoch), skip, None)

    @abstractmethod
    def loss(self, batch: Any) -> Tensor:
        """The loss of a batch."""

    def backward(self, batch: Any) -> Tensor:
        """Leave the gradients of a batch's loss with the parameters; the loss."""
        loss = self.loss(batch)
        self.accelerator.backward(loss)
        return loss

    def trained(self) -> Iterable[nn.Parameter]:
        """Parameters whose gradient is clipped."""
        return next(iter(self.modules().values())).parameters()

    def after_step(self) -> None:  # noqa: B027  (most runs do nothing)
        """What is done to the modules after each step."""

    def look_back(self) -> dict[str, Any]:
        """What the log says of an epoch beside its loss and speed."""
        return {}

    def step_facts(self) -> dict[str, Any]:
        """What the log says of a step beside its loss, rate and speed."""
        return {}

    def more_state(self) -> dict[str, Any]:
        """What else a checkpoint holds: tensors and plain values."""
        return {}

    def take_more(self, state: dict[str, Any]) -> None:  # noqa: B027  (most runs have nothing more)
        """Take up what `more_state` gave."""

    def together(self) -> None:  # noqa: B027  (one process has nothing to bring together)
        """What all processes do before the first of them writes a checkpoint."""

    @property
    def pictures(self) -> int:
        """Pictures a step."""
        return self._recipe.optim.batch

    @property
    def fingerprint(self) -> str:
        """Of the data, where a checkpoint is held against it; else empty."""
        return ""

    @property
    def total(self) -> int:
        """Steps of the whole run."""
        return self.steps * self._recipe.optim.epochs

    @property
    def done(self) -> bool:
        """Whether every epoch has been trained."""
        return self.epoch >= self._recipe.optim.epochs

    @property
    def number(self) -> int:
        """Steps done."""
        return self.epoch * self.steps + self.place

    def start(self, facts: dict[str, Any]) -> None:
        """Make the run folder and write ``recipe.json``, with the facts given.

        Raises:
            OutputError: the folder cannot be written.
        """
        self.made_with = self._made_with()
        if self.pace.trackers:
            self.accelerator.init_trackers("fetalclip", config=hyperparameters(self._recipe.to_dict()))
        if not self.main:
            return
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            if not self.number:  # what a run left that was killed before its first checkpoint
                checkpoints.cut_log(self.out, 0)
                (self.out / checkpoints.BEST).unlink(missing_ok=True)
            told = {"recipe": self._recipe.to_dict(), **self.made_with, **facts}
            with replacing(self.out / "recipe.json") as part:
                part.write_text(json.dumps(told, indent=1))
        except OSError as error:
            found = f"run folder {self.out} cannot be written ({error.strerror})"
            raise OutputError(found, "a writable folder") from None

    def _made_with(self) -> dict[str, Any]:
        """Environment and commit at the start of the run; a resumed run keeps those it started with."""
        file = self.out / "recipe.json"
        if self.number and self.main and file.is_file():
            with suppress(OSError, ValueError, TypeError, KeyError):  # damaged: then it is told anew
                before = json.loads(file.read_text())
                return {name: before[name] for name in ("environment", "commit")}
        return {"environment": environment(), "commit": commit()}

    def epochs(self) -> None:
        """Train to the last epoch, with checkpoints and a log on the way.

        Raises:
            BadValue: a loss that is not finite; the last good checkpoint is named.
            OutputError: the folder cannot be written; the last checkpoint is still there.
        """
        self.optimiser = self.accelerator.prepare_optimizer(self.optimiser)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), disable=not self.main) as progress:
            bar = progress.add_task("training", total=self.total, completed=self.number)
            self._written = time.monotonic()
            for epoch in range(self.epoch, self._recipe.optim.epochs):
                for batch in self._timed(ahead(self.rest(epoch, self.place))):
                    loss = self.step(batch, self.number)
                    self._losses.append(loss)
                    self.place += 1
                    progress.update(bar, advance=1, description=f"epoch {epoch + 1} loss {loss:.3f}")
                    self._beside()
                self._end_epoch()
            if self.main and (self.out / LOG).is_file():
                plot_run(self.out)

    def _timed(self, batches: Iterator[T]) -> Iterator[T]:
        """The batches, the clocks of the epoch and of the log set."""
        self._began = self._logged = (time.perf_counter(), self.number)
        yield from batches

    def _beside(self) -> None:
        """After a step inside an epoch: a line of the log, a checkpoint, where they are due."""
        pace, number = self.pace, self.number
        if pace.log_steps and number % pace.log_steps == 0:
            rate = max(group["lr"] for group in self.optimiser.param_groups)
            line: dict[str, Any] = {"step": number, "epoch": self.epoch, "loss": self._losses[-1], "rate": rate}
            line |= {"pictures_per_second": self._speed(self._logged), "gradient_norm": self.norm, **self.step_facts()}
            self._log(line)
            self._logged = (time.perf_counter(), number)
        if self.place == self.steps:
            return  # the end of the epoch writes one
        by_clock = not pace.checkpoint_steps and self.accelerator.num_processes == 1
        late = by_clock and time.monotonic() - self._written > 60 * pace.checkpoint_minutes
        if late or (pace.checkpoint_steps and number % pace.checkpoint_steps == 0):
            self._checkpoint()

    def _end_epoch(self) -> None:
        loss, speed = float(np.mean(self._losses)), self._speed(self._began)
        self.epoch, self.place, self._losses = self.epoch + 1, 0, []
        line: dict[str, Any] = {"step": self.number, "epoch": self.epoch, "loss": loss, "pictures_per_second": speed}
        self._log(line | self.look_back())
        late = time.perf_counter() - self._began[0] > _LONG
        self._checkpoint()
        if late and self.main:
            plot_run(self.out)

    def _speed(self, since: tuple[float, int]) -> float:
        """Pictures a second since a time and a step."""
        seconds = max(time.perf_counter() - since[0], 1e-9)
        return round((self.number - since[1]) * self.pictures / seconds, 2)

    def step(self, batch: Any, number: int) -> float:
        """One optimiser step; returns the loss.

        Raises:
            BadValue: it is not finite; the parameters are as before.
        """
        next(iter(self.modules().values())).train()
        factor = schedule(number, self._recipe.optim.warmup_steps, self.total)
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * factor
        self.optimiser.zero_grad(set_to_none=True)
        found = self.backward(batch).detach()
        norm = self.accelerator.clip_grad_norm_(self.trained(), self._recipe.optim.clip)
        loss = float(found)  # here a GPU is waited for, once a step: both numbers are there
        if not math.isfinite(loss):
            raise self._broken("a loss", number)
        self.norm = math.nan if norm is None else float(norm)
        if not math.isfinite(self.norm) and self.accelerator.scaler is None:  # a scaler leaves such a step out itself
            raise self._broken("a gradient", number)
        self.optimiser.step()
        with torch.no_grad():
            self.after_step()
        return loss

    def _broken(self, what: str, number: int) -> BadValue:
        kept = self.out / checkpoints.NAME
        where = f"; the last good checkpoint is {kept}" if kept.is_file() else "; there is no checkpoint yet"
        found = f"{what} that is not finite in step {number + 1}{where}"
        return BadValue(found, "a training that does not run away", "a lower optim.rate, in another --out folder")

    def _log(self, line: dict[str, Any]) -> None:
        if not self.main:
            return
        try:
            with (self.out / LOG).open("a") as log:
                log.write(json.dumps(line) + "\n")
        except OSError as error:
            found = f"{self.out / LOG} cannot be written ({error.strerror})"
            raise OutputError(found, "room on the disk", "--resume") from None
        if self.pace.trackers:
            self.accelerator.log(numbers(line), step=line["step"])

    def _checkpoint(self) -> None:
        self._written = time.monotonic()
        self.accelerator.wait_for_everyone()
        self.together()
        if not self.main:
            return
        log = self.out / LOG
        state: dict[str, Any] = {name: module.state_dict() for name, module in self.modules().items()}
        state |= {"optimiser": self.optimiser.state_dict(), "random": random_states(), "losses": self._losses}
        state |= {"epoch": self.epoch, "place": self.place, "log": log.stat().st_size if log.is_file() else 0}
        state |= {**self.words(), "more": self.more_state()}
        if self.accelerator.scaler is not None:
            state["scaler"] = self.accelerator.scaler.state_dict()
        checkpoints.write(self.out / checkpoints.NAME, state)

    def resume(self) -> bool:
        """Go on from the folder's checkpoint, to the step; False where there is none.

        Raises:
            BadCheckpoint: it is damaged, or of another recipe or other data.
        """
        if self.main and self.out.is_dir():
            checkpoints.clean(self.out)
        found = checkpoints.read(self.out / checkpoints.NAME, self._take, self.words())
        self._agree()
        if found and self.main:
            checkpoints.cut_log(self.out, self._log_size)
        return found

    def _agree(self) -> None:
        """All processes stand at one step of one run.

        Raises:
            BadCheckpoint: they do not, on every one of them: machines without a common folder, or with other data.
        """
        told = {json.dumps([self.number, self.words()], sort_keys=True)}
        if self.accelerator.num_processes > 1:
            told = set(joined([*told]))
        if len(told) > 1:
            found = "processes that stand at different steps, or have different recipes or data"
            raise BadCheckpoint(found, "one run folder and one copy of the data that all machines see")

    def words(self) -> dict[str, str]:
        """What a checkpoint is held against."""
        told = json.dumps(self._recipe.to_dict(), sort_keys=True)
        return {"recipe": told, **({"data": self.fingerprint} if self.fingerprint else {})}

    def _take(self, state: dict[str, Any]) -> None:
        for name, module in self.modules().items():
            module.load_state_dict(state[name])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch, self.place = int(state["epoch"]), int(state.get("place", 0))
        self._losses = [float(x) for x in state.get("losses", [])]
        log = self.out / LOG
        self._log_size = int(state.get("log", log.stat().st_size if log.is_file() else 0))
        if "random" in state:
            restore_random(state["random"])
        if "scaler" in state and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.take_more(state.get("more", {}))
