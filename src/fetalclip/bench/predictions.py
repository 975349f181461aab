"""The planes protocol on saved answers: ``{"prediction": [...], "label": [...]}`` to the same table."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip import __version__
from fetalclip.bench.answers import RESAMPLES, SEED, Answers
from fetalclip.bench.table import BenchResult, Confusion, Goal, Metric
from fetalclip.clinical.vocabulary import ALIASES
from fetalclip.errors import UnreadableInput
from fetalclip.metrics import confusion_matrix, macro_f1

F1_GOAL = Goal(0.98)
LEFT_OUT = "other"  # pictures of no named plane: in no F1

_SHAPE = 'one JSON object {"prediction": [...], "label": [...]}, optionally "group", lists of one length'


def planes_from_predictions(path: str | Path) -> BenchResult:
    """Score saved answers; classes are those that occur in ``label``, ``heart`` is ``thorax``.

    Args:
        path: JSON file with ``prediction`` and ``label``, names (or numbers) of classes, and optionally ``group``,
            the patient of every picture. Without it every picture counts as its own patient, and a note says so.

    Raises:
        UnreadableInput: the file is missing, is not JSON or is of another shape.
    """
    path = Path(path)
    prediction, label, group, digest = _load(path)
    notes = []
    if group is None:
        notes.append('no "group" in the file: intervals take every picture for a patient of its own and are too narrow')
        group = [str(i) for i in range(len(label))]
    kept = [i for i, name in enumerate(label) if name.casefold() != LEFT_OUT]
    if len(kept) < len(label):
        notes.append(f"{len(label) - len(kept)} pictures labelled 'Other' are left out")
    if not kept:
        raise UnreadableInput(f"{path.name} has no labelled picture", "one or more", "a file with answers in it")
    answers = Answers(
        tuple(label[i] for i in kept),
        tuple(group[i] for i in kept),
        tuple(prediction[i] for i in kept),
        np.full(len(kept), np.nan),
        np.zeros(len(kept), dtype=bool),
    )
    provenance = {
        "version": __version__,
        "predictions_sha256": digest,
        "resamples": RESAMPLES,
        "seed": SEED,
        "interval": "95 % percentile bootstrap over groups",
    }
    section = "Saved answers"
    metrics = [Metric("macro_f1", "macro F1", section, answers.estimate(answers.macro_f1()), F1_GOAL)]
    metrics += class_metrics(answers, section)
    metrics.append(Metric("accuracy", "accuracy", section, answers.estimate(answers.accuracy())))
    return BenchResult(
        "planes", len(answers), tuple(metrics), null_rows(answers), confusion(answers), provenance, tuple(notes)
    )


def class_metrics(answers: Answers, section: str, baseline: Answers | None = None) -> list[Metric]:
    """F1 of every class of the truth."""
    rows = []
    for name in sorted(set(answers.truth)):
        other = baseline.estimate(baseline.f1(name)) if baseline is not None else None
        found = answers.estimate(answers.f1(name))
        rows.append(Metric(f"f1_{name}", f"F1 {name}", section, found, baseline=other))
    return rows


def null_rows(answers: Answers) -> dict[str, dict[str, Any]]:
    """What the best constant answer gets: the most frequent class, said every time."""
    if not len(answers):
        return {}
    label, count = Counter(answers.truth).most_common(1)[0]
    truth = answers.coded()[0]
    counts = confusion_matrix(truth, np.full_like(truth, answers.classes.index(label)), len(answers.classes))
    return {"constant answer": {"label": label, "macro_f1": macro_f1(counts), "accuracy": count / len(answers)}}


def confusion(answers: Answers) -> Confusion:
    """Counts of answers, rows only for classes that occur in the truth."""
    truth, label = answers.coded()
    there = len(set(answers.truth))
    counts = confusion_matrix(truth, label, len(answers.classes))[:there]
    return Confusion(answers.classes[:there], answers.classes, counts)


def _load(path: Path) -> tuple[list[str], list[str], list[str] | None, str]:
    """Predictions, labels, groups and the file's sha256."""
    fix = "--predictions answers.json"
    try:
        raw = path.read_bytes()
        data = json.loads(raw.decode("utf-8-sig"))
    except OSError as error:
        raise UnreadableInput(f"{path.name} could not be read ({error.strerror})", _SHAPE, fix) from error
    except (ValueError, RecursionError) as error:
        raise UnreadableInput(f"{path.name} is not JSON", _SHAPE, fix) from error
    if not isinstance(data, dict):
        raise UnreadableInput(f"{path.name} holds a {type(data).__name__}", _SHAPE, fix)
    prediction, label = _names(data, "prediction", path), _names(data, "label", path)
    group = _names(data, "group", path) if data.get("group") is not None else None
    lengths = {"prediction": len(prediction), "label": len(label)}
    if group is not None:
        lengths["group"] = len(group)
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{count} of {name}" for name, count in lengths.items())
        raise UnreadableInput(f"{path.name} has {said}", _SHAPE, fix)
    return [_shown(n) for n in prediction], [_shown(n) for n in label], group, sha256(raw).hexdigest()


def _names(data: dict[str, Any], key: str, path: Path) -> list[str]:
    values = data.get(key)
    good = isinstance(values, list) and all(type(value) in (str, int) for value in values)
    if not isinstance(values, list) or not good:
        found = "no" if key not in data else "an unusable"
        raise UnreadableInput(f"{path.name} has {found} {key!r}", _SHAPE, "--predictions answers.json")
    return [str(value).strip() for value in values]


def _shown(name: str) -> str:
    return ALIASES.get(name, name)
