"""What each part of the recipe is worth, and what its language side buys: short trainings on one split and one budget.

Every row is a model trained by ``fetalclip train`` with one change, on all training folds, for the same few epochs, and
measured once on the published test side. Trained models are kept in ``--out`` and taken up again. The two files it
writes go into a model's card with ``fetalclip bench rows FILE --card ablations`` and ``--card language``.

    python benchmarks/ablations.py --root DIR --out runs/ablations
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import fetalclip
from fetalclip.bench.answers import RESAMPLES, SEED, Answers
from fetalclip.bench.ask import ask, from_row
from fetalclip.clinical.vocabulary import KNOWN, SUBPLANES
from fetalclip.data import Row, read_dataset
from fetalclip.fit import Recipe, train
from fetalclip.metrics import Estimate, paired_difference
from fetalclip.settings import find_recipe, load_recipe

EPOCHS = 4
MACHINE = "Voluson E6"


@dataclass(frozen=True)
class Variant:
    """One training: what a reader calls it, the recipe, its changes, the ways of treating the overlay it is asked."""

    name: str
    recipe: str = "open"
    changes: tuple[str, ...] = ()
    overlays: tuple[str, ...] = ("mask",)


FULL = "full"
ABLATIONS = {
    FULL: Variant("everything", overlays=("mask", "keep", "only")),
    "no-captions": Variant("no captions: cross-entropy over planes and sub-planes", "supervised"),
    "no-age": Variant("no age and no spacing in captions", changes=("captions.age=0", "captions.spacing=0")),
    "no-masking": Variant(
        "burned-in text left in the pictures", changes=("data.overlay=keep",), overlays=("mask", "keep", "only")
    ),
    "from-scratch": Variant("from scratch, without ImageNet", changes=("model.start=random", "model.frozen_blocks=0")),
}
ONE_MACHINE = Variant(f"trained on {MACHINE} alone", changes=(f"data.machines=[{MACHINE}]", "data.hc18_per_epoch=0"))
LEFT_OUT = {plane: Variant(f"{plane} left out", changes=(f"data.leave_out=[{plane}]",)) for plane in KNOWN}


def trained(key: str, variant: Variant, root: str, out: Path) -> Path:
    """The model folder of a variant, trained where it is not there yet."""
    folder = out / key / "model"
    if (folder / "config.json").is_file():
        return folder
    budget = (f"data.root={root}", f"optim.epochs={EPOCHS}", "crossfit_folds=[]")
    recipe = load_recipe(Recipe, find_recipe(variant.recipe), [*budget, *variant.changes])
    return train(recipe, out / key, say=partial(print, f"{key}:", flush=True))


def planes_by(model: Any, rows: Sequence[Row], overlays: Sequence[str], prompts: str | None) -> dict[str, Answers]:
    """Planes of the test pictures, by the way the overlay is treated."""
    ways = {how: partial(model.planes, prompts=prompts, overlay=how) for how in overlays}
    return ask([from_row(row) for row in rows if row.plane in KNOWN], ways)


def subplanes_by(model: Any, rows: Sequence[Row]) -> Answers:
    """Sub-planes of the test brains that have one."""
    brains = [from_row(row, "subplane") for row in rows if row.subplane in SUBPLANES]
    return ask(brains, {"": model.subplanes})[""]


def cell(found: Estimate) -> dict[str, float | int]:
    """The form the card takes; an interval that is not defined is the value alone."""
    value = found.value if math.isfinite(found.value) else 0.0
    low, high = (x if math.isfinite(x) else value for x in (found.low, found.high))
    return {"value": value, "low": low, "high": high, "n": found.n}


def f1(answers: Answers) -> dict[str, float | int]:
    """Macro F1 with its interval."""
    return cell(answers.estimate(answers.macro_f1()))


def less(answers: Answers, other: Answers) -> dict[str, float | int]:
    """Macro F1 less another model's on the same pictures, paired by patient."""
    return cell(paired_difference(answers.macro_f1(), other.macro_f1(), answers.group, RESAMPLES, SEED))


def ablations(root: str, out: Path, rows: Sequence[Row]) -> dict[str, Any]:
    """The block of the card."""
    lines: list[dict[str, Any]] = []
    full: dict[str, Answers] = {}
    for key, variant in ABLATIONS.items():
        model = fetalclip.load(trained(key, variant, root, out))
        answers = planes_by(model, rows, variant.overlays, None) | {"subplanes": subplanes_by(model, rows)}
        full = full or answers
        line: dict[str, Any] = {"name": variant.name, "changes": _changes(variant), "macro_f1": f1(answers["mask"])}
        line["less everything"] = None if answers is full else less(answers["mask"], full["mask"])
        line["subplanes_macro_f1"] = f1(answers["subplanes"])
        line["sub-planes, less everything"] = None if answers is full else less(answers["subplanes"], full["subplanes"])
        for how, title in (("keep", "planes, text left in"), ("only", "planes, text alone")):
            line[title] = f1(answers[how]) if how in answers else None
        lines.append(line)
        print(json.dumps(line), flush=True)
    note = (
        f"Each trained for {EPOCHS} epochs on all training folds, nine candidates (cross-entropy: its four classes), "
        "burned-in text masked unless said otherwise; differences are paired by patient."
    )
    return {"command": "python benchmarks/ablations.py --root DIR", "note": note, "rows": lines}


def language(root: str, out: Path, rows: Sequence[Row], model: str) -> dict[str, Any]:
    """The block of the card."""
    lines: list[dict[str, Any]] = []

    def add(name: str, changes: str, measures: Mapping[str, Any]) -> None:
        lines.append({"name": name, "changes": changes, **measures})
        print(json.dumps(lines[-1]), flush=True)

    def named(folder: Path | str, prompts: str = "planes-4") -> Answers:
        return planes_by(fetalclip.load(folder), rows, ("mask",), prompts)["mask"]

    for prompts in ("planes-4", "planes-4-reworded", "planes-9-reworded"):
        new = "no sentence of them in training" if "reworded" in prompts else "the usual ones"
        add(f"this model, prompts {prompts}", new, {"macro_f1": f1(named(model, prompts))})
    full = named(trained(FULL, ABLATIONS[FULL], root, out))
    one = named(trained("one-machine", ONE_MACHINE, root, out))
    other = np.array([machine != MACHINE for machine in one.facts["machine"]])
    for name, answers in ((ONE_MACHINE.name, one), ("trained on every machine, as long", full)):
        add(f"{name}: pictures of other machines", "", {"macro_f1": f1(answers.where(other))})
    for plane, variant in LEFT_OUT.items():
        answers = named(trained(f"without-{plane}", variant, root, out))
        measures = {
            "macro_f1": f1(answers),
            "F1 of the plane left out": cell(answers.estimate(answers.f1(plane))),
            "the same, not left out": cell(full.estimate(full.f1(plane))),
        }
        add(f"true zero-shot: no picture and no caption of {plane}", _changes(variant), measures)
    note = (
        "Four candidates. A word that no caption held means nothing to a text tower trained from scratch: the rows "
        "of a plane left out are what the language side carries over without it."
    )
    return {"command": "python benchmarks/ablations.py --root DIR", "note": note, "rows": lines}


def _changes(variant: Variant) -> str:
    return " ".join(([variant.recipe] if variant.recipe != "open" else []) + list(variant.changes))


def main() -> None:
    """Train what is missing, measure everything, write ``ablations.json`` and ``language.json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=Path("runs/ablations"), help="where the trained models are kept")
    parser.add_argument("--model", default="fetalclip-open", help="whose prompts are reworded")
    parser.add_argument("--train-only", action="store_true", help="train what is missing and stop")
    asked = parser.parse_args()
    variants = {**ABLATIONS, "one-machine": ONE_MACHINE, **{f"without-{p}": v for p, v in LEFT_OUT.items()}}
    for key, variant in variants.items():
        trained(key, variant, asked.root, asked.out)
    if asked.train_only:
        return
    rows = [row for row in read_dataset("fetal-planes-db", asked.root) if row.split == "test"]
    for name, block in (
        ("ablations", ablations(asked.root, asked.out, rows)),
        ("language", language(asked.root, asked.out, rows, asked.model)),
    ):
        (asked.out / f"{name}.json").write_text(json.dumps(block, indent=1) + "\n")
        print(f"written: {asked.out / f'{name}.json'}")


if __name__ == "__main__":
    main()
