"""What a pretraining is and takes, told before anything starts: nothing is trained, nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from fetalclip.clinical.sampling import texts as caption_texts
from fetalclip.data.pairs import Pairs
from fetalclip.data.web import is_web
from fetalclip.disk import free_bytes
from fetalclip.errors import FetalclipError, InputError, NotAvailable
from fetalclip.fit import counting, estimate
from fetalclip.fit.compiled import missing
from fetalclip.fit.counting import Operations, Parameters
from fetalclip.fit.dry_checks import Check, check_compiler, check_reading, check_recipe, check_room, check_teacher
from fetalclip.fit.estimate import MB, Shape
from fetalclip.fit.pair_batches import CaptionWriter, seed_of
from fetalclip.fit.pretrain import Sides
from fetalclip.fit.pretrain_folder import open_sides
from fetalclip.fit.pretrain_recipe import PretrainRecipe
from fetalclip.fit.speed import StepSpeed, matmul_tflops, step_speed
from fetalclip.fit.towers import architecture_of, tokenizer_of, words_of, written
from fetalclip.fit.watch import machine_memory, peak_memory_mb
from fetalclip.models.pair import Architecture
from fetalclip.models.tokenizer import Tokenizer

SCHEMA = "fetalclip.dry-run/1"
_SAMPLE = 64  # pairs that are read
_CAPTIONS = 256  # written where there are no pairs
_SECONDS = 20.0  # that a measured step may take, its repetitions included
_PASSES = 4  # of a measured step
_LIKELY_SHARE = 0.3  # of the matrix product's speed, to guess how long a step takes before it is done
_PICTURES = {"cpu": 8, "cuda": 64}  # of a measured step, at most


@dataclass(frozen=True)
class Look:
    """What of the data was looked at.

    Attributes:
        source: its last name; empty where the recipe names none.
        pairs, held: how many there are to train on and to choose by; None where that is not known.
        planes: of the pairs that were read.
        read, bad: how many were, and how many of them could not be.
        pairs_per_second: read by one process.
        lengths: tokens of captions.
        note: why it could not be looked at, or what was assumed.
    """

    source: str
    pairs: int | None
    held: int | None
    lengths: list[int]
    planes: dict[str, int] = field(default_factory=dict)
    read: int = 0
    bad: int = 0
    pairs_per_second: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        told = {name: getattr(self, name) for name in ("source", "pairs", "held", "planes", "read", "bad")}
        return {**told, "pairs_per_second": self.pairs_per_second, "note": self.note}

    def tokens(self, rows: int) -> int:
        """The longest of so many captions, on average."""
        runs = [self.lengths[i : i + rows] for i in range(0, len(self.lengths), rows)]
        whole = [run for run in runs if len(run) == min(rows, len(self.lengths))]
        return round(sum(max(run) for run in whole) / len(whole))


def dry_run(recipe: PretrainRecipe, out: Path, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Look at all that a recipe needs, and count what it takes.

    Args:
        recipe: the recipe.
        out: the run folder it would have; nothing is written there.
        say: where progress is told.

    Returns:
        The JSON form (``fetalclip.dry-run/1``); MB are 10^6 bytes.

    Raises:
        BadRecipe: what it says cannot be at all.
        BadCheckpoint: sizes that cannot be.
    """
    planned = recipe.planned
    start, architecture, tokenizer = _started(recipe)
    look = look_at(recipe, tokenizer)
    processes = planned.processes or 1
    share = max(1, recipe.optim.batch // processes)
    shape = Shape(recipe, architecture, min(look.tokens(share), architecture.text.context_length), processes)
    say("counting on towers without weights")
    parameters = counting.parameters(recipe, architecture)
    operations = counting.operations(recipe, architecture, shape.tokens, shape.chunks)
    steps = None if look.pairs is None else estimate.count_steps(shape, look.pairs)
    peak, measured, note = (0.0, None, "") if planned.processes else _measured(shape, parameters, operations, say)
    memory = estimate.memory_mb(shape, parameters, _base(shape, parameters, measured))
    disk = estimate.disk_mb(shape, parameters, look.held != 0)
    time = _time(shape, operations, steps, peak, measured)
    free = free_bytes(out) / MB
    told = [start, *check_teacher(recipe), _data(look), _precision(recipe), *check_compiler(recipe)]
    told += check_recipe(shape, tokenizer, max(look.lengths), steps)
    told += check_room(memory, _memory_there(recipe), disk, free)
    told += check_reading(look.pairs_per_second, recipe.data.workers, None if time is None else _rate(time))
    return {
        "schema": SCHEMA,
        "recipe": recipe.name,
        "architecture": architecture.to_dict(),
        "parameters": parameters.to_dict(),
        "data": look.to_dict(),
        "steps": steps,
        "tokens": shape.tokens,
        "operations": {**vars(operations), "picture": operations.all},
        "memory_mb": {**memory, "there": _memory_there(recipe)},
        "time": time,
        "time_note": note or _time_note(recipe, steps, time),
        "disk_mb": {**disk, "free": free},
        "checks": [check.to_dict() for check in told],
    }


def look_at(recipe: PretrainRecipe, tokenizer: Tokenizer) -> Look:
    """The recipe's data, some pairs of it read; a source on the web is only counted."""
    source = Path(recipe.data.train).name
    try:
        sides = open_sides(recipe)
    except FetalclipError as error:
        made = tokenizer.count(caption_texts(_CAPTIONS, recipe.seed))
        planned = recipe.planned.pairs or None
        told = f"planned.pairs and captions of the factory stand in: {error}" if planned else str(error)
        return Look(source, planned, None, made, note=told)
    held = 0 if sides.held is None else len(sides.held)
    if is_web(recipe.data.train):
        made = tokenizer.count(caption_texts(_CAPTIONS, recipe.seed))
        return Look(source, len(sides.train), held, made, note="on the web: no pair was read")
    return _sampled(recipe, sides, held, source, tokenizer)


def _sampled(recipe: PretrainRecipe, sides: Sides, held: int, source: str, tokenizer: Tokenizer) -> Look:
    pairs: Pairs = sides.train
    words, planes, lengths, bad = CaptionWriter(tokenizer, recipe), Counter[str](), [], 0
    numbers = pairs.order(recipe.seed, 0)[:_SAMPLE]
    began = perf_counter()
    for place, number in enumerate(numbers):
        try:
            pair = pairs.load(int(number))
            text, _ = words(pair, pair.record, seed_of(recipe.seed, 0, place))
        except InputError:
            bad += 1
            continue
        planes.update(pair.record.views or ("none",))
        lengths.append(tokenizer.count([text])[0])
    speed = len(numbers) / max(perf_counter() - began, 1e-9)
    lengths = lengths or [tokenizer.context_length]
    return Look(source, len(pairs), held, lengths, dict(planes.most_common()), len(numbers), bad, speed)


def _started(recipe: PretrainRecipe) -> tuple[Check, Architecture, Tokenizer]:
    """The start, its architecture and its words; where it is not here, those that stand in the recipe."""
    name = recipe.model.start
    try:
        architecture, tokenizer = architecture_of(recipe), tokenizer_of(recipe)
    except NotAvailable as error:
        words = words_of(recipe)
        told = f"the architecture in the recipe stands in: {error}"
        return Check("start", False, told), written(recipe, words.vocab_size), words
    return Check("start", True, Path(name).name), architecture, tokenizer


def _measured(
    shape: Shape, parameters: Parameters, operations: Operations, say: Callable[[str], None]
) -> tuple[float, StepSpeed | None, str]:
    """Speed of the matrix product here, and a step done here, or why it was not."""
    recipe, device = shape.recipe, _device()
    if recipe.optim.precision == "fp16" and device == "cpu":
        return 0.0, None, "fp16 has no time without a GPU"
    if recipe.optim.compile and (what := missing()):
        return 0.0, None, f"optim.compile without {what}: no step was done"
    say("timing a matrix product and a step on a few pictures")
    peak = matmul_tflops(recipe.optim.precision, device)
    guess = operations.all / (_LIKELY_SHARE * peak * 1e12)  # seconds of a picture
    pictures = max(1, min(_PICTURES[device], shape.rows, int(_SECONDS / _PASSES / guess)))
    if _PASSES * guess > _SECONDS:
        return peak, None, f"a step of one picture would take {guess:.0f} s: none was done"
    kept = sum(counting.activations(recipe, shape.architecture, pictures, shape.tokens))
    counted = 4 * (sum(parameters.all.values()) + 3 * sum(parameters.trained.values())) + kept
    there = _memory_there(recipe) * MB
    if there and counted > there / 2:
        return peak, None, f"a step of {pictures} pictures needs {counted / 1e9:.1f} GB: none was done"
    return peak, step_speed(recipe, shape.architecture, pictures, shape.tokens), ""


def _base(shape: Shape, parameters: Parameters, measured: StepSpeed | None) -> float:
    if shape.recipe.planned.processes or _device() == "cuda":
        return estimate.GPU_CONTEXT_MB
    now = peak_memory_mb()
    return now if measured is None else estimate.base_mb(shape, parameters, measured)


def _time(
    shape: Shape, operations: Operations, steps: dict[str, int] | None, peak: float, measured: StepSpeed | None
) -> dict[str, Any] | None:
    planned, count = shape.recipe.planned, 0 if steps is None else steps["all"]
    if planned.processes:
        return estimate.time_planned(shape, operations, count) if planned.peak_tflops and planned.share else None
    return None if measured is None else estimate.time_here(shape, operations, count, peak, measured)


def _time_note(recipe: PretrainRecipe, steps: dict[str, int] | None, time: dict[str, Any] | None) -> str:
    if time is None:
        return "planned.peak_tflops and planned.share say nothing" if recipe.planned.processes else ""
    if steps is None:
        return "the speed alone: the number of pairs is not known"
    return "without validation and checkpoints, and as long as reading keeps up"


def _rate(time: dict[str, Any]) -> float:
    return float(time["pictures_per_second"])


def _data(look: Look) -> Check:
    if look.held is None:
        return Check("data", False, look.note)
    told = f"{look.pairs} pairs to train on, {look.held} to choose by"
    return Check("data", not look.bad, f"{told}; {look.bad} of {look.read} cannot be read" if look.bad else told)


def _precision(recipe: PretrainRecipe) -> Check:
    able = recipe.optim.precision != "fp16" or bool(recipe.planned.processes) or _device() == "cuda"
    return Check("precision", able, recipe.optim.precision if able else "fp16 without a GPU")


def _memory_there(recipe: PretrainRecipe) -> float:
    """MB of a process's machine or GPU; 0 where it is not known."""
    if recipe.planned.processes:
        return recipe.planned.memory_gb * 1000
    return torch.cuda.mem_get_info()[1] / MB if _device() == "cuda" else machine_memory() / MB


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
