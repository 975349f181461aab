"""The model card, written from the model's config and from what ``bench`` measured; no number is typed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from fetalclip.bench import rows
from fetalclip.cards import Card
from fetalclip.disk import replacing
from fetalclip.errors import OutputError, UsageError
from fetalclip.result import DISCLAIMER

NO_LIMITS = "None written yet: name what this model was not trained on and not measured with."
_NEEDED = {"recipe": dict, "environment": dict, "data": dict, "start": str, "shares": dict}


def write_card(card: Card, result: Mapping[str, Any], command: str) -> Path:
    """Put measured results into a model folder: into ``config.json`` and, as text, into ``README.md``.

    Results of another protocol that the folder holds stay where they are.

    Args:
        card: the model that was measured; must have a folder.
        result: ``BenchResult.to_dict()`` of a protocol on this model; its curves stay out of the folder.
        command: the command that gave the numbers, for the reader to repeat.

    Returns:
        The written ``README.md``.

    Raises:
        UsageError: the model has no folder or the result is of another model.
        OutputError: the folder cannot be written.
    """
    measured = result["provenance"].get("model_sha256")
    if card.folder is not None and measured != card.sha256:
        raise UsageError("results of other weights than this folder's", "a result of the same weights")
    kept = {key: value for key, value in result.items() if key not in ("risk_coverage", "differences")}
    return _keep(card, f"bench_{result['protocol']}", {**kept, "command": command})


def write_rows(card: Card, key: str, block: Mapping[str, Any]) -> Path:
    """Put a table about other models, trained like this one but for one change, into a model folder, as `write_card`.

    Args:
        card: the model whose card gets the table; must have a folder.
        key: ``ablations`` or ``language``; a block that is there already is replaced.
        block: see `fetalclip.bench.rows`.

    Returns:
        The written ``README.md``.

    Raises:
        UsageError: the model has no folder or no recorded training, or the block is of another shape.
        OutputError: the folder cannot be written.
    """
    rows.check(key, block)
    return _keep(card, key, block)


def _keep(card: Card, key: str, result: Mapping[str, Any]) -> Path:
    """Store a result under its key and write the card again."""
    if card.folder is None:
        raise UsageError(f"model {card.name} has no folder to write a card to", "a model folder", "--model FOLDER")
    if lacking := unrecorded(card.config):
        found = f"config.json of {card.name} records no {', '.join(lacking)}, so no card can be written from it"
        raise UsageError(found, "a model trained by fetalclip train", "--model FOLDER")
    config = {**card.config, "results": {**card.config.get("results", {}), key: result}}
    text = render(config)
    try:
        _replace(card.folder / "README.md", text)
        _replace(card.folder / "config.json", json.dumps(config, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise OutputError(f"{card.folder} cannot be written ({error.strerror})", "a writable folder") from None
    return card.folder / "README.md"


def unrecorded(config: Mapping[str, Any]) -> list[str]:
    """What ``training`` of a config lacks that a card needs."""
    return [f"training.{key}" for key in _NEEDED if not isinstance(config.get("training", {}).get(key), _NEEDED[key])]


def render(config: Mapping[str, Any]) -> str:
    """The card as Markdown, from a ``config.json`` that holds results of ``fetalclip bench``."""
    training, results = config["training"], config.get("results", {})
    recipe = training["recipe"]
    return "\n".join(
        [
            f"# {config['name']}",
            "",
            config["summary"],
            "",
            DISCLAIMER,
            "",
            f"- Licence of the weights: {config['license']}",
            f"- Weights: `model.safetensors`, float16, sha256 `{config['weights']['sha256']}`",
            f"- Start of the image tower: {training['start']}. ImageNet's pictures are not openly licensed.",
            f"- Made with: {', '.join(f'{k} {v}' for k, v in training['environment'].items())}",
            f"- Training code: {training.get('commit') or 'commit not recorded'}",
            "",
            "## Training",
            "",
            f"Symmetric contrastive loss on image-caption pairs, targets `{recipe['targets']}`,"
            f" {recipe['optim']['epochs']} epochs, batch {recipe['optim']['batch']},"
            f" pictures of {recipe['model']['image_size']} px, overlay masked, corners erased at random."
            f" Simulated planes: {training['shares'].get('simulated', 0.0):.1%} of an epoch's pictures with a plane."
            f" {training.get('schedule', '')} The whole recipe is in `config.json`.",
            "",
            "Data:",
            "",
            *(
                f"- {name}: {d['pictures']} pictures of {d['groups']} patients or examinations. {d['citation']}"
                f" ({d['license']})"
                for name, d in training["data"].items()
            ),
            "",
            "Split: the frozen file `assets/splits/split-v1.csv`, by patient (FETAL_PLANES_DB and head structures"
            " share one key) or by examination (HC18). The published test side and HC18's fold 0 were never trained,"
            " tuned or selected on. The landmark file (CC BY-NC-SA) was read for measuring only.",
            "",
            *_cross_fit(config),
            "",
            "## Results",
            "",
            *_measured(results.get("bench_planes"), ""),
            *_measured(results.get("bench_subplanes"), "### Sub-planes of the brain"),
            *_measured(results.get("bench_ga"), "### Gestational age"),
            *_measured(results.get("bench_head-segmentation"), "### Masks of the head"),
            *_measured(results.get("bench_biometry"), "### Biometry"),
            *(line for key in rows.BLOCKS if key in results for line in rows.section(key, results[key])),
            "## Limits",
            "",
            _limits(config["name"]),
            "",
        ]
    )


def _limits(name: str) -> str:
    """The limits of one model, written by people: ``assets/limits/NAME.md``."""
    path = files("fetalclip") / "assets" / "limits" / f"{name}.md"
    return path.read_text("utf-8").strip() if path.is_file() else NO_LIMITS


def _measured(result: Mapping[str, Any] | None, heading: str) -> list[str]:
    """Heading, command, table and notes of one protocol; nothing where it was not measured."""
    if result is None:
        return []
    return [
        *([heading, ""] if heading else []),
        f"Measured by `{result['command']}`; intervals are 95 %, bootstrapped by patient or examination.",
        "",
        *_table(result),
        "",
        *_notes(result),
    ]


def _cross_fit(config: Mapping[str, Any]) -> list[str]:
    planes, folds = config["planes"], config.get("results", {}).get("cross_fit", [])
    if not folds:
        return []
    scores = ", ".join(f"{fold['macro_f1']:.3f} (n = {fold['n']})" for fold in folds)
    return [
        f"Cross-fitted by patient inside the training side; held-out macro F1 with nine candidates: {scores}."
        f" From these held-out scores come the temperature {planes['temperature']:.2f}, the outlier threshold"
        f" {planes['outlier_threshold']:.3g} and the least probability {planes['min_probability']:.2f}.",
        *_cross_fit_subplanes(config),
    ]


def _cross_fit_subplanes(config: Mapping[str, Any]) -> list[str]:
    scores, rule = config["results"].get("cross_fit_subplanes"), config.get("subplanes")
    if not scores or not rule:
        return []
    return [
        "",
        f"Sub-planes of the held-out brains (n = {scores['n']}): macro F1 {scores['macro_f1']:.3f}, calibration error"
        f" {scores['ece']:.3f} ({scores['ece_corrected']:.3f} bias-corrected), each fold at the temperature of the"
        f" others; from all folds come the temperature {rule['temperature']:.2f} and the least probability"
        f" {rule['min_probability']:.2f}.",
    ]


def _table(result: Mapping[str, Any]) -> list[str]:
    compared = any("supervised" in metric for metric in result["metrics"].values())
    head = ["measure", "n", "groups", "value", "95 % interval", *(["supervised"] if compared else []), "goal", "met"]
    lines = [_row(head), "|" + "---|" * len(head)]
    for metric in result["metrics"].values():
        goal = "" if metric["target"] is None else f"{metric['direction']} {metric['target']:g}"
        goal += f" and {metric['target_high']:g}" if "target_high" in metric else ""
        goal = goal.replace("at most ", "within ±") if metric.get("absolute") else goal
        met = {True: "yes", False: "no", None: ""}[metric["met"]]
        baseline = _number(metric.get("supervised", {}).get("value"))
        interval = f"{_number(metric['low'])} to {_number(metric['high'])}"
        what, groups = f"{metric['section']}: {metric['title']}", f"{metric['groups']} {metric['group_unit']}"
        scores = [_number(metric["value"]), interval, *([baseline] if compared else [])]
        lines.append(_row([what, metric["n"], groups, *scores, goal, met]))
    for name, values in result["null"].items():
        said = ", ".join(f"{key} {_number(value)}" for key, value in values.items())
        lines += ["", f"Without looking ({name}): {said}."]
    return lines


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _notes(result: Mapping[str, Any]) -> list[str]:
    return [line for note in result["notes"] for line in (note, "")]


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "" if value is None else str(value)


def _replace(path: Path, text: str) -> None:
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
