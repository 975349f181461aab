"""A whole pretraining recipe: open the data, train, choose, and write the model folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fetalclip.config import MODEL_SCHEMA
from fetalclip.data.audit import leaks
from fetalclip.data.pairs import Pairs
from fetalclip.data.sources import open_pairs
from fetalclip.data.table_pairs import TablePairs, read_source
from fetalclip.encoder import Encoder
from fetalclip.errors import BadRecipe, DataMissing, OutputError
from fetalclip.fit import checkpoints
from fetalclip.fit.account import named
from fetalclip.fit.calibrate import confidence
from fetalclip.fit.pretrain import Pretraining, Sides
from fetalclip.fit.pretrain_recipe import PretrainRecipe
from fetalclip.fit.towers import FROM_NOTHING
from fetalclip.memory import keep_freed_memory
from fetalclip.models.weights import save_folder
from fetalclip.tasks import PlaneRule

MODEL = "model"
"""Folder within the run folder that holds the model."""
_ENOUGH = 50  # held planes, below which a temperature is chance

Say = Callable[[str], None]
Opener = Callable[[Any, Path, bool, Say], Pretraining]
"""Recipe, run folder, whether to go on, and where progress is told, to a training that is ready."""


def open_training(recipe: PretrainRecipe, out: Path, resume: bool, say: Say) -> Pretraining:
    """A plain pretraining; arguments and errors as `pretrain`."""
    return Pretraining(recipe, open_sides(recipe), out, resume)


def pretrain(
    recipe: PretrainRecipe, out: Path, resume: bool = True, say: Say = print, opener: Opener = open_training
) -> Path:
    """Do what a recipe says.

    Args:
        recipe: the recipe.
        out: run folder; ``out/model`` is the model folder that comes out.
        resume: go on with what the folder already holds.
        say: where progress is told.
        opener: makes the training.

    Returns:
        The model folder.

    Raises:
        OutputError: the folder cannot be written, or holds another run and ``resume`` is off.
        BadRecipe, DataMissing, InputError, NotAvailable: what the recipe asks for cannot be done here.
    """
    if not resume and (out / checkpoints.NAME).is_file():
        raise OutputError(f"run folder {out} holds a run", "an empty folder", "--resume, or another --out folder")
    keep_freed_memory()
    training = opener(recipe, out, resume, say)
    if training.main:
        held = 0 if training.held is None else len(training.held)
        say(f"{len(training.sides.train)} pairs to train on, {held} to choose by")
    training.epochs()
    training.accelerator.end_training()  # trackers are closed, and the processes part
    if not training.main:
        return out / MODEL
    if bad := training.account.bad:
        say(f"{len(bad)} draws of pairs that cannot be read: {named(bad)}")
    epoch = training.take_best()
    say(f"the model is that of epoch {epoch}")
    return write_model(training, epoch, out / MODEL)


def open_sides(recipe: PretrainRecipe, cache: Path | None = None, drawn: int = 0) -> Sides:
    """The two sides of a recipe's data; ``test`` is never read.

    Args:
        recipe: the recipe.
        cache: folder for shards from the web; None for this package's own.
        drawn: side that pictures are augmented to; 0: the tower's.

    Raises:
        BadRecipe: the recipe names no data.
        DataMissing, InputError: it is not there, or cannot be read.
    """
    data = recipe.data
    if not data.train:
        raise BadRecipe("data.train is empty", "a manifest or shards", "data.train=manifest.csv")
    side = round((drawn or recipe.model.image_size) * data.store)
    options: dict[str, Any] = {"side": side, "overlay": data.overlay, "buffer": data.buffer, "cache": cache}
    train = open_pairs(data.train, "train", **options)
    try:
        held = open_pairs(data.validate or data.train, "val", whole=bool(data.validate), **options)
    except DataMissing:
        if data.validate:
            raise
        held = None  # no val side: nothing is chosen, the last epoch is kept
    if held is not None and held.fingerprint == train.fingerprint:
        raise BadRecipe("data.validate with the pairs of data.train", "others", "data.validate=val.csv")
    if not data.allow_leaks:
        _refuse_leaks(recipe, train, held)
    return Sides(train, held)


def _refuse_leaks(recipe: PretrainRecipe, train: Pairs, held: Pairs | None) -> None:
    """Of tables: no group and no file may stand on two sides, the test side too; shards were looked at when written."""
    if not isinstance(train, TablePairs):
        return
    rows = [*read_source(recipe.data.train).rows]
    if recipe.data.validate and isinstance(held, TablePairs):
        rows = [*(row for row in rows if row.split != "val"), *held.rows]
    if found := leaks(rows):
        what = f"{len(found)} groups or files on two sides of the data"
        raise BadRecipe(what, "a patient on one side only", "fetalclip data audit, or data.allow_leaks=true")


def write_model(training: Pretraining, epoch: int, folder: Path) -> Path:
    """The model folder of a training's weights as they stand, calibrated on the validation side where it can be."""
    recipe, model = training.recipe, training.model
    scores: dict[str, Any] = {}
    planes = {"prompts": PlaneRule().prompts, "temperature": 1.0, "outlier_threshold": 1.0, "min_probability": 0.0}
    if training.held is not None:
        scores = training.held.scores(model, training.normalisation, training.device)
        if scores.get("planes", 0) >= _ENOUGH:
            encoder = Encoder(model, training.tokenizer, training.normalisation, training.device)
            held = training.held.held(encoder)
            asked = held.label >= 0
            found = confidence(held.logits[asked], held.label[asked])
            planes |= {"temperature": found.temperature, "min_probability": found.min_probability}
    n = training.normalisation
    clip = training.tokenizer.clean is not None
    told = recipe.to_dict()
    for part, name in (("data", "train"), ("data", "validate"), ("teacher", "model")):
        if part in told:
            told[part][name] = Path(told[part][name]).name
    start = recipe.model.start if recipe.model.start in FROM_NOTHING else Path(recipe.model.start).name
    config: dict[str, Any] = {
        "schema": MODEL_SCHEMA,
        "name": recipe.name,
        "summary": recipe.summary,
        "license": recipe.license,
        "architecture": model.architecture.to_dict(),
        **({"tokenizer": {"cleaning": "clip"}} if clip else {}),
        "preprocess": {
            "image_size": n.image_size,
            "mean": list(n.mean),
            "std": list(n.std),
            "overlay": recipe.data.overlay,
        },
        "planes": planes,
        "training": {
            "labels": ["plane", "subplane"],
            "recipe": {**told, "model": {**told["model"], "start": start}},
            **training.made_with,
            "data": {"fingerprint": training.fingerprint, "pairs": len(training.sides.train)},
            "start": start,
            "epoch": epoch,
            **training.provenance(),
        },
        "results": {"validation": scores},
    }
    readme = f"# {recipe.name}\n\n{recipe.summary}\n\nLicence: {recipe.license}\n\n"
    readme += "Research software. Not a medical device: do not use it for diagnosis or treatment.\n"
    return save_folder(model, training.tokenizer, config, folder, readme)
