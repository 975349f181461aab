"""A head that draws masks, trained by the one loop on a backbone that stays as it is, or is trained along.

The epoch and the threshold are chosen on validation pictures; what comes out is a head folder
(`fetalclip.models.mask_head`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fetalclip.api import FetalCLIP, load
from fetalclip.cards import get_card
from fetalclip.data import LICENSES
from fetalclip.data.outlined import outlined
from fetalclip.data.splits import part_of
from fetalclip.data.structures import Outlined, StructureSet, load_set
from fetalclip.disk import replacing
from fetalclip.errors import BadRecipe, OutputError
from fetalclip.fit.mask_loss import MaskLoss
from fetalclip.fit.masks import MaskBatch, MaskBatches, MaskCorpus, build_masks, plain
from fetalclip.fit.run import Run
from fetalclip.fit.segment_recipe import SegmentRecipe
from fetalclip.fit.start import blend_decoder, start_decoder
from fetalclip.fit.widen import ENOUGH, length_thresholds, measure_held, own_habit
from fetalclip.memory import keep_freed_memory
from fetalclip.models.dense import MaskDecoder, decoder_config, default_depths, side_of
from fetalclip.models.fingerprint import tower_sha256
from fetalclip.models.mask_head import change_head, load_head, read_head_config, save_head
from fetalclip.preprocess.augment import STORE
from fetalclip.preprocess.pipeline import normalise
from fetalclip.tasks.segment import SegmentTask

THRESHOLDS = (0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65)

Say = Callable[[str], None]


class _Drawer(nn.Module):
    """Tower and decoder as one module for the optimiser; a frozen tower is left out of it."""

    def __init__(self, tower: nn.Module, decoder: MaskDecoder, depths: Sequence[int], frozen: bool) -> None:
        super().__init__()
        self.decoder = decoder
        self.depths, self._frozen = tuple(depths), [tower] if frozen else []  # a list: no submodule, no checkpoint
        if not frozen:
            self.tower = tower

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) normalised to (B, structures, S / 2, S / 2) logits."""
        if not self._frozen:
            found: Tensor = self.decoder(self.tower.token_maps(images, self.depths), images)  # type: ignore[operator]
            return found
        with torch.no_grad():
            maps = self._frozen[0].token_maps(images, self.depths)  # type: ignore[operator]
        made: Tensor = self.decoder(maps, images)
        return made


class SegmentTraining(Run):
    """One training of a head.

    Args:
        recipe: what to do.
        model: whose backbone it is for.
        structures: of the head.
        corpora: the train side and the one looked at after every epoch; the latter may be None.
        out: run folder: ``recipe.json``, ``metrics.jsonl``, ``checkpoint.pt``, ``best.pt``.
        resume: go on from the folder's checkpoint when there is one.

    Raises:
        OutputError: the folder cannot be written.
        BadCheckpoint: the checkpoint is damaged or of another recipe.
    """

    def __init__(
        self,
        recipe: SegmentRecipe,
        model: FetalCLIP,
        structures: Sequence[str],
        corpora: tuple[MaskCorpus, MaskCorpus | None],
        out: Path,
        resume: bool = True,
    ) -> None:
        super().__init__(recipe, out)
        self.recipe, self.held = recipe, corpora[1]
        self.normalisation = model.encoder.normalisation
        torch.manual_seed(recipe.seed)
        tower = model.encoder.model.visual.float().eval()
        self.depths = recipe.model.depths or default_depths(tower)
        self.side = side_of(tower, recipe.model.image_size)
        shape = replace(decoder_config(tower, self.depths, len(structures)), widths=recipe.model.widths)
        decoder = MaskDecoder(shape)
        if recipe.model.start:
            start_decoder(decoder, model.segmenter.task(recipe.model.start).head.decoder)
        for part in (tower, decoder):
            part.to(self.device)
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.drawer = _Drawer(tower, decoder, self.depths, recipe.model.frozen)
        self.tower, self.criterion = tower, MaskLoss(recipe.optim, corpora[0].shares())
        self.optimiser = torch.optim.AdamW(_groups(self.drawer, recipe), betas=(0.9, 0.99), fused=True)
        self.batches = MaskBatches(corpora[0], recipe, self.side)
        self.steps = len(self.batches)
        if resume:
            self.resume()
        self.start({"pictures": len(corpora[0].pictures), "encoder_sha256": tower_sha256(tower.state_dict())})

    def modules(self) -> dict[str, nn.Module]:
        """What is trained."""
        return {"model": self.drawer}

    def epoch_batches(self, epoch: int) -> Iterator[MaskBatch]:
        """The batches of an epoch."""
        return self.batches.epoch(epoch)

    def _logits(self, pictures: Tensor) -> Tensor:
        n = self.normalisation
        found: Tensor = self.drawer(normalise(pictures.to(self.device), n.mean, n.std))
        return found

    def loss(self, batch: MaskBatch) -> Tensor:
        """Dice and cross-entropy of the structures each source knows."""
        loss: Tensor = self.criterion(self._logits(batch.pictures), batch.masks.to(self.device), batch.known)
        return loss

    def look_back(self) -> dict[str, Any]:
        """Dice of the held pictures; the weights of the best epoch are kept in ``best.pt``."""
        if self.held is None:
            return {}
        table = self.dice((0.5,))[0]  # (structures,)
        score = float(np.nanmean(table))
        kept = self.out / "best.pt"
        best = torch.load(kept, weights_only=True)["score"] if kept.is_file() and self.epoch > 1 else -1.0
        if score > best:
            with replacing(kept) as part:
                torch.save({"score": score, "epoch": self.epoch, "model": self.drawer.state_dict()}, part)
        return {"held_dice": [round(float(v), 5) for v in table]}

    @torch.no_grad()
    def dice(self, thresholds: Sequence[float]) -> np.ndarray:
        """Dice of the held pictures on the tower's square, mean over pictures: (thresholds, structures)."""
        assert self.held is not None
        self.drawer.eval()
        found = []
        for batch in plain(self.held, self.side, self.recipe.optim.batch):
            said = self._logits(batch.pictures).sigmoid().cpu()
            true, known = batch.masks > 0.5, batch.known.numpy()
            for cut in thresholds:
                both = ((said >= cut) & true).sum((2, 3)) * 2.0
                either = (said >= cut).sum((2, 3)) + true.sum((2, 3))
                score = torch.where(either > 0, both / either.clamp_min(1), 1.0).numpy()
                found.append(np.where(known, score, np.nan))
        table = [np.nanmean(np.concatenate(found[i :: len(thresholds)]), axis=0) for i in range(len(thresholds))]
        return np.stack(table)

    def take_best(self) -> int:
        """Go back to the best epoch; its number. The last one where nothing was held out."""
        file = self.out / "best.pt"
        if self.held is None or not file.is_file():
            return self.epoch
        state = torch.load(file, map_location="cpu", weights_only=True)
        self.drawer.load_state_dict(state["model"])
        return int(state["epoch"])


def train_head(recipe: SegmentRecipe, out: Path, resume: bool = True, say: Say = print) -> Path:
    """Do what a recipe says.

    Args:
        recipe: the recipe.
        out: run folder; ``out/NAME`` is the head folder that comes out, ``out/fold-K/NAME`` those of ``data.folds``.
        resume: go on with what the folder already holds.
        say: where progress is told.

    Returns:
        The head folder; with ``data.folds``, of the last training, on all patients of the train and validation side.

    Raises:
        OutputError: the folder holds another run and ``resume`` is off.
        BadRecipe, DataMissing, MissingPackage: what the recipe asks for cannot be done here.
    """
    if not resume and out.is_dir() and any(out.iterdir()):
        raise OutputError(f"run folder {out} holds a run", "an empty folder", "--resume, or another --out folder")
    keep_freed_memory()
    wanted = load_set(recipe.structures)
    rows = [row for row in outlined(wanted, recipe.data.root, recipe.data.folder or None) if row.split != "test"]
    for fold in range(recipe.data.folds):
        say(f"patients of fold {fold} held out")
        kept = [row for row in rows if part_of(row.group, recipe.data.folds) != fold]
        _one(_from_fold(recipe, wanted.name, fold), wanted, (kept, []), out / f"fold-{fold}", resume)
    held = [] if recipe.data.folds else [row for row in rows if row.split == "val"]
    train = rows if recipe.data.folds else [row for row in rows if row.split == "train"]
    say(f"{wanted.name}: {len(train)} pictures, {len(held)} to choose by")
    return _one(_from_fold(recipe, wanted.name), wanted, (train, held), out, resume)


def _from_fold(recipe: SegmentRecipe, name: str, fold: int | None = None) -> SegmentRecipe:
    """The recipe of one fold, or of the last training: a start that is a run folder becomes that training's head."""
    start = Path(recipe.model.start)
    part = start / name if fold is None else start / f"fold-{fold}" / name
    if not recipe.model.start or not (start / "fold-0").is_dir() or not part.is_dir():
        return recipe
    return replace(recipe, model=replace(recipe.model, start=str(part)))


def _one(
    recipe: SegmentRecipe, wanted: StructureSet, sides: tuple[list[Outlined], list[Outlined]], out: Path, resume: bool
) -> Path:
    """Train on one side, choose on the other, write the head folder."""
    if not sides[0]:
        raise BadRecipe(f"no picture with masks of {wanted.name} on the train side", "one or more", "another data.root")
    model = load(recipe.model.encoder)
    side = round(side_of(model.encoder.model.visual, recipe.model.image_size) * STORE)
    cache = (out.parent if out.name.startswith("fold-") else out) / "cache"
    made = [build_masks(rows, wanted.structures, side, recipe.data.overlay, cache) if rows else None for rows in sides]
    assert made[0] is not None
    for i, name in enumerate(wanted.structures):
        if not made[0].masks[:, i].any():
            raise BadRecipe(f"no mask of {name!r} in any picture to train on", "some, or a set without it")
    training = SegmentTraining(recipe, model, wanted.structures, (made[0], made[1]), out, resume)
    training.epochs()
    epoch = training.take_best()
    if recipe.model.blend:
        start = model.segmenter.task(recipe.model.start).head.decoder
        blend_decoder(training.drawer.decoder, start.to(training.device), recipe.model.blend)
    thresholds = dict.fromkeys(wanted.structures, 0.5)
    results: dict[str, Any] = {"epoch": epoch}
    if training.held is not None:
        table = training.dice(THRESHOLDS)  # (thresholds, structures)
        best = [_best(table[:, i]) for i in range(len(wanted.structures))]
        thresholds = {name: THRESHOLDS[k] for name, k in zip(wanted.structures, best, strict=True)}
        scores = {name: float(table[k, i]) for i, (name, k) in enumerate(zip(wanted.structures, best, strict=True))}
        results |= {"validation_dice_on_the_square": scores, "n": len(sides[1])}
    config = _config(recipe, wanted, training, sides[0], (thresholds, results))
    own = None if recipe.model.frozen else training.tower
    folder = save_head(training.drawer.decoder, config, out / (recipe.name or wanted.name), own)
    if sides[1] and wanted.measures:
        calibrate_head(folder, model, sides[1])
    return folder


def calibrate_head(folder: Path, model: FetalCLIP, held: Sequence[Outlined]) -> None:
    """Find a head's habit, then its intervals, on pictures it was not trained on, and write both into its folder.

    Where a length is measured its structure's threshold is chosen anew: by Dice a shaft may lose its ends.

    Where there are enough real pictures, simulated ones have no say: they are easier.
    """
    real = [row for row in held if row.dataset != "phantom"]
    held = real if len(real) >= ENOUGH else held

    def task() -> SegmentTask:
        return SegmentTask(model.encoder, load_head(folder, model.encoder.tower_sha256))

    change_head(folder, habit={}, widen={})
    change_head(folder, thresholds=length_thresholds(task(), held))
    change_head(folder, habit=own_habit(task(), held))
    factors, told = measure_held(task(), held)
    results = dict(read_head_config(folder).told["results"])
    change_head(folder, widen=factors, results={**results, "validation_measures": told})


def _best(scores: np.ndarray) -> int:
    """The threshold of the highest score; 0.5 unless another is better by more than 0.0005."""
    half, top = THRESHOLDS.index(0.5), int(np.nanargmax(scores)) if np.isfinite(scores).any() else 3
    return top if scores[top] - scores[half] > 5e-4 else half


def _groups(drawer: _Drawer, recipe: SegmentRecipe) -> list[dict[str, Any]]:
    """Trained parameters; no weight decay on norms and biases."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in drawer.named_parameters():
        if name.split(".")[-2] in ("proj", "head", "ln_post") or name == "tower.proj":
            continue  # beyond the blocks: no gradient
        rate = recipe.optim.rate_encoder if name.startswith("tower.") else recipe.optim.rate
        decay = 0.0 if parameter.ndim < 2 else recipe.optim.weight_decay
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": p, "lr": rate, "peak": rate, "weight_decay": decay} for (rate, decay), p in groups.items()]


def _config(
    recipe: SegmentRecipe,
    wanted: StructureSet,
    training: SegmentTraining,
    rows: Sequence[Outlined],
    chosen: tuple[dict[str, float], dict[str, Any]],
) -> dict[str, Any]:
    """The head's ``config.json`` but for schema, decoder and weights."""
    licenses = sorted({row.license for row in rows} | {get_card(recipe.model.encoder).license})
    encoder: dict[str, Any] = {
        "name": Path(recipe.model.encoder).name,
        "sha256": tower_sha256(training.tower.state_dict()),
    }
    if not recipe.model.frozen:
        shape = load(recipe.model.encoder).encoder.model.architecture.to_dict()
        encoder["architecture"] = {key: shape[key] for key in ("embed_dim", "image")}
    told = recipe.to_dict()
    told["data"] |= {key: Path(told["data"][key]).name for key in ("root", "folder")}
    told["model"] |= {"encoder": encoder["name"], "start": Path(recipe.model.start).name}
    return {
        "name": recipe.name or wanted.name,
        "title": wanted.title,
        "summary": recipe.summary,
        "license": " AND ".join(licenses),
        "structures": list(wanted.structures),
        "plane": wanted.plane,
        "measures": list(wanted.measures),
        "outset": {name: {"pixels": pixels, "side": side} for name, (pixels, side) in wanted.outset.items()},
        "habit": {},
        "shapes": dict(wanted.shapes),
        "guides": dict(wanted.guides),
        "convention": wanted.convention,
        "encoder": encoder,
        "preprocess": {
            "image_size": training.side,
            "overlay": recipe.data.overlay,
            "depths": [int(depth) for depth in training.depths],
        },
        "thresholds": chosen[0],
        "widen": {},
        "level": 0.9,
        "data": _trained_on(rows),
        "training": {"recipe": told, **training.made_with},
        "results": chosen[1],
    }


def _trained_on(rows: Sequence[Outlined]) -> dict[str, dict[str, Any]]:
    """Licence, citation, pictures and groups of each source."""
    found: dict[str, dict[str, Any]] = {}
    for name in sorted({row.dataset for row in rows}):
        mine = [row for row in rows if row.dataset == name]
        cited = LICENSES[name]._asdict() if name in LICENSES else {}
        facts = {"pictures": len(mine), "groups": len({row.group for row in mine}), "license": mine[0].license}
        found[name] = {**cited, **facts}
    return found
