"""Labels that other pictures contradict: confident learning on out-of-fold probabilities.

Each picture's probabilities come from a logistic regression on embeddings of the *other* groups, so a wrong label
cannot vouch for itself, nor can the other pictures of that patient. Which labels are wrong is then decided by
cleanlab's confident learning (Northcutt, Jiang, Chuang, J Artif Intell Res 2021;70:1373-1411).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fetalclip.data import splits
from fetalclip.data.audit.targets import frequent
from fetalclip.data.manifest import Row
from fetalclip.errors import UsageError
from fetalclip.optional import require

Array = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

FEATURE = "finding labels that other pictures contradict"
METHOD = "confident learning (cleanlab), logistic regression on embeddings, out of fold by group"
STRENGTH = 0.005  # inverse of the ridge; weak enough to be led by the many and not by a wrong few
_WIDE = 128  # embeddings wider than this are reduced to so many principal components


@dataclass(frozen=True)
class Suspect:
    """A label that is probably wrong.

    Attributes:
        row: position in the rows that were given.
        given, suggested: label in the table, and the most probable one.
        given_probability, suggested_probability: out of fold.
    """

    row: int
    given: str
    suggested: str
    given_probability: float
    suggested_probability: float


@dataclass(frozen=True)
class LabelCheck:
    """Suspects, the least believed label first; how many labels were checked, of which classes."""

    suspects: tuple[Suspect, ...]
    checked: int
    classes: tuple[str, ...]
    method: str = METHOD


def check_labels(rows: Sequence[Row], embeddings: Array) -> LabelCheck:
    """Suspicious plane labels.

    Args:
        rows: one for each picture; rows without a plane or of a class of under 10 pictures or 3 groups are left out.
        embeddings: (n, d), NaN where there is none.

    Raises:
        MissingPackage: scikit-learn or cleanlab is not installed.
        UsageError: fewer than two classes are left.
    """
    cleanlab = require("cleanlab.filter", FEATURE, extra="audit")
    labels = frequent([row.plane for row in rows], [row.group for row in rows])
    kept = [i for i, label in enumerate(labels) if label is not None and np.isfinite(embeddings[i]).all()]
    classes = sorted({str(labels[i]) for i in kept})
    if len(classes) < 2:
        raise UsageError("labels of fewer than two planes to compare", "two planes of at least 10 pictures each")
    given = np.array([classes.index(str(labels[i])) for i in kept])
    odds = out_of_fold(embeddings[kept], given, [rows[i].group for i in kept])
    ranked = cleanlab.find_label_issues(
        given, odds, filter_by="prune_by_noise_rate", return_indices_ranked_by="self_confidence", n_jobs=1
    )
    found = []
    for at in np.asarray(ranked, dtype=np.int64):
        other = int(odds[at].argmax())
        one, two = float(odds[at, given[at]]), float(odds[at, other])
        found.append(Suspect(kept[at], classes[given[at]], classes[other], round(one, 4), round(two, 4)))
    return LabelCheck(tuple(found), len(kept), tuple(classes))


def out_of_fold(embeddings: Array, labels: npt.NDArray[np.int_], groups: Sequence[str]) -> Floats:
    """Probabilities (n, classes) of each picture from a model that saw no picture of its group.

    Args:
        embeddings: (n, d).
        labels: (n,) 0 to classes - 1.
        groups: group of every picture.
    """
    linear = require("sklearn.linear_model", FEATURE, extra="audit")
    fold = np.array([splits.fold_of(group) for group in groups])
    odds = np.zeros((len(labels), int(labels.max()) + 1))
    for f in np.unique(fold):
        train, held = fold != f, fold == f
        if not train.any():  # all in one fold: nothing is known of them
            odds[held] = 1 / odds.shape[1]
            continue
        learn, ask = _standard(embeddings[train], embeddings[held])
        seen = np.unique(labels[train])
        if seen.size < 2:
            odds[np.ix_(held, seen)] = 1.0
            continue
        model = linear.LogisticRegression(C=STRENGTH, max_iter=500)
        odds[np.ix_(np.flatnonzero(held), seen)] = model.fit(learn, labels[train]).predict_proba(ask)
    return odds / odds.sum(axis=1, keepdims=True)


def _standard(learn: Array, ask: Array) -> tuple[Array, Array]:
    """Both centred and scaled by what is learned from, wide ones reduced to its principal components."""
    mean, spread = learn.mean(axis=0), learn.std(axis=0)
    spread = np.where(spread > 1e-6, spread, np.float32(1.0))
    learn, ask = (learn - mean) / spread, (ask - mean) / spread
    if learn.shape[1] <= _WIDE or len(learn) <= _WIDE:
        return learn, ask
    axes = np.linalg.svd(learn, full_matrices=False)[2][:_WIDE].T  # (d, _WIDE)
    return learn @ axes, ask @ axes
