"""Fine-tuning by the one loop: a tower and a linear head on one's own labelled pictures, all of it or a part.

The epoch is chosen by the loss of held-out patients, and on them a temperature or an interval is found; what comes out
is a model folder whose head is a probe (`fetalclip.models.probe_head`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fetalclip.api import FetalCLIP
from fetalclip.disk import replacing
from fetalclip.errors import BadValue, OutputError
from fetalclip.fit.finetune_data import LabelledBatch, LabelledBatches, Squares
from fetalclip.fit.finetune_folder import scores, write_model
from fetalclip.fit.finetune_net import Start, TunedNet, open_start, parameter_groups
from fetalclip.fit.finetune_recipe import FinetuneRecipe
from fetalclip.fit.finetune_table import prepared_sides, read_table
from fetalclip.fit.run import Run
from fetalclip.frame import Pixels
from fetalclip.memory import keep_freed_memory
from fetalclip.metrics import Reals
from fetalclip.preprocess.pipeline import normalise
from fetalclip.tasks.prompted import softmax

MODEL = "model"
"""Folder within the run folder that holds the model."""

Say = Callable[[str], None]


class FinetuneTraining(Run):
    """One fine-tuning.

    Args:
        recipe: what to do.
        start: where it starts from; its tower is trained in place.
        train: pictures that are trained on.
        held: pictures looked at after every epoch; None for none, and then the last epoch is kept.
        classes: number of classes; 0 for a number.
        out: run folder: ``recipe.json``, ``metrics.jsonl``, ``checkpoint.pt``, ``best.pt``.

    Raises:
        BadRecipe, MissingPackage, BadCheckpoint: a recipe that cannot be followed on this start.
    """

    def __init__(
        self, recipe: FinetuneRecipe, start: Start, train: Squares, held: Squares | None, classes: int, out: Path
    ) -> None:
        super().__init__(recipe, out)
        self.recipe, self.held = recipe, held
        torch.manual_seed(recipe.seed)
        start.tower.to(self.device)
        start.tower.to(memory_format=torch.channels_last)
        self.net = TunedNet(start, recipe, train, classes)
        self.net.to(self.device)
        self.weights = class_weights(train.targets, classes, recipe.optim.balance).to(self.device)
        self.optimiser = torch.optim.AdamW(parameter_groups(self.net, recipe), betas=(0.9, 0.99))
        self.batches = LabelledBatches(train, recipe, self.net.normalisation.image_size)
        self.steps = len(self.batches)

    @property
    def counts(self) -> dict[str, int]:
        """Parameters of the tower and how many of them, of adapters and of the head are learned."""
        learned = sum(p.numel() for p in self.net.learned)
        tower = sum(p.numel() for p in self.net.tower.parameters())
        own = tower - learned if self.net.adapters is not None else tower
        return {"tower": own, "learned": learned, "head": sum(p.numel() for p in self.net.head.parameters())}

    def modules(self) -> dict[str, nn.Module]:
        """What is trained."""
        return {"model": self.net}

    def epoch_batches(self, epoch: int) -> Iterator[LabelledBatch]:
        """The batches of an epoch."""
        return self.batches.epoch(epoch)

    def loss(self, batch: LabelledBatch) -> Tensor:
        """Cross-entropy of classes; smooth L1 of a number in standard deviations.

        Raises:
            BadValue: it is not finite.
        """
        n = self.net.normalisation
        said = self.net(normalise(batch.pictures.to(self.device), n.mean, n.std), batch.logs.to(self.device))
        found = self._loss(said, batch.targets.to(self.device), self.recipe.optim.smoothing)
        if not torch.isfinite(found):
            fix = f"optim.rate_tower={self.recipe.optim.rate_tower / 10:g}"
            raise BadValue("a loss that is not finite: the training has run away", "a lower rate", fix)
        return found

    def _loss(self, said: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        if self.net.classes:
            return F.cross_entropy(said, targets, self.weights.to(said), label_smoothing=smoothing)
        middle, size = self.net.number.to(said)
        return F.smooth_l1_loss(said[:, 0], ((targets - middle) / size).to(said))

    def look_back(self) -> dict[str, Any]:
        """Scores of the held pictures; what the epoch of least loss has learned is kept in ``best.pt``."""
        if self.held is None:
            return {}
        said = self.net.logits(self.held)
        line, loss = scores(said, self.held, self.net.classes), self.held_loss(said)
        kept = self.out / "best.pt"
        best = torch.load(kept, weights_only=True)["loss"] if kept.is_file() and self.epoch > 1 else math.inf
        if loss < best:
            with replacing(kept) as part:
                torch.save({"loss": loss, "epoch": self.epoch, "model": self.net.state_dict()}, part)
        return {"held_loss": loss, **{f"held_{name}": value for name, value in line.items()}}

    def held_loss(self, said: Reals) -> float:
        """The loss of what is said of the held pictures, without smoothing."""
        assert self.held is not None
        logits, targets = torch.from_numpy(said), torch.from_numpy(np.asarray(self.held.targets))
        if not self.net.classes:
            middle, size = self.net.number.double().cpu()
            logits = (logits - middle) / size
        return float(self._loss(logits, targets))

    def take_best(self) -> int:
        """Go back to the best epoch; its number."""
        file = self.out / "best.pt"
        if self.held is None or not file.is_file():
            return self.epoch
        state = torch.load(file, map_location="cpu", weights_only=True)
        self.net.load_state_dict(state["model"])
        return int(state["epoch"])


def finetune(recipe: FinetuneRecipe, out: Path, resume: bool = True, say: Say = print) -> Path:
    """Do what a recipe says.

    Args:
        recipe: the recipe.
        out: run folder; ``out/model`` is the model folder that comes out.
        resume: go on with what the folder already holds.
        say: where progress is told.

    Raises:
        OutputError: the folder cannot be written, or holds another run and ``resume`` is off.
        InputError: a table or a picture that cannot be used.
        BadRecipe, NotAvailable: what the recipe asks for cannot be done here.
        BadCheckpoint: the run's checkpoint is damaged or of another recipe.
    """
    if not resume and out.is_dir() and any(out.iterdir()):
        raise OutputError(f"run folder {out} holds a run", "an empty folder", "--resume, or another --out folder")
    keep_freed_memory()
    table = read_table(recipe)
    start = open_start(recipe)
    say(table.told())
    sides = prepared_sides(table, recipe, start.normalisation.image_size, out.parent / "cache")
    training = FinetuneTraining(recipe, start, *sides, len(table.classes), out)
    counts = training.counts
    part = "parameters of adapters beside" if recipe.model.method == "lora" else "parameters of"
    tower = f"{counts['learned']} {part} {counts['tower']} of the tower"
    say(f"{recipe.model.method}: {tower}, {counts['head']} of the head")
    training.resume()
    training.start({"parameters": counts, "start_sha256": start.sha256, **table.counts()})
    training.epochs()
    if (out / MODEL / "config.json").is_file():  # it appears whole, so it is this run's
        return out / MODEL
    made = {"epoch": training.take_best(), "parameters": counts, "start": start.name, **training.made_with}
    training.net.finish()
    return write_model(recipe, start, (training.net, sides[1]), table, made, out / MODEL)


def class_weights(targets: npt.NDArray[Any], classes: int, balance: float) -> Tensor:
    """(classes,) weights of the loss: one over a class's share, to the power of ``balance``; 1 for the mean picture."""
    if not classes:
        return torch.ones(0)
    counts = np.bincount(np.asarray(targets, np.int64), minlength=classes)
    weights = (len(targets) / np.maximum(counts, 1)) ** balance
    return torch.from_numpy(weights / (weights * counts).sum() * len(targets)).float()


@dataclass(frozen=True, eq=False)
class Tuned:
    """A tower trained end to end, with its head.

    Attributes:
        net: both.
        classes_: names, in the order of the probabilities.
    """

    net: TunedNet
    classes_: tuple[str, ...]

    def predict_proba(self, pictures: Sequence[Pixels] | Pixels) -> Reals:
        """(n, classes) probabilities of n prepared squares uint8; they are brought to the tower's side."""
        weight, bias = self.net.folded()
        return softmax(self.net.embed(pictures) @ weight.T + bias)

    def predict(self, pictures: Sequence[Pixels] | Pixels) -> list[str]:
        """The most probable class of each."""
        return [self.classes_[i] for i in self.predict_proba(pictures).argmax(axis=1)]


def train_end_to_end(
    start: str | Path | FetalCLIP,
    pictures: Pixels,
    labels: Sequence[str],
    *,
    seed: int = 0,
    epochs: int = 20,
    recipe: FinetuneRecipe | None = None,
) -> Tuned:
    """Train a whole tower and a linear head on a few labelled squares, in memory: what few-shot probes are up against.

    Nothing is held out, so nothing is chosen: the last epoch is what comes out.

    Args:
        start: a model, its name or folder, or ``imagenet``.
        pictures: (n, S, S) uint8 prepared squares; S about 7/6 of the tower's side leaves augmentation room to zoom.
        labels: n classes, two or more different ones.
        seed: of what is drawn.
        epochs: passes over the pictures.
        recipe: rates, batch, augmentation, method and frozen blocks; None trains all but the first blocks.

    Raises:
        BadValue: pictures that are not such squares, or one class only.
    """
    squares = np.asarray(pictures)
    if squares.ndim != 3 or squares.dtype != np.uint8 or squares.shape[1] != squares.shape[2] or not len(squares):
        raise BadValue(f"pictures of shape {squares.shape}, {squares.dtype}", "(n, S, S) of uint8")
    names = tuple(sorted(set(labels)))
    if len(labels) != len(squares) or len(names) < 2:
        raise BadValue(f"{len(labels)} labels of {len(names)} classes for {len(squares)} pictures", "n, two or more")
    wanted = recipe or FinetuneRecipe(model=replace(FinetuneRecipe().model, method="full"))
    named = "" if isinstance(start, FetalCLIP) else str(start)
    wanted = replace(
        wanted,
        seed=seed,
        optim=replace(wanted.optim, epochs=epochs, warmup_steps=min(wanted.optim.warmup_steps, epochs)),
        model=replace(wanted.model, start=named or wanted.model.start),
    )
    opened = open_start(wanted, start if isinstance(start, FetalCLIP) else None)
    targets = np.array([names.index(label) for label in labels], np.int64)
    made = Squares(squares, targets, np.full(len(squares), np.nan))
    training = FinetuneTraining(wanted, opened, made, None, len(names), Path())
    for epoch in range(epochs):
        for step, batch in enumerate(training.epoch_batches(epoch)):
            training.step(batch, epoch * training.steps + step)
    return Tuned(training.net.eval(), names)
