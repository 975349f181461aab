"""The data card: what a model was trained, tuned and measured on, from its config, the frozen split and written texts.

The texts are people's: ``assets/datasets/NAME.md`` on a data set as published, ``assets/data-limits/NAME.md`` on what
is known to be wrong with the data of one model. Counts are computed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from fetalclip.bench.told import DataSet, cell, inner, protocols, training_data
from fetalclip.data import splits

NO_LIMITS = "None written yet: name where the pictures come from, who is missing in them and what leaks."
_SIDES = {"train": "training", "val": "validation", "test": "test"}


def render_data(config: Mapping[str, Any]) -> str:
    """The card as Markdown, from a ``config.json``; what it does not tell is said to be untold."""
    sets = training_data(config)
    lines = [
        f"# Data of {config['name']}",
        "",
        f"What the weights with sha256 `{config['weights']['sha256']}` were trained, tuned and measured on.",
        "",
    ]
    if not sets:
        lines += ["No training data is recorded in `config.json`: what these weights were trained on is not known.", ""]
    else:
        lines += [*_sets(sets), *_split(config, sets), *_texts(sets), *_made(config)]
    lines += [*_start(config), *_measured(config), "## Known limits", "", limits(str(config["name"])), ""]
    return "\n".join(lines)


def limits(name: str) -> str:
    """What is known to be wrong with the data of one model: ``assets/data-limits/NAME.md``."""
    return _asset("data-limits", name) or NO_LIMITS


def split_lines(sets: Iterable[DataSet]) -> list[tuple[str, str, str, int, str]]:
    """Lines of the frozen split file of these data sets, in its order."""
    names = {data.name for data in sets}
    return [line for line in splits.frozen() if line[0] in names]


def _sets(sets: Sequence[DataSet]) -> list[str]:
    head = ["data set", "licence", "public record", "pictures trained on", "patients or examinations"]
    rows = [[d.name, d.license, d.record, _count(d.pictures), _count(d.groups)] for d in sets]
    cited = [f"- {cell(d.name)}: {cell(d.citation)}" for d in sets if d.citation]
    return ["## Data sets", "", *_table(head, rows), "", *([*cited, ""] if cited else [])]


def _split(config: Mapping[str, Any], sets: Sequence[DataSet]) -> list[str]:
    pictures: dict[tuple[str, str], int] = defaultdict(int)
    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    for dataset, _, group, _, side in split_lines(sets):
        pictures[dataset, side] += 1
        groups[dataset, side].add(group)
    if not pictures:
        return ["## Split", "", "None of these data sets is in the frozen split file of this package.", ""]
    rows = [
        [d.name, said, str(pictures[d.name, side]), str(len(groups[d.name, side]))]
        for d in sets
        for side, said in _SIDES.items()
        if pictures[d.name, side]
    ]
    return [
        "## Split",
        "",
        "The frozen split (`split.csv`): by patient, one key for FETAL_PLANES_DB and the head structures, or by",
        "examination (HC18). A fold comes from a seeded hash of the group, so other files of the same data sets get",
        "theirs by the same rule. Fold -1 is a published test side.",
        "",
        *_table(["data set", "side", "pictures", "patients or examinations"], rows),
        "",
        *_folds(config),
        "Pictures without a plane that is trained, and copies of a picture that two data sets have, are left out of",
        "training, so fewer may have been trained on than stand on a side.",
        "",
    ]


def _folds(config: Mapping[str, Any]) -> list[str]:
    recipe = inner(config, "training", "recipe")
    data = inner(recipe, "data")
    said = []
    if folds := _numbers(data.get("train_folds")):
        said.append(f"Trained on folds: {folds}; of HC18: {_numbers(data.get('hc18_folds')) or 'none'}.")
    if held := _numbers(recipe.get("crossfit_folds")):
        said.append(f"Temperature and thresholds come from models that had not seen the fold they scored ({held}).")
    return [" ".join(said), ""] if said else []


def _texts(sets: Sequence[DataSet]) -> list[str]:
    lines = []
    for data in sets:
        text = _asset("datasets", data.name) or "No text on this data set has been written."
        lines += [f"## {cell(data.name)}", "", text, ""]
    return lines


def _made(config: Mapping[str, Any]) -> list[str]:
    recipe = inner(config, "training", "recipe")
    captions, data, shares = inner(recipe, "captions"), inner(recipe, "data"), inner(config, "training", "shares")
    said = []
    if captions:
        odds = ", ".join(f"{cell(name)} {cell(chance)}" for name, chance in captions.items())
        said.append(f"- **Captions** are made by grammar and templates from the labels; settings: {odds}.")
    if simulated := data.get("simulated_pool"):
        share = shares.get("simulated")
        part = f", {share:.1%} of an epoch's pictures with a plane" if isinstance(share, float) else ""
        said.append(f"- **Simulated planes**: {cell(simulated)}, drawn by `fetalclip.phantom` from seeds{part}.")
    if drawn := data.get("far_pool"):
        said.append(
            f"- **Pictures without a plane**, for abstention: {cell(drawn)} drawn ones that are no ultrasound, and the"
            " data sets' own pictures wrecked (speckle, blur, inversion, shuffled tiles)."
        )
    if data.get("far_folder"):
        said.append("- **Pictures of a folder** (`data.far_folder`) joined them; they are on no public record.")
    pre = inner(config, "preprocess")
    overlay = {"mask": "is found and blanked", "keep": "is kept"}.get(str(pre.get("overlay")), "is treated as told")
    said.append(
        f"- **Preparation**: padded to a square, never cropped, {cell(pre.get('image_size'))} pixels a side; burned-in"
        f" text {overlay}. Augmentation stands in the recipe (`recipe.yaml`)."
    )
    return ["## What was made from them", "", *said, ""]


def _start(config: Mapping[str, Any]) -> list[str]:
    start = inner(config, "training").get("start")
    if not isinstance(start, str):
        return []
    said = "random weights" if start == "random" else cell(start)
    told = " ImageNet's pictures are not openly licensed and no part of this release." if "ImageNet" in start else ""
    return ["## Before this training", "", f"The image tower started from: {said}.{told}", ""]


def _measured(config: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            name,
            str(inner(result, "provenance").get("split", "")),
            str(result.get("n", "")),
            str(result.get("command", "")),
        ]
        for name, result in protocols(config).items()
    ]
    if not rows:
        return []
    return ["## Measured on", "", *_table(["protocol", "split", "pictures", "command"], rows), ""]


def _asset(folder: str, name: str) -> str:
    """A written text, or empty; ``name`` may be anything."""
    known = {path.name: path for path in (files("fetalclip") / "assets" / folder).iterdir()}
    path = known.get(f"{name}.md")
    return path.read_text("utf-8").strip() if path else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *([cell(word) for word in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _numbers(value: Any) -> str:
    return ", ".join(str(item) for item in value if type(item) is int) if isinstance(value, list) else ""


def _count(value: int | None) -> str:
    return "" if value is None else str(value)
