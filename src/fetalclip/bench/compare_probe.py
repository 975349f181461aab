"""The linear probe of ``bench compare``: a classifier on frozen features, its strength chosen on training patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.errors import UsageError
from fetalclip.optional import require

Features = npt.NDArray[np.float32]
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # inverse weight of the penalty, of standardised features
FOLDS = 5


def need() -> None:
    """Ask for scikit-learn before any work is done.

    Raises:
        MissingPackage: it is not installed.
    """
    require("sklearn", feature="the probe columns", extra="audit")


def fit_probe(x: Features, y: Sequence[str], groups: Sequence[str]) -> Callable[[Features], Sequence[Any]]:
    """A multinomial logistic regression on standardised features.

    Args:
        x: raw features of the training pictures, (n, d).
        y: their classes.
        groups: their patients; the penalty is chosen by macro F1 in folds of whole patients.

    Returns:
        Features (m, d) to m classes.

    Raises:
        UsageError: fewer than two classes or two patients.
        MissingPackage: scikit-learn is not installed.
    """
    linear, choice, line_of, scaling = (
        require(f"sklearn.{part}", feature="the probe columns", extra="audit")
        for part in ("linear_model", "model_selection", "pipeline", "preprocessing")
    )
    patients = len(set(groups))
    if len(set(y)) < 2 or patients < 2:
        raise UsageError(f"a probe of {len(set(y))} classes and {patients} patients", "two or more of each", "no --n")
    line = line_of.make_pipeline(scaling.StandardScaler(), linear.LogisticRegression(max_iter=5000))
    grid = {"logisticregression__C": STRENGTHS}
    search = choice.GridSearchCV(line, grid, scoring="f1_macro", cv=choice.GroupKFold(min(FOLDS, patients)))
    search.fit(x.astype(np.float64), np.array(y), groups=np.array(groups))
    return lambda other: search.predict(other.astype(np.float64)).tolist()
