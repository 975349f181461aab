"""What comes out of a fine-tuning: a model folder like any other, with the trained head as a probe within it.

Its texts were not trained along, so it answers by its probe only: ``config.json`` says so under ``tasks``, and has no
rule for ages and sub-planes any more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip.config import MODEL_SCHEMA
from fetalclip.disk import appearing
from fetalclip.encoder import Encoder
from fetalclip.errors import BadValue, OutputError
from fetalclip.fit.age import conformal
from fetalclip.fit.calibrate import confidence
from fetalclip.fit.finetune_data import Squares
from fetalclip.fit.finetune_net import Start, TunedNet
from fetalclip.fit.finetune_recipe import FinetuneRecipe
from fetalclip.fit.finetune_table import Table
from fetalclip.metrics import Reals, confusion_matrix, macro_f1
from fetalclip.models.probe_head import save_probe
from fetalclip.models.weights import save_folder
from fetalclip.tasks import PlaneRule
from fetalclip.tasks.probe import PROBES

TABLE = "table"
"""How config and card call the pictures of the recipe's table."""


def scores(said: Reals, squares: Squares, classes: int) -> dict[str, float]:
    """Macro F1 and accuracy of logits (n, classes), or the mean absolute error of numbers (n, 1) in their unit."""
    if not classes:
        return {"mae": float(np.abs(said[:, 0] - squares.targets).mean())}
    answer, truth = said.argmax(axis=1), np.asarray(squares.targets, np.int64)
    found = confusion_matrix(truth, answer, classes)
    return {"macro_f1": macro_f1(found), "accuracy": float((answer == truth).mean())}


def write_model(
    recipe: FinetuneRecipe,
    start: Start,
    parts: tuple[TunedNet, Squares],
    table: Table,
    made: Mapping[str, Any],
    folder: Path,
) -> Path:
    """Calibrate the head on the held pictures and write the model folder, whole or not at all.

    Args:
        recipe: what was done.
        start: whose towers these are now.
        parts: the finished net and the held pictures.
        table: who was trained on and who was held.
        made: environment, commit, parameters and ``epoch``.
        folder: not there yet.

    Raises:
        OutputError: the folder cannot be written.
    """
    net, held = parts
    start.model.to("cpu")
    said = net.cpu().logits(held)
    chosen = _chosen(said, held, table, recipe.level)
    counts = table.counts()
    results = {
        "epoch": made["epoch"],
        "validation": {
            "pictures": counts["held_pictures"],
            "patients": counts["held_patients"],
            **scores(said, held, len(table.classes)),
        },
        "note": "the epoch and the calibration were chosen on these pictures: not a result to report",
    }
    words = {"training": {"recipe": _portable(recipe), **made}, "results": results}
    config = {**_config(recipe, start), **words}
    encoder = Encoder(start.model, start.tokenizer, start.normalisation, "cpu")
    head = _head(recipe, table, encoder.embedding_sha256, chosen) | words
    weight, bias = net.folded()
    try:
        with appearing(folder) as part:
            save_folder(start.model, start.tokenizer, config, part, _card(config, recipe, start, table))
            save_probe({"weight": weight, "bias": bias}, head, part / PROBES / recipe.name)
    except OSError as error:
        found = f"the model folder {folder} cannot be written ({error.strerror})"
        raise OutputError(found, "a writable folder") from None
    return folder


def _chosen(said: Reals, held: Squares, table: Table, level: float) -> dict[str, float]:
    """Temperature and least probability of classes, or half of a number's interval, from the held pictures."""
    if table.classes:
        found = confidence(said, np.asarray(held.targets, np.int64))
        return {"temperature": found.temperature, "min_probability": found.min_probability}
    groups = [row.group for row in table.held]
    weights = np.array([1 / groups.count(group) for group in groups])  # patients alike, however many pictures they have
    try:
        return {"width": conformal(np.abs(said[:, 0] - held.targets), weights, level), "level": level}
    except BadValue:  # too few patients: no interval
        return {"width": 0.0, "level": level}


def _config(recipe: FinetuneRecipe, start: Start) -> dict[str, Any]:
    """The model's ``config.json`` but for ``training``, ``results`` and weights; nothing of it is calibrated."""
    shown, rule = start.normalisation, PlaneRule()
    return {
        "schema": MODEL_SCHEMA,
        "name": recipe.name,
        "summary": recipe.summary,
        "license": recipe.license,
        "tasks": [PROBES],
        "architecture": start.model.architecture.to_dict(),
        **({"tokenizer": {"cleaning": start.cleaning}} if start.cleaning else {}),
        "preprocess": {
            "image_size": shown.image_size,
            "mean": list(shown.mean),
            "std": list(shown.std),
            "mirror": shown.mirror,
            "colour": shown.colour,
            "overlay": recipe.data.overlay,
        },
        "planes": {"prompts": rule.prompts, "temperature": 1.0, "outlier_threshold": 1.0, "min_probability": 0.0},
    }


def _head(recipe: FinetuneRecipe, table: Table, sha256: str, chosen: Mapping[str, float]) -> dict[str, Any]:
    """The probe's ``config.json`` but for schema, ``training``, ``results`` and weights."""
    counts = table.counts()
    return {
        "name": recipe.name,
        "title": f"{table.label}, fine-tuned",
        "summary": recipe.summary,
        "license": recipe.license,
        "question": recipe.question,
        "classes": list(table.classes),
        "unit": recipe.unit,
        "inputs": ["spacing"] if recipe.data.spacing else [],
        "encoder": {"name": recipe.name, "sha256": sha256},
        "preprocess": {"overlay": recipe.data.overlay},
        **chosen,
        "data": {TABLE: {"pictures": counts["train_pictures"], "patients": counts["train_patients"]}},
    }


def _portable(recipe: FinetuneRecipe) -> dict[str, Any]:
    """The recipe without places on this machine: of a path the last name is kept."""
    told = recipe.to_dict()
    told["data"] |= {key: Path(told["data"][key]).name for key in ("table", "root")}
    told["model"]["start"] = Path(told["model"]["start"]).name
    return told


def _card(config: Mapping[str, Any], recipe: FinetuneRecipe, start: Start, table: Table) -> str:
    """The written card: what was tuned on how much, by which recipe. No file, patient or place is named."""
    counts = table.counts()
    asked = ", ".join(table.classes) if table.classes else f"a number ({recipe.unit or 'no unit'})"
    method = {"lora": f"LoRA of rank {recipe.lora.rank}, merged", "full": "all weights", "head": "the head alone"}
    lines = [f"# {recipe.name}", "", recipe.summary, "", f"- Answers: {asked}", f"- Licence: {recipe.license}"]
    lines.append(f"- Started from: {start.name} ({start.license})")
    lines.append(f"- Trained: {method[recipe.model.method]}; first {recipe.model.frozen_blocks} blocks as they were")
    lines.append(f"- Trained on: {counts['train_pictures']} pictures of {counts['train_patients']} patients")
    held = f"{counts['held_pictures']} pictures of {counts['held_patients']} patients"
    lines.append(f"- Epoch and calibration chosen on: {held}" + ("" if table.grouped else " (no patients named)"))
    lines += ["", "It answers by its probe. Its texts were not trained along: nothing is answered by prompts.", ""]
    lines += ["## Validation", "", "```json", json.dumps(config["results"], indent=1), "```", ""]
    lines += ["## Recipe", "", "```json", json.dumps(config["training"]["recipe"], indent=1), "```", ""]
    return "\n".join([*lines, "Research software. Not a medical device: not for diagnosis or treatment.", ""])
