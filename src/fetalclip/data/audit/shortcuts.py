"""What predicts the label without looking at the anatomy: the file's name, its size, the burned-in marks.

Each is scored by cross-validation over groups against the constant answer (the commonest label of the other folds).
A fact by itself is judged by the plainest rule there is: the commonest label of its value, or of its bin for a
number. The marks are judged by a logistic regression on the overlay alone, 16 x 16.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fetalclip.data import splits
from fetalclip.data.audit.look import SIDE, Look
from fetalclip.data.audit.targets import Labels, targets
from fetalclip.data.manifest import Row
from fetalclip.metrics import group_bootstrap
from fetalclip.optional import require

MARGIN = 0.02  # gain over the constant answer below which nothing is said
_BINS = 12  # of a number
_WORDS = 10  # words of a name that are looked at
_MOST = 4000  # pictures the marks are judged on
_TURNS = 300  # resamples of an interval

Values = Sequence[str | float | None]
Answers = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Rule:
    """How well one fact predicts one target.

    Attributes:
        dataset: the data set it was tried in.
        fact, target: what predicts what.
        accuracy: cross-validated over groups.
        constant: accuracy of the constant answer on the same pictures.
        low, high: 95 % interval of the gain, over groups; None where the gain is under 0.02.
        pictures: how many it was judged on.
        flagged: the interval of the gain lies above 0.02.
    """

    dataset: str
    fact: str
    target: str
    accuracy: float
    constant: float
    low: float | None
    high: float | None
    pictures: int
    flagged: bool


def shortcuts(rows: Sequence[Row], looks: Sequence[Look]) -> list[Rule]:
    """Rules of names and sizes, the strongest first, data set by data set; pictures that cannot be read count too."""
    found = []
    for dataset, places in by_dataset(rows).items():
        mine = [rows[i] for i in places]
        facts = _facts(mine, [looks[i] for i in places])
        for question in _questions(dataset, mine):
            found += [_scored(question, name, _commonest(question, values)) for name, values in facts.items()]
    return sorted(found, key=lambda rule: (not rule.flagged, rule.constant - rule.accuracy))


def overlay_rules(rows: Sequence[Row], looks: Sequence[Look]) -> list[Rule]:
    """How well the burned-in marks alone predict each target, data set by data set.

    Raises:
        MissingPackage: scikit-learn is not installed.
    """
    found = []
    for dataset, places in by_dataset(rows).items():
        kept = [i for i in places if looks[i].marks is not None]
        if len(kept) > _MOST:
            kept = sorted(np.random.default_rng(0).choice(kept, _MOST, replace=False).tolist())
        mine = [rows[i] for i in kept]
        if not any(looks[i].kinds for i in kept):
            continue
        half = SIDE // 2
        small = np.stack([np.asarray(looks[i].marks, np.float32).reshape(half, 2, half, 2).mean((1, 3)) for i in kept])
        features = small.reshape(len(kept), -1).astype(np.float32) / np.float32(255)  # (n, 256)
        found += [_scored(q, "overlay alone", _fitted(q, features)) for q in _questions(dataset, mine)]
    return found


def by_dataset(rows: Sequence[Row]) -> dict[str, list[int]]:
    """Positions of the rows of each data set."""
    found: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        found.setdefault(row.dataset, []).append(i)
    return found


def _facts(rows: Sequence[Row], looks: Sequence[Look]) -> dict[str, Values]:
    """Every fact about a file that is no anatomy; only those that differ between files."""
    read = [seen if seen.error is None else None for seen in looks]
    facts: dict[str, Values] = {
        "file size": [None if s is None else float(s.size) for s in read],
        "width and height": [None if s is None else f"{s.width}x{s.height}" for s in read],
        "folder": [row.path.parent.name for row in rows],
        "place in the table": [float(i) for i in range(len(rows))],
        "length of the name": [float(len(row.name)) for row in rows],
    }
    words = [re.findall(r"[^\W\d_]+|\d+", row.path.stem) for row in rows]
    for at in range(min(_WORDS, max(map(len, words), default=0))):
        part = [w[at] if len(w) > at else None for w in words]
        if all(word is None or word.isdigit() for word in part):
            facts[f"name, part {at + 1} as a number"] = [None if w is None else float(w[:18]) for w in part]
        facts[f"name, part {at + 1}"] = part
    return {name: values for name, values in facts.items() if len(set(values)) > 1}


@dataclass(frozen=True, eq=False)
class _Question:
    """One target of one data set: its labels, how its rows are dealt, and what the constant answer says of each."""

    dataset: str
    target: str
    labels: Labels
    groups: list[str]
    folds: tuple[tuple[list[int], list[int]], ...]  # positions to learn from and to answer

    @cached_property
    def constant(self) -> Answers:
        """The commonest label of the other folds."""
        answers = np.full(len(self.labels), None, dtype=object)
        for train, held in self.folds:
            answers[held] = Counter(self.labels[i] for i in train).most_common(1)[0][0]
        return answers


def _questions(dataset: str, rows: Sequence[Row]) -> list[_Question]:
    """One for each target of a data set's rows, dealt by the seeded hash of the group; only rows with a label."""
    fold, groups = [splits.fold_of(row.group) for row in rows], [row.group for row in rows]
    made = []
    for target, labels in targets(rows).items():
        folds = []
        for f in range(splits.FOLDS):
            train = [i for i, label in enumerate(labels) if label is not None and fold[i] != f]
            held = [i for i, label in enumerate(labels) if label is not None and fold[i] == f]
            if train and held:
                folds.append((train, held))
        made.append(_Question(dataset, target, labels, groups, tuple(folds)))
    return made


def _commonest(question: _Question, values: Values) -> Answers:
    """Out-of-fold answers of the plainest rule: the commonest label of a value or of its bin."""
    labels = question.labels
    answers = np.full(len(labels), None, dtype=object)
    for train, held in question.folds:
        known = [i for i in train if values[i] is not None]
        numbers = bool(known) and isinstance(values[known[0]], float)
        edges = _edges([float(values[i] or 0) for i in known]) if numbers else None
        told: dict[object, Counter[str | None]] = {}
        for i in known:
            told.setdefault(_bin(values[i], edges), Counter())[labels[i]] += 1
        for i in held:
            seen = None if values[i] is None else told.get(_bin(values[i], edges))
            answers[i] = seen.most_common(1)[0][0] if seen else question.constant[i]
    return answers


def _edges(values: list[float]) -> list[float]:
    """Bin edges of equal counts; few different values get a bin each."""
    different = sorted(set(values))
    if len(different) <= _BINS:
        return [(a + b) / 2 for a, b in pairwise(different)]
    return sorted(set(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]).tolist()))


def _bin(value: str | float | None, edges: list[float] | None) -> object:
    return value if edges is None else int(np.searchsorted(edges, float(value or 0)))


def _fitted(question: _Question, features: npt.NDArray[np.float32]) -> Answers:
    """Out-of-fold answers of a logistic regression."""
    linear = require("sklearn.linear_model", "judging what the burned-in marks give away", extra="audit")
    answers = np.full(len(question.labels), None, dtype=object)
    for train, held in question.folds:
        words = [str(question.labels[i]) for i in train]
        if len(set(words)) < 2:
            answers[held] = words[0]
            continue
        model = linear.LogisticRegression(C=1.0, max_iter=300, tol=1e-3)
        answers[held] = model.fit(features[train], words).predict(features[held])
    return answers


def _scored(question: _Question, fact: str, answers: Answers) -> Rule:
    labels, constant = question.labels, question.constant
    kept = [i for i, answer in enumerate(answers) if answer is not None]
    right = np.array([answers[i] == labels[i] for i in kept], dtype=np.float64)
    plain = np.array([constant[i] == labels[i] for i in kept], dtype=np.float64)
    accuracy, base = (float(x.mean()) if x.size else 0.0 for x in (right, plain))
    low = high = None
    if accuracy - base > MARGIN:
        gain = group_bootstrap(lambda at: float((right - plain)[at].mean()), [question.groups[i] for i in kept], _TURNS)
        low, high = gain.low, gain.high
    about = question.dataset, fact, question.target
    return Rule(*about, accuracy, base, low, high, len(kept), bool(low is not None and low > MARGIN))
