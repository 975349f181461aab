"""Distillation: a pretraining whose loss also asks a teacher what it makes of the batch.

Pictures are augmented once, at the larger of the two sides, and each model sees them brought to its own: so a teacher
of 192 pixels is not shown what was left of a picture at 96. Both read the same caption, but for a spacing: each is
told that of its own pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fetalclip.errors import BadRecipe
from fetalclip.fit.distil_loss import anchor_and_rest, rest_weight
from fetalclip.fit.distil_recipe import CACHED, NONE, DistilRecipe
from fetalclip.fit.pair_batches import Draw, PairBatch, PairBatches, seen
from fetalclip.fit.pretrain import Pretraining, Sides
from fetalclip.fit.pretrain_folder import Say, open_sides, pretrain
from fetalclip.fit.teacher import Teacher, open_teacher
from fetalclip.fit.teacher_cache import NAME, TaughtPictures, open_features
from fetalclip.preprocess.pipeline import resize

if TYPE_CHECKING:
    from fetalclip.models.tokenizer import Tokenizer


class TaughtBatches(PairBatches):
    """Steps of a distillation: pictures at the side both models are served from, and what the teacher is told.

    Args:
        pairs, recipe, tokenizer, rank, world: as `PairBatches`.
        size: side of the pictures the teacher sees.

    Raises:
        BadRecipe: as `PairBatches`.
    """

    def __init__(
        self, pairs: Any, recipe: DistilRecipe, tokenizer: Tokenizer, rank: int = 0, world: int = 1, size: int = 0
    ) -> None:
        super().__init__(pairs, recipe, tokenizer, rank, world)
        self.size, self.drawn = size, drawn_side(recipe, size)
        self.cached, self.silent = recipe.teacher.features == CACHED, recipe.teacher.kind == NONE

    def taught(self, drawn: list[Draw], scale: Tensor) -> list[str]:
        """The student's captions, with the spacing of the teacher's pixels."""
        if self.silent:
            return []
        # of a cached feature, the picture's as it is
        side = float(self.pairs.side)
        scales = [self.size / side] * len(drawn) if self.cached else (scale * (self.size / self.drawn)).tolist()
        return [self.words(d.pair, seen(d.pair.record, s), d.seed)[0] for d, s in zip(drawn, scales, strict=True)]


class Distilling(Pretraining):
    """One distillation.

    Args:
        recipe: what to do.
        teacher: whom to ask; None, only of the kind ``none``, draws pictures at the student's own side.
        sides, out, resume: as `Pretraining`'s; ``out`` gets ``teacher.npz`` where features are cached.

    Raises:
        BadRecipe: there is no teacher, and one is to be asked.
        InputError, NotAvailable, OutputError: as `Pretraining`, and of the cached features.
    """

    recipe: DistilRecipe

    def __init__(
        self, recipe: DistilRecipe, teacher: Teacher | None, sides: Sides, out: Path, resume: bool = True
    ) -> None:
        self.teacher, self.asking = teacher, recipe.teacher.kind != NONE
        if self.asking and teacher is None:
            raise BadRecipe("no teacher to ask", "one, or none to be asked", "teacher.kind=none")
        self._told: dict[str, Any] = {}
        super().__init__(recipe, sides, out, resume)
        self._pictures: TaughtPictures | None = None
        if self.asking and recipe.teacher.features == CACHED:
            assert teacher is not None
            self._pictures = open_features(teacher, sides.train, out / NAME, self.accelerator)

    @property
    def fingerprint(self) -> str:
        """Of both sides of the data, and of the teacher."""
        return super().fingerprint + (self.teacher.fingerprint if self.teacher is not None and self.asking else "")

    def drawing(self, rank: int, world: int) -> PairBatches:
        """What a step reads, of one process of several."""
        size = 0 if self.teacher is None else self.teacher.size
        return TaughtBatches(self.sides.train, self.recipe, self.tokenizer, rank, world, size)

    def provenance(self) -> dict[str, Any]:
        """The teacher that was asked."""
        return {"teacher": self.teacher.provenance} if self.teacher is not None and self.asking else {}

    def inputs(self, batch: PairBatch) -> dict[str, Tensor]:
        """What the student is called with: the pictures at its own side."""
        made = super().inputs(batch)
        return {**made, "pictures": resize(made["pictures"], self.recipe.model.image_size)}

    def objective(self, outputs: dict[str, Tensor], batch: PairBatch) -> Tensor:
        """The student's own loss of the global batch, and what the teacher says of it."""
        own = super().objective(outputs, batch)
        if not self.asking:
            return own
        wanted = self.recipe.teacher
        images, texts = self.ask(batch)
        assert self.teacher is not None
        answers = self.teacher.scale * images @ texts.T  # (B, B) of the global batch, as the student's
        logits = outputs["scale"] * outputs["images"] @ outputs["texts"].T
        anchor, rest = anchor_and_rest(logits, answers, wanted.temperature)
        weight = rest_weight(wanted, self.number, self.total)
        self._told = {"own": own.detach(), "anchor": anchor.detach(), "rest": rest.detach(), "rest_weight": weight}
        return own + wanted.weight * (anchor + weight * rest)

    @torch.no_grad()
    def ask(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """The teacher's unit features of the global batch: pictures and captions, (B, D) float32 each."""
        assert self.teacher is not None
        device = self.accelerator.device
        with self.accelerator.autocast():
            texts = self.teacher.texts(batch.taught)
            if self._pictures is not None:
                images = self._pictures(batch.numbers)
            else:
                images = self.teacher.images(batch.pictures, self.recipe.optim.chunk)
        images, texts = (self.accelerator.gather(part.float().to(device)) for part in (images, texts))
        return images, texts

    def step_facts(self) -> dict[str, Any]:
        """Those of a pretraining, and the terms of the loss."""
        return {**super().step_facts(), **{name: float(value) for name, value in self._told.items()}}


def drawn_side(recipe: DistilRecipe, size: int) -> int:
    """Side that pictures are augmented to: the student's, or the teacher's where that is larger."""
    return max(recipe.model.image_size, size)


def open_distilling(recipe: DistilRecipe, out: Path, resume: bool, say: Say) -> Distilling:
    """The training of a recipe; arguments and errors as `distil`."""
    teacher = open_teacher(recipe)
    sides = open_sides(recipe, None, drawn_side(recipe, 0 if teacher is None else teacher.size))
    training = Distilling(recipe, teacher, sides, out, resume)
    if teacher is not None and training.main and training.asking:
        say(f"the teacher is {teacher.card.name} ({teacher.card.license}), {teacher.size} pixels")
        if teacher.saw_every_fold:
            say(
                "it was trained on every fold of its data: if the validation side is of that data, scores on it flatter"
            )
    return training


def distil(recipe: DistilRecipe, out: Path, resume: bool = True, say: Say = print) -> Path:
    """Do what a recipe says.

    Args:
        recipe: the recipe.
        out: run folder; ``out/model`` is the student's model folder.
        resume: go on with what the folder already holds.
        say: where progress is told.

    Returns:
        The model folder.

    Raises:
        OutputError: the folder cannot be written, or holds another run and ``resume`` is off.
        BadRecipe, DataMissing, InputError, NotAvailable: what the recipe asks for cannot be done here.
    """
    return pretrain(recipe, out, resume, say, open_distilling)
