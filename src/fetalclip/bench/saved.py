"""Files of saved answers, ``{"prediction": [...], "label": [...]}``, read as if their writer were hostile."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip.bench.answers import FACTS, Answers
from fetalclip.bench.candidates import LEFT_OUT, check_scored, checked, named
from fetalclip.errors import UnreadableInput
from fetalclip.metrics import Reals

_SHAPE = (
    'one JSON object {"prediction": [...], "label": [...]}, optionally "group", "machine", "operator" and "scores" '
    "([{class: probability}, ...]), lists of one length"
)
_FIX = "--predictions answers.json"


@dataclass(frozen=True, eq=False)
class Saved:
    """What a file of answers holds.

    Attributes:
        answers: those with a label of a named plane; without a ``group`` in the file each is a group of its own.
        grouped: whether the file names groups.
        left_out: pictures of no named plane.
        sha256: of the file.
    """

    answers: Answers
    grouped: bool
    left_out: int
    sha256: str


def read_answers(path: Path, protocol: str, prediction: str = "prediction") -> Saved:
    """Read and check a file of answers.

    Args:
        path: the file.
        protocol: ``planes`` or ``subplanes``.
        prediction: the list of answers; ``scores`` are those of the list ``prediction`` alone.

    Raises:
        UnreadableInput: the file is missing, is not JSON, is of another shape, or names a class that was no candidate.
    """
    data, digest = read_json(path, _SHAPE, _FIX)
    lists = {key: _names(data, key, path) for key in (prediction, "label")}
    for key in ("group", *FACTS):
        if data.get(key) is not None:
            lists[key] = _names(data, key, path)
    scores = data.get("scores") if prediction == "prediction" else None
    lengths = {key: len(values) for key, values in lists.items()}
    if isinstance(scores, list):
        lengths["scores"] = len(scores)
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{count} of {name}" for name, count in lengths.items())
        raise UnreadableInput(f"{path.name} has {said}", _SHAPE, _FIX)
    answered, label = checked(protocol, lists[prediction], lists["label"], path.name)
    kept = np.array([name not in LEFT_OUT for name in label], dtype=bool)
    if not kept.any():
        raise UnreadableInput(f"{path.name} has no labelled picture", "one or more", "a file with answers in it")
    candidates, table = ((), None) if scores is None else _table(scores, protocol, path)
    answers = Answers(
        label,
        tuple(lists.get("group", [str(row) for row in range(len(label))])),
        answered,
        _of_prediction(answered, candidates, table, path),
        np.zeros(len(label), dtype=bool),
        candidates,
        table,
        {key: tuple(lists[key]) for key in FACTS if key in lists},
    )
    return Saved(answers.where(kept), "group" in lists, int((~kept).sum()), digest)


def read_json(path: Path, shape: str, fix: str) -> tuple[dict[str, Any], str]:
    """The object in a JSON file, and the sha256 of the file.

    Args:
        path: the file.
        shape: what an error says was expected.
        fix: what it says to type.

    Raises:
        UnreadableInput: no such file, no JSON, or something else than an object.
    """
    try:
        raw = path.read_bytes()
        data = json.loads(raw.decode("utf-8-sig"))
    except OSError as error:
        raise UnreadableInput(f"{path.name} could not be read ({error.strerror})", shape, fix) from error
    except (ValueError, RecursionError) as error:
        raise UnreadableInput(f"{path.name} is not JSON", shape, fix) from error
    if not isinstance(data, dict):
        raise UnreadableInput(f"{path.name} holds a {type(data).__name__}", shape, fix)
    return data, sha256(raw).hexdigest()


def _of_prediction(prediction: tuple[str, ...], candidates: tuple[str, ...], table: Reals | None, path: Path) -> Reals:
    """Probability of every prediction, (n,); NaN where the file has no scores."""
    if table is None:
        return np.full(len(prediction), np.nan)
    for row, name in enumerate(prediction, 1):
        if name not in candidates:
            raise UnreadableInput(f"{path.name}, row {row}: the prediction {name!r:.80} without a score", _SHAPE, _FIX)
    return table[np.arange(len(prediction)), [candidates.index(name) for name in prediction]]


def _table(scores: Any, protocol: str, path: Path) -> tuple[tuple[str, ...], Reals]:
    """Candidates and their probabilities (n, candidates); every picture has the same candidates."""

    def problem(where: str) -> UnreadableInput:
        wanted = "[{class: probability from 0 to 1}, ...], the same classes in each"
        return UnreadableInput(f"{path.name} has an unusable 'scores'{where}", wanted, _FIX)

    if not isinstance(scores, list):
        raise problem("")
    for number, row in enumerate(scores, 1):
        if not isinstance(row, dict) or not row:
            raise problem(f": row {number} is no object with classes")
        if row.keys() != scores[0].keys():
            raise problem(f": row {number} has other classes than row 1")
        for name, p in row.items():
            if type(p) not in (int, float) or not 0 <= p <= 1:
                raise problem(f": row {number} has {p!r:.40} for {name:.80}")
    candidates = tuple(named(str(name).strip()) for name in scores[0])
    if len(set(candidates)) < len(candidates):
        raise problem(": one class under two names")
    check_scored(protocol, candidates, path.name)
    return candidates, np.array([list(row.values()) for row in scores], dtype=np.float64)


def _names(data: dict[str, Any], key: str, path: Path) -> list[str]:
    values = data.get(key)
    if not isinstance(values, list):
        raise UnreadableInput(f"{path.name} has {'no' if key not in data else 'an unusable'} {key!r}", _SHAPE, _FIX)
    for row, value in enumerate(values, 1):
        if type(value) not in (str, int):
            raise UnreadableInput(f"{path.name} has an unusable {key!r}: row {row} is {value!r:.40}", _SHAPE, _FIX)
    return [str(value).strip() for value in values]
