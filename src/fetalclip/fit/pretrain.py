"""Pretraining on pairs of any number: both towers, the global batch, the checkpoint that validation chooses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fetalclip.data.pairs import Pairs
from fetalclip.encoder.engine import Normalisation
from fetalclip.errors import BadRecipe
from fetalclip.fit import checkpoints, global_batch
from fetalclip.fit.account import Account
from fetalclip.fit.claims import diagonal, truth_table
from fetalclip.fit.compiled import compile_blocks
from fetalclip.fit.groups import lock, pair_groups
from fetalclip.fit.machines import joined
from fetalclip.fit.objectives import SIGMOID_BIAS, SIGMOID_SCALE, contrastive, sigmoid
from fetalclip.fit.pace import Pace
from fetalclip.fit.pair_batches import PairBatch, PairBatches
from fetalclip.fit.pair_held import HeldPairs
from fetalclip.fit.pretrain_recipe import PretrainRecipe
from fetalclip.fit.run import Run
from fetalclip.fit.towers import FROM_NOTHING, build_towers, open_start
from fetalclip.fit.watch import peak_memory_mb
from fetalclip.models.openclip import CLIP_MEAN, CLIP_STD
from fetalclip.models.pair import DualEncoder
from fetalclip.preprocess.pipeline import normalise

_LITE = (0.498, 0.498, 0.498), (0.502, 0.502, 0.502)  # of the compact tower's ImageNet start: (x - 127) / 128


@dataclass(frozen=True)
class Sides:
    """What is trained on, and what the checkpoint is chosen by; None: nothing, and the last one is kept."""

    train: Pairs
    held: Pairs | None


class Towers(nn.Module):
    """The pair as the loop calls it: one forward pass for both towers, so that DDP sees every parameter.

    Args:
        model: the pair.
        recipe: its losses and drops.
        normalisation: of the pictures.
    """

    def __init__(self, model: DualEncoder, recipe: PretrainRecipe, normalisation: Normalisation) -> None:
        super().__init__()
        self.model, self.normalisation = model, normalisation
        self.bias = nn.Parameter(torch.tensor(SIGMOID_BIAS)) if recipe.optim.loss == "sigmoid" else None
        self.drops = bool(recipe.model.drop_path or recipe.model.patch_dropout)
        if self.bias is not None and recipe.model.start in FROM_NOTHING:
            model.logit_scale.data.fill_(math.log(SIGMOID_SCALE))
        set_drops(model, recipe)
        if recipe.optim.compile:
            compile_blocks(model)

    def forward(self, pictures: Tensor, seeds: Tensor, ids: Tensor, end: Tensor) -> dict[str, Tensor]:
        """Unit features of pictures and texts, (b, D) each, and the scalars of the loss.

        Args:
            pictures: grey (b, S, S) in 0-1.
            seeds: (b,) int64, for the drops.
            ids, end: (b, N) tokens and (b,) where they end.
        """
        images = normalise(pictures, self.normalisation.mean, self.normalisation.std)
        seen = self.model.encode_image(images, seeds=seeds if self.drops and self.training else None)
        made = {"images": seen, "texts": self.model.encode_text(ids, end), "scale": self.model.logit_scale.exp()}
        return made if self.bias is None else {**made, "bias": self.bias * 1.0}


def set_drops(model: DualEncoder, recipe: PretrainRecipe) -> None:
    """Tell the towers what to leave out in training, and what to compute twice."""
    wanted, visual = recipe.model, model.visual
    visual.drop_path = wanted.drop_path
    if hasattr(visual, "patch_dropout"):
        visual.patch_dropout = wanted.patch_dropout
    for tower in (visual, model.text):
        for part in tower.modules():
            if hasattr(part, "recompute"):
                part.recompute = wanted.recompute


class Pretraining(Run):
    """One pretraining.

    Args:
        recipe: what to do.
        sides: what to do it on.
        out: run folder: ``recipe.json``, ``metrics.jsonl``, ``checkpoint.pt``, ``best.pt``.
        resume: go on from the folder's checkpoint when there is one.

    Raises:
        BadRecipe, NotAvailable, MissingPackage: what the recipe asks for cannot be done here.
        BadCheckpoint: the checkpoint is damaged or of another recipe, or of other data.
    """

    def __init__(self, recipe: PretrainRecipe, sides: Sides, out: Path, resume: bool = True) -> None:
        optim, watch = recipe.optim, recipe.watch
        pace = Pace(
            optim.precision,
            watch.log_steps,
            watch.checkpoint_steps,
            many=True,
            accumulate=optim.accumulate,
            trackers=watch.trackers,
        )
        super().__init__(recipe, out, pace)
        self.recipe, self.sides = recipe, sides
        self.account = Account(len(sides.train), recipe.data.max_bad)
        with self.accelerator.local_main_process_first():
            self.tokenizer, model = build_towers(recipe, out / "start")
            self.normalisation = normalisation_of(recipe, out / "start")
        lock(model, recipe.model)
        self.towers = self.build(model)
        self.towers.to(self.accelerator.device)
        model.visual.to(memory_format=torch.channels_last)
        self.average = self._averaged()
        more = {name: p for name, p in self.towers.named_parameters() if not name.startswith("model.")}
        groups = pair_groups(model, recipe, more)
        betas = (optim.beta1, optim.beta2)
        self.optimiser = torch.optim.AdamW(groups, betas=betas, eps=optim.eps, fused=True)
        place, world = self.accelerator.process_index, self.accelerator.num_processes
        self.batches = self.drawing(place, world)
        self.held = None if sides.held is None else HeldPairs(sides.held, recipe, self.tokenizer)
        self._check_choice()
        self.steps, self.best = self.batches.steps, -math.inf
        self._stream: Iterator[list[PairBatch]] | None = None
        if resume:
            self.resume()
        self.wrapped = self.accelerator.prepare_model(self.towers)
        counts = {"pairs": len(sides.train), "held": 0 if sides.held is None else len(sides.held)}
        self.start({**counts, "data": self.fingerprint, "processes": world, "parameters": parameters(model)})

    def _check_choice(self) -> None:
        """Whether the recipe's way of choosing has something to choose by, before anything is trained."""
        choose = self.recipe.watch.choose
        if choose != "auto" and self.held is None:
            raise BadRecipe(f"watch.choose={choose} without a validation side", "one", "data.validate=val.csv")
        if choose == "planes" and self.held is not None and not self.held.has_planes:
            raise BadRecipe("watch.choose=planes without planes to tell apart", "two or more", "watch.choose=loss")

    def build(self, model: DualEncoder) -> Towers:
        """What is trained: the pair, and what its loss needs."""
        return Towers(model, self.recipe, self.normalisation)

    def drawing(self, rank: int, world: int) -> PairBatches:
        """What a step reads, of one process of several."""
        return PairBatches(self.sides.train, self.recipe, self.tokenizer, rank, world)

    def provenance(self) -> dict[str, Any]:
        """What the model's config tells of its training beside recipe, data and start."""
        return {}

    def _averaged(self) -> AveragedModel | None:
        decay = self.recipe.optim.ema
        return AveragedModel(self.towers, multi_avg_fn=get_ema_multi_avg_fn(decay)) if decay else None

    def modules(self) -> dict[str, nn.Module]:
        """The towers, and their average where there is one."""
        return {"towers": self.towers, **({} if self.average is None else {"average": self.average})}

    @property
    def pictures(self) -> int:
        """Pictures a step."""
        return self.recipe.optim.batch * self.recipe.optim.accumulate

    @property
    def model(self) -> DualEncoder:
        """The pair that is validated and kept: the average where there is one."""
        kept = self.towers if self.average is None else self.average.module
        assert isinstance(kept, Towers)
        return kept.model

    @property
    def fingerprint(self) -> str:
        """Of both sides of the data."""
        return self.sides.train.fingerprint + (self.sides.held.fingerprint if self.sides.held is not None else "")

    def epoch_batches(self, epoch: int) -> Iterator[list[PairBatch]]:
        """The steps of an epoch."""
        return self.rest(epoch, 0)

    def rest(self, epoch: int, skip: int) -> Iterator[list[PairBatch]]:
        """The steps of an epoch from one on; one stream serves all epochs, so that workers start once."""
        first = epoch * self.steps + skip
        if self._stream is None:
            self._stream = self.batches.stream(first, self.recipe.data.workers)
        for _ in range(first, (epoch + 1) * self.steps):
            yield next(self._stream)

    def loss(self, batch: PairBatch) -> Tensor:
        """The loss of a batch without its gradient."""
        outputs = self.towers(**self.inputs(batch))
        return self.objective(outputs, batch)

    def inputs(self, batch: PairBatch) -> dict[str, Tensor]:
        """What the towers are called with, on their device."""
        parts = {"pictures": batch.pictures, "seeds": batch.seeds, "ids": batch.ids, "end": batch.end}
        return {name: value.to(self.accelerator.device, non_blocking=True) for name, value in parts.items()}

    def backward(self, batch: list[PairBatch]) -> Tensor:
        """Leave the mean gradient of a step's batches with the parameters; their mean loss."""
        losses = []
        for place, part in enumerate(batch, start=1):
            objective = partial(self.objective, batch=part)
            chunk, last = self.recipe.optim.chunk, place == len(batch)
            losses.append(
                global_batch.backward(self.accelerator, self.wrapped, self.inputs(part), objective, chunk, last)
            )
            self.account.take(len(part.numbers), part.bad)
        if self.accelerator.num_processes == 1:
            self.account.settle()
        return torch.stack(losses).mean()

    def objective(self, outputs: dict[str, Tensor], batch: PairBatch) -> Tensor:
        """The loss of the global batch's outputs."""
        positive, unknown = self.targets(batch, len(outputs["images"]))
        parts = outputs["images"], outputs["texts"], outputs["scale"]
        if self.recipe.optim.loss == "sigmoid":
            return sigmoid(*parts, outputs["bias"], positive, unknown)
        return contrastive(*parts, positive, unknown)

    def targets(self, batch: PairBatch, count: int) -> tuple[Tensor, Tensor]:
        """Which captions of the global batch are true of which pictures, and of which that is not known."""
        if self.recipe.optim.targets == "diagonal":
            table = diagonal(count)
        else:
            table = truth_table(joined(batch.known), joined(batch.said))
        return table[0].to(self.accelerator.device), table[1].to(self.accelerator.device)

    def after_step(self) -> None:
        """Keep the scale of the cosines within its bound, and the average up to date."""
        self.towers.model.logit_scale.clamp_(0, math.log(self.recipe.optim.max_scale))
        if self.average is not None:
            self.average.update_parameters(self.towers)

    def step_facts(self) -> dict[str, Any]:
        """The scale, and how many pairs could not be read."""
        self.account.settle()
        scale = float(self.towers.model.logit_scale.detach().exp())
        return {"memory_mb": round(peak_memory_mb(self.device)), "logit_scale": scale, "skipped": len(self.account.bad)}

    def look_back(self) -> dict[str, Any]:
        """Scores of the validation side; the weights of the best epoch are kept in ``best.pt``."""
        every, last = self.recipe.watch.validate_epochs, self.epoch == self.recipe.optim.epochs
        if self.held is None or not self.main or (self.epoch % every and not last):
            return {}
        scores = self.held.scores(self.model, self.normalisation, self.device)
        score = self.held.choice(scores)
        if better := score > self.best:
            self.best = score
            state = {"score": score, "epoch": self.epoch, "model": self.model.state_dict(), **self.words()}
            checkpoints.write(self.out / checkpoints.BEST, state)
        return {"validation": scores, "best": better}

    def together(self) -> None:
        """Bring together what the processes could not read."""
        self.account.settle()

    def more_state(self) -> dict[str, Any]:
        """The best score so far, and what could not be read."""
        return {"best": self.best, "bad": self.account.bad, "seen": self.account.seen}

    def take_more(self, state: dict[str, Any]) -> None:
        """Take up what `more_state` gave."""
        self.best = float(state["best"])
        self.account.bad, self.account.seen = [str(name) for name in state["bad"]], int(state["seen"])

    def take_best(self) -> int:
        """Put the weights that are kept into the model; the epoch they are of.

        Raises:
            BadCheckpoint: the file of the best epoch is damaged, or of another run.
        """
        epochs = [self.epoch]

        def take(state: dict[str, Any]) -> None:
            self.model.load_state_dict(state["model"])
            epochs.append(int(state["epoch"]))

        if self.held is not None and self.recipe.watch.keep == "best":
            checkpoints.read(self.out / checkpoints.BEST, take, self.words())
        return epochs[-1]


def normalisation_of(recipe: PretrainRecipe, folder: Path | None = None) -> Normalisation:
    """Mean and deviation the pictures are brought to, the start's or the tower's; arguments as `build_towers`."""
    start, size = recipe.model.start, recipe.model.image_size
    if start in FROM_NOTHING:
        return Normalisation(size, *(_LITE if recipe.model.image != "vit" else (CLIP_MEAN, CLIP_STD)))
    with open_start(start, folder) as found:
        told = found.config["preprocess"]
    return Normalisation(size, tuple(told["mean"]), tuple(told["std"]))


def parameters(model: DualEncoder) -> dict[str, int]:
    """How many there are, and how many are trained."""
    every = list(model.parameters())
    return {"all": sum(p.numel() for p in every), "trained": sum(p.numel() for p in every if p.requires_grad)}
