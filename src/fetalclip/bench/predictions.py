"""The protocols on saved answers: ``{"prediction": [...], "label": [...]}`` to the same table."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip import __version__
from fetalclip.bench.answers import RESAMPLES, SEED, Answers
from fetalclip.bench.protocol import calibration_metrics
from fetalclip.bench.table import BenchResult, Confusion, Goal, Metric
from fetalclip.clinical.vocabulary import ALIASES, SUBPLANES
from fetalclip.errors import UnreadableInput
from fetalclip.metrics import Reals, confusion_matrix, macro_f1

F1_GOAL, SUBPLANE_F1_GOAL = Goal(0.98), Goal(0.75)
SUBPLANE_CALIBRATION_GOAL = Goal(0.08, at_most=True)
LEFT_OUT = ("other", "not a brain")  # pictures of no named plane: in no F1

_SHAPE = (
    'one JSON object {"prediction": [...], "label": [...]}, optionally "group" and "scores" ([{class: probability}, '
    "...]), lists of one length"
)
_FIX = "--predictions answers.json"


def planes_from_predictions(path: str | Path) -> BenchResult:
    """Score saved answers; classes are those that occur in ``label``, ``heart`` is ``thorax``.

    Args:
        path: JSON file with ``prediction`` and ``label``, names (or numbers) of classes, and optionally ``group``,
            the patient of every picture (without it every picture counts as its own patient, and a note says so),
            and ``scores``, the probability of every candidate, for calibration.

    Raises:
        UnreadableInput: the file is missing, is not JSON or is of another shape.
    """
    return _score(Path(path), "planes", F1_GOAL, None)


def subplanes_from_predictions(path: str | Path) -> BenchResult:
    """Score saved sub-planes of the brain; as `planes_from_predictions`, upper and lower case mean the same."""
    return _score(Path(path), "subplanes", SUBPLANE_F1_GOAL, SUBPLANE_CALIBRATION_GOAL)


def _score(path: Path, protocol: str, goal: Goal, calibration_goal: Goal | None) -> BenchResult:
    saved = _load(path)
    notes, label, group = [], saved.label, saved.group
    if group is None:
        notes.append('no "group" in the file: intervals take every picture for a patient of its own and are too narrow')
        group = [str(i) for i in range(len(label))]
    kept = [i for i, name in enumerate(label) if name.casefold() not in LEFT_OUT]
    if len(kept) < len(label):
        notes.append(f"{len(label) - len(kept)} pictures labelled 'Other' are left out")
    if not kept:
        raise UnreadableInput(f"{path.name} has no labelled picture", "one or more", "a file with answers in it")
    answers = Answers(
        tuple(label),
        tuple(group),
        tuple(saved.prediction),
        saved.probability,
        np.zeros(len(label), dtype=bool),
        saved.candidates,
        saved.table,
    ).where(np.isin(np.arange(len(label)), kept))
    provenance = {
        "version": __version__,
        "predictions_sha256": saved.sha256,
        "resamples": RESAMPLES,
        "seed": SEED,
        "interval": "95 % percentile bootstrap over groups",
    }
    section = "Saved answers"
    metrics = [Metric("macro_f1", "macro F1", section, answers.estimate(answers.macro_f1()), goal)]
    metrics += class_metrics(answers, section)
    metrics.append(Metric("accuracy", "accuracy", section, answers.estimate(answers.accuracy())))
    metrics += calibration_metrics(answers, section, goal=calibration_goal)
    return BenchResult(
        protocol,
        len(answers),
        tuple(metrics),
        null_rows(answers),
        confusion(answers),
        provenance,
        tuple(notes),
        answers.reliability(),
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


@dataclass(frozen=True, eq=False)
class _Saved:
    """What a file of answers holds; lists of one length n."""

    prediction: list[str]
    label: list[str]
    group: list[str] | None
    probability: Reals  # (n,) of the prediction, NaN where the file has no scores
    candidates: tuple[str, ...]
    table: Reals | None  # (n, candidates)
    sha256: str


def _load(path: Path) -> _Saved:
    try:
        raw = path.read_bytes()
        data = json.loads(raw.decode("utf-8-sig"))
    except OSError as error:
        raise UnreadableInput(f"{path.name} could not be read ({error.strerror})", _SHAPE, _FIX) from error
    except (ValueError, RecursionError) as error:
        raise UnreadableInput(f"{path.name} is not JSON", _SHAPE, _FIX) from error
    if not isinstance(data, dict):
        raise UnreadableInput(f"{path.name} holds a {type(data).__name__}", _SHAPE, _FIX)
    prediction, label = _names(data, "prediction", path), _names(data, "label", path)
    group = _names(data, "group", path) if data.get("group") is not None else None
    scores = data.get("scores")
    lengths = {"prediction": len(prediction), "label": len(label)}
    if group is not None:
        lengths["group"] = len(group)
    if isinstance(scores, list):
        lengths["scores"] = len(scores)
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{count} of {name}" for name, count in lengths.items())
        raise UnreadableInput(f"{path.name} has {said}", _SHAPE, _FIX)
    prediction, label = [_shown(n) for n in prediction], [_shown(n) for n in label]
    digest = sha256(raw).hexdigest()
    if scores is None or not prediction:
        return _Saved(prediction, label, group, np.full(len(label), np.nan), (), None, digest)
    candidates, table = _table(scores, path)
    strange = next((name for name in prediction if name not in candidates), None)
    if strange is not None:
        raise UnreadableInput(f"{path.name} has the prediction {strange!r:.80} without a score", _SHAPE, _FIX)
    at = [candidates.index(name) for name in prediction]
    return _Saved(prediction, label, group, table[np.arange(len(at)), at], candidates, table, digest)


def _table(scores: Any, path: Path) -> tuple[tuple[str, ...], Reals]:
    """Candidates and their probabilities (n, candidates); every picture has the same candidates."""
    problem = UnreadableInput(
        f"{path.name} has an unusable 'scores'",
        "[{class: probability from 0 to 1}, ...], the same classes in each",
        _FIX,
    )
    if not isinstance(scores, list) or not all(isinstance(row, dict) and row for row in scores):
        raise problem
    names = list(scores[0])
    if any(row.keys() != scores[0].keys() for row in scores):
        raise problem
    values = [[row[name] for name in names] for row in scores]
    if not all(type(p) in (int, float) and 0 <= p <= 1 for row in values for p in row):
        raise problem
    candidates = tuple(_shown(str(name).strip()) for name in names)
    if len(set(candidates)) < len(candidates):
        raise problem
    return candidates, np.array(values, dtype=np.float64)


def _names(data: dict[str, Any], key: str, path: Path) -> list[str]:
    values = data.get(key)
    good = isinstance(values, list) and all(type(value) in (str, int) for value in values)
    if not isinstance(values, list) or not good:
        found = "no" if key not in data else "an unusable"
        raise UnreadableInput(f"{path.name} has {found} {key!r}", _SHAPE, _FIX)
    return [str(value).strip() for value in values]


def _shown(name: str) -> str:
    return name.casefold() if name.casefold() in SUBPLANES else ALIASES.get(name, name)
