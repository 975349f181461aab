"""What the probes share: arrays checked, patients kept together, temperature, and the way to a head folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from sklearn.base import BaseEstimator
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold
from sklearn.utils.validation import validate_data

from fetalclip import __version__
from fetalclip.encoder import Encoder
from fetalclip.errors import BadValue
from fetalclip.models.probe_head import save_probe

Reals = npt.NDArray[np.floating[Any]]
Rows = npt.NDArray[np.int64]
UNLIKE = 0.01  # share of held-out pictures that would be taken for unlike those learned from
FREE = "unknown: that of the labels it learned from"


def unit_rows(x: Reals) -> Reals:
    """Rows of (n, d) at unit length; a row of zeros stays."""
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    found: Reals = x / np.maximum(norms, np.asarray(1e-12, x.dtype))
    return found


def checked(estimator: BaseEstimator, X: npt.ArrayLike, y: Any = "no_validation", *, fit: bool = False) -> Any:
    """``X`` as finite floats of the width learned from; with ``y``, both.

    Raises:
        BadEmbeddings: values that are not finite.
        ValueError: shapes that do not fit, in scikit-learn's words.
    """
    try:
        return validate_data(estimator, X, y, reset=fit, dtype=[np.float64, np.float32])
    except ValueError as error:
        if "Input X contains" in str(error):
            raise BadEmbeddings(str(error)) from None
        raise


class BadEmbeddings(BadValue, ValueError):
    """Embeddings that are not finite; a ``ValueError`` too, as scikit-learn's are."""

    def __init__(self, words: str) -> None:
        kind = "NaN" if "contains NaN" in words else "infinity"
        super().__init__(f"embeddings with {kind}", "finite numbers", "fetalclip embed again")


def grouped_folds(y: npt.NDArray[Any], groups: npt.ArrayLike | None, folds: int, seed: int) -> list[tuple[Rows, Rows]]:
    """Folds for classes, every patient on one side; fewer where a class has fewer patients, none where that is one.

    Args:
        y: (n,) classes.
        groups: (n,) patients; None takes every row for one of its own.
        folds: how many at most.
        seed: of the shuffle.
    """
    own = np.arange(len(y)) if groups is None else np.asarray(groups)
    least = min(len(np.unique(own[y == name])) for name in np.unique(y))
    count = min(folds, least)
    if count < 2:
        return []
    deal = StratifiedKFold if groups is None else StratifiedGroupKFold
    found = deal(count, shuffle=True, random_state=seed).split(
        np.zeros((len(y), 1)), y, None if groups is None else own
    )
    whole = set(np.unique(y))
    return [(a, b) for a, b in found if len(b) and set(np.unique(y[a])) == whole]


def number_folds(n: int, groups: npt.ArrayLike | None, folds: int, seed: int) -> list[tuple[Rows, Rows]]:
    """Folds for a number, every patient on one side; none of fewer than two patients."""
    own = np.arange(n) if groups is None else np.asarray(groups)
    count = min(folds, len(np.unique(own)))
    if count < 2:
        return []
    if groups is None:
        return list(KFold(count, shuffle=True, random_state=seed).split(np.zeros((n, 1))))
    return list(GroupKFold(count, shuffle=True, random_state=seed).split(np.zeros((n, 1)), groups=own))


def softmax(logits: Reals, temperature: float = 1.0) -> Reals:
    """(n, C) logits to probabilities."""
    scaled = logits / temperature
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    found: Reals = shares / shares.sum(axis=1, keepdims=True)
    return found


def log_loss(logits: Reals, truth: Rows, temperature: float = 1.0) -> float:
    """Mean cross-entropy in nats; ``truth`` are class numbers."""
    chances = softmax(logits, temperature)[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(chances, 1e-12)).mean())


def fit_temperature(logits: Reals, truth: Rows) -> float:
    """What divides held-out logits so that their cross-entropy is least (Guo et al. 2017, arXiv 1706.04599)."""
    if len(truth) < 2 or not np.ptp(logits):
        return 1.0
    found = minimize_scalar(lambda t: log_loss(logits, truth, float(np.exp(t))), bounds=(-5, 5), method="bounded")
    return float(np.exp(found.x))


def means_of(x: Reals, truth: Rows) -> Reals:
    """Unit-length means of unit rows by class number, (classes, d)."""
    return unit_rows(np.stack([x[truth == one].mean(axis=0) for one in range(int(truth.max()) + 1)]).astype(np.float64))


def least_likeness(x: Reals, truth: Rows, folds: list[tuple[Rows, Rows]]) -> float:
    """The cosine with the nearest class mean that all but ``UNLIKE`` of the pictures reach, held out of the means.

    Args:
        x: (n, d) unit rows.
        truth: (n,) class numbers, zeros for a number.
        folds: rows to take means of, rows held; without any there is no bound, -1.
    """
    seen = [(x[held] @ means_of(x[fit], truth[fit]).T).max(axis=1) for fit, held in folds]
    return max(-1.0, float(np.quantile(np.concatenate(seen), UNLIKE))) if seen else -1.0


class Saved:
    """The way from a fitted probe to a head folder; mixed into the estimators.

    Attributes:
        means_: (C, d) unit-length means of the classes, (1, d) of a number.
        least_likeness_: cosine with the nearest of them below which a saved head abstains.
    """

    means_: Reals
    least_likeness_: float

    def save(self, folder: str | Path, encoder: Any, name: str = "", **told: Any) -> Path:
        """Write a head folder that ``analyze --head`` and ``FetalCLIP.probe`` take.

        Args:
            folder: where to.
            encoder: the model (or its ``Encoder``) whose raw embeddings the probe learned from.
            name: of the head; the folder's when empty.
            told: more for its config: ``title``, ``summary``, ``license``, ``overlay`` (``mask``), ``unit``, ``data``
                and ``results``.

        Raises:
            BadValue: the encoder's embeddings have another width.
            OutputError: the folder cannot be written.
        """
        engine: Encoder = getattr(encoder, "encoder", encoder)
        arrays, config = self._head()
        arrays |= {"means": self.means_}
        config |= {"least_likeness": self.least_likeness_}
        width = np.asarray(arrays["weight"]).shape[1] - len(config.get("inputs", ()))
        if width != engine.dim:
            raise BadValue(f"a probe of embeddings of width {width}", f"the encoder's {engine.dim}")
        card = getattr(encoder, "card", None)
        overlay = told.pop("overlay", "mask")
        whole = {
            "name": name or Path(folder).name,
            "license": FREE,
            **config,
            **told,
            "preprocess": {"overlay": overlay},
            "encoder": {"name": getattr(card, "name", ""), "sha256": engine.embedding_sha256},
            "training": {"estimator": repr(self)[:2000], "version": __version__},
        }
        return save_probe(arrays, whole, Path(folder))

    def _head(self) -> tuple[dict[str, npt.ArrayLike], dict[str, Any]]:
        """The arrays of `fetalclip.models.probe_head.ProbeHead`, and what its config says of them."""
        raise NotImplementedError


class Answering(Saved):
    """What every classifier answers, from the logits that it alone can say; mixed into the estimators."""

    classes_: npt.NDArray[Any]
    temperature_: float

    def decision_function(self, X: npt.ArrayLike) -> Reals:
        """Logits: (n, C), or (n,) of the second of two classes."""
        logits = self._logits(X)
        return logits if len(self.classes_) > 2 else logits[:, 1] - logits[:, 0]

    def predict_proba(self, X: npt.ArrayLike) -> Reals:
        """Probabilities, (n, C)."""
        logits = self._logits(X)
        return softmax(logits, self.temperature_)

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """The most probable class, (n,)."""
        best = self._logits(X).argmax(axis=1)
        found: npt.NDArray[Any] = self.classes_[best]
        return found

    def _logits(self, X: npt.ArrayLike) -> Reals:
        """(n, C) before the temperature."""
        raise NotImplementedError


def names_of(classes: npt.NDArray[Any]) -> list[str]:
    """Classes as the words of a config."""
    return [str(name) for name in classes.tolist()]
