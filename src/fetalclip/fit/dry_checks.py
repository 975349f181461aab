"""What must hold before a pretraining starts, each with what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fetalclip.cards import get_card
from fetalclip.errors import FetalclipError
from fetalclip.fit.compiled import missing
from fetalclip.fit.distil_recipe import NONE, DistilRecipe
from fetalclip.fit.estimate import Shape
from fetalclip.fit.pretrain_recipe import PretrainRecipe
from fetalclip.models.tokenizer import Tokenizer


@dataclass(frozen=True)
class Check:
    """One of them; ``ok`` is None where it cannot be told."""

    name: str
    ok: bool | None
    found: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)


def check_teacher(recipe: PretrainRecipe) -> list[Check]:
    """Whether the teacher of a distillation is here; nothing of a plain pretraining."""
    if not isinstance(recipe, DistilRecipe) or recipe.teacher.kind == NONE:
        return []
    if not recipe.teacher.model:
        return [Check("teacher", False, "none is named: teacher.model=FOLDER")]
    try:
        card = get_card(recipe.teacher.model).require()
    except FetalclipError as error:
        return [Check("teacher", False, str(error))]
    return [Check("teacher", True, f"{card.name} ({card.license}); the time and memory it takes are not counted")]


def check_compiler(recipe: PretrainRecipe) -> list[Check]:
    """Whether blocks can be compiled where the recipe asks for it; nothing where it does not."""
    if not recipe.optim.compile:
        return []
    if recipe.planned.processes:
        return [Check("compiler", None, "a compiler of C++ and Triton are needed where it will run")]
    what = missing()
    return [
        Check("compiler", not what, f"there is no {what.removeprefix('a ')}: optim.compile=false" if what else "here")
    ]


def check_recipe(shape: Shape, tokenizer: Tokenizer, longest: int, steps: Mapping[str, int] | None) -> list[Check]:
    """Whether the recipe's numbers fit each other.

    Args:
        shape: what is trained.
        tokenizer: its words.
        longest: tokens of the longest caption seen.
        steps: of an epoch and in all, or None where the number of pairs is not known.
    """
    optim, text = shape.recipe.optim, shape.architecture.text
    whole = optim.batch % shape.processes == 0
    shares = f"{optim.batch} pictures on {shape.processes}: {shape.share} each, {shape.rows} at a time"
    found = [
        Check("batch", whole, shares if whole else f"{optim.batch} pictures cannot be shared by {shape.processes}"),
        Check(
            "vocabulary",
            tokenizer.vocab_size <= text.vocab_size,
            f"{tokenizer.vocab_size} tokens for a table of {text.vocab_size}",
        ),
        Check(
            "context",
            longest <= text.context_length,
            f"longest caption seen of {longest} tokens, {text.context_length} are read",
        ),
    ]
    if steps is None:
        return [*found, Check("steps", None, "the number of pairs is not known: data.train, or planned.pairs")]
    return [
        *found,
        Check("steps", steps["epoch"] > 0, f"{steps['epoch']} of {steps['pictures']} pictures an epoch"),
        Check(
            "warm-up",
            optim.warmup_steps < steps["all"],
            f"{optim.warmup_steps} of {steps['all']} steps",
        ),
    ]


def check_room(memory: Mapping[str, float], memory_there: float, disk: Mapping[str, float], free: float) -> list[Check]:
    """Whether memory and disk are large enough; MB, 0 where it is not known."""
    fits = memory["peak"] <= memory_there if memory_there else None
    there = f"of {memory_there / 1000:.1f}" if memory_there else "; the machine's is not told (planned.memory_gb)"
    return [
        Check("memory", fits, f"{memory['peak'] / 1000:.2f} GB {there}{' GB' if memory_there else ''}"),
        Check("disk", disk["needed"] <= free, f"{disk['needed'] / 1000:.2f} GB of {free / 1000:.1f} GB free here"),
    ]


def check_reading(pairs: float | None, workers: int, pictures: float | None) -> list[Check]:
    """Whether reading keeps up with a training here; per second, None where it was not measured."""
    if pairs is None or pictures is None:
        return []
    able = pairs * max(1, workers)
    told = f"{able:.0f} pairs a second read by {max(1, workers)}, {pictures:.0f} trained on"
    return [Check("reading", able >= pictures, told)]
