"""A whole recipe: cross-fit by patient, calibrate, refit, write the model folder.

Each step leaves its files behind, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from fetalclip.api import load
from fetalclip.clinical.vocabulary import SUBPLANES
from fetalclip.errors import BadCheckpoint, BadValue, DataMissing, OutputError
from fetalclip.fit.calibrate import Calibration, calibrate, subplane_scores
from fetalclip.fit.corpus import HC18_VALIDATION, Corpus, build_corpus, trained_on
from fetalclip.fit.heads import fit_to, score_heads
from fetalclip.fit.heldout import HeldOut
from fetalclip.fit.loop import MEAN, MIRROR, STD, Training
from fetalclip.fit.recipe import Recipe
from fetalclip.memory import keep_freed_memory
from fetalclip.models.weights import save_folder
from fetalclip.preprocess.augment import STORE
from fetalclip.tasks import SubplaneRule

Say = Callable[[str], None]


def train(recipe: Recipe, out: Path, resume: bool = True, say: Say = print) -> Path:
    """Do what a recipe says.

    Args:
        recipe: the recipe.
        out: run folder; ``out/model`` is the model folder that comes out.
        resume: go on with what the folder already holds.
        say: where progress is told.

    Returns:
        The model folder.

    Raises:
        OutputError: the folder cannot be written, or holds another run and ``resume`` is off.
    """
    if not resume and out.is_dir() and any(out.iterdir()):
        raise OutputError(f"run folder {out} holds a run", "an empty folder", "--resume, or another --out folder")
    keep_freed_memory()
    corpus = build_corpus(recipe.data, round(recipe.model.image_size * STORE), cache=out.parent / "cache")
    held = [_fold(recipe, fold, corpus, out, resume, say) for fold in recipe.crossfit_folds]
    found = calibrate(held) if held and recipe.objective == "contrastive" else None
    if held:
        say(f"cross-fitting: held macro F1 {[round(h.macro_f1(), 4) for h in held]}, {found}")
    last = replace(recipe, crossfit_folds=())
    say(f"fit on folds {last.data.train_folds}")
    training = Training(last, corpus, out, resume, out.parent / "cache")
    training.run()
    return _write(training, recipe, found, held, out, say)


def _fold(recipe: Recipe, fold: int, corpus: Corpus, out: Path, resume: bool, say: Say) -> HeldOut:
    """Train on the other folds, score this one; a trained fold whose scores are of an older version is scored again."""
    folder = out / f"fold-{fold}"
    others = tuple(f for f in range(5) if f != fold)
    # HC18's fold 0 is its test side; a head of another fold is seen by every encoder but that fold's.
    heads = tuple(f for f in range(1, 5) if f != fold)
    data = replace(recipe.data, train_folds=others, validate_fold=fold, hc18_folds=heads)
    say(f"cross-fitting: fold {fold} held out")
    training = Training(replace(recipe, data=data, crossfit_folds=()), corpus, folder, resume, out.parent / "cache")
    if training.done and (folder / "heldout.npz").is_file():
        try:
            return HeldOut.load(folder / "heldout.npz")
        except BadCheckpoint as error:
            say(f"scored again from its checkpoint: {error.found}")
    held = training.run()
    assert held is not None
    # The encoder of this fold stays: what it says of heads it has not seen can be measured later.
    config = _config(training, training.recipe, None, [held])
    save_folder(training.model, training.tokenizer, config, folder / "model", f"# Without fold {fold}\n")
    return held


def _write(
    training: Training, recipe: Recipe, found: Calibration | None, held: list[HeldOut], out: Path, say: Say
) -> Path:
    """The model folder: written once without an age rule, and again with the one its own answers give."""
    config = _config(training, recipe, found, held)
    readme = f"# {recipe.name}\n\n{recipe.summary}\n\nLicence: {recipe.license}\n\n```json\n"
    readme += json.dumps(config["results"], indent=1) + "\n```\n"
    folder = save_folder(training.model, training.tokenizer, config, out / "model", readme)
    if recipe.strip or recipe.objective == "supervised" or HC18_VALIDATION in recipe.data.hc18_folds:
        return folder
    try:
        rule = fit_to(score_heads(load(folder), recipe.data.root, HC18_VALIDATION))
    except (BadValue, DataMissing) as error:
        say(f"no age rule: {error.found}")
        return folder
    return save_folder(training.model, training.tokenizer, {**config, "age": rule.to_config()}, folder, readme)


def _config(training: Training, recipe: Recipe, found: Calibration | None, held: list[HeldOut]) -> dict[str, Any]:
    rule = training.rule
    supervised = recipe.objective == "supervised"
    return {
        "schema": "fetalclip.model/1",
        "name": recipe.name,
        "summary": recipe.summary,
        "license": recipe.license,
        "architecture": training.model.architecture.to_dict(),
        "preprocess": {
            "image_size": recipe.model.image_size,
            "mean": list(MEAN),
            "std": list(STD),
            "mirror": MIRROR,
            "overlay": recipe.data.overlay,
        },
        "planes": {
            "prompts": rule.prompts,
            "temperature": found.temperature if found else 1.0,
            "outlier_threshold": found.outlier_threshold if found else 1.0,
            "min_probability": found.min_probability if found else 0.0,
            **({"classes": list(rule.classes)} if supervised else {}),
        },
        **_subplanes(found, supervised),
        **_answers(recipe),
        "training": {
            "labels": [label for label in ("plane", "subplane") if not {label, "plane"} & set(recipe.strip)],
            "recipe": _portable(recipe),
            **training.made_with,
            "data": trained_on(recipe.data),
            "start": "EfficientNet-Lite0, ImageNet (Apache-2.0)" if recipe.model.start == "imagenet" else "random",
            "shares": training.batches.shares(),
            "calibration": asdict(found) if found else None,
        },
        "results": _results(held),
    }


def _portable(recipe: Recipe) -> dict[str, Any]:
    """The recipe without places on this machine: of an absolute path the last folder's name is kept."""
    told = recipe.to_dict()
    for name in ("root", "far_folder"):
        path = Path(told["data"][name])
        told["data"][name] = path.name if path.is_absolute() else told["data"][name]
    return told


def _answers(recipe: Recipe) -> dict[str, Any]:
    """The ``tasks`` of ``config.json``: a text that no picture was ever told by names nothing."""
    if not recipe.strip:
        return {}
    return {"tasks": ["probes"] if "plane" in recipe.strip else ["planes", "probes"]}


def _subplanes(found: Calibration | None, supervised: bool) -> dict[str, Any]:
    """The ``subplanes`` of ``config.json``; nothing where nothing was found out about them."""
    if supervised:
        plain = {"prompts": SubplaneRule().prompts, "temperature": 1.0, "min_probability": 0.0}
        return {"subplanes": {**plain, "classes": list(SUBPLANES)}}
    if found is None or found.subplanes is None:
        return {}
    sub = found.subplanes
    rule = {
        "prompts": SubplaneRule().prompts,
        "temperature": sub.temperature,
        "min_probability": sub.min_probability,
    }
    return {"subplanes": rule}


def _results(held: list[HeldOut]) -> dict[str, Any]:
    """Held-out scores, fold by fold; of the sub-planes, few a fold, of all folds joined too."""
    folds = []
    for fold in held:
        sub = subplane_scores([fold])
        scores = {"macro_f1": fold.macro_f1(), "loss": fold.loss(), "n": int(fold.real.sum())}
        folds.append({**scores, **({"subplanes": sub} if sub else {})})
    joined = subplane_scores(held) if held else None
    return {"cross_fit": folds, **({"cross_fit_subplanes": joined} if joined else {})}
