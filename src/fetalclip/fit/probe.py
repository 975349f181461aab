"""Linear probes with scikit-learn's manners: arrays in, patients kept together, a head folder out.

A probe learns from raw embeddings, ``FetalCLIP.encode_image(scans, normalize=False)``; what it does to them itself is
one of its parameters, so that a saved head does the same.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from fetalclip.errors import BadValue, UsageError
from fetalclip.fit.age import conformal
from fetalclip.fit.probe_base import (
    Answering,
    Reals,
    Rows,
    Saved,
    checked,
    fit_temperature,
    grouped_folds,
    least_likeness,
    log_loss,
    means_of,
    names_of,
    number_folds,
    unit_rows,
)

METHODS = ("logistic", "published")
GRID = (1.0, 10.0, 100.0, 1000.0)  # inverse strength of the penalty, for rows of unit length
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # of a number
_UNCHOSEN = 100.0  # where there are too few patients to choose: near the best of 2 to 32 patients a class
_UNCHOSEN_PENALTY = 0.1
_STEPS, _CLOSE = 200, 1e-4  # of the solver: closer changes no answer (3 encoders, 2 to 32 patients a class)


class LinearProbe(Answering, ClassifierMixin, BaseEstimator):
    """A linear classifier on frozen embeddings.

    ``logistic``: rows of unit length, multinomial logistic regression, its penalty by cross-validation over patients,
    its temperature from the same held-out logits; no randomness but the folds. ``published``: the recipe of FetalCLIP
    (arXiv 2502.14807): raw rows, one linear layer, cross-entropy, AdamW at 3e-4 with weight decay 0.01, batches of
    64, 50 epochs, the epoch with the least loss on held-out patients.

    Args:
        method: ``logistic`` or ``published``.
        C: inverse strength of the penalty of ``logistic``; None chooses from ``GRID``.
        folds: of the cross-validation; ``published`` holds one of them out.
        epochs, batch: of ``published``.
        random_state: seed of folds, and of ``published``.

    Attributes:
        classes_: (C,) the classes.
        coef_, intercept_: (C, d) and (C,).
        C_: the strength used.
        temperature_: divides the logits.
        held_: (n, C) logits of each row by a probe that saw none of its patient; None with too few patients.
        losses_: held-out loss of each strength tried (up to the first that is too weak), or of each epoch.
    """

    def __init__(
        self,
        method: str = "logistic",
        C: float | None = None,
        folds: int = 5,
        epochs: int = 50,
        batch: int = 64,
        random_state: int = 0,
    ) -> None:
        self.method, self.C, self.folds = method, C, folds
        self.epochs, self.batch, self.random_state = epochs, batch, random_state

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, groups: npt.ArrayLike | None = None) -> Self:
        """Learn.

        Args:
            X: (n, d) raw embeddings.
            y: (n,) classes.
            groups: (n,) patients; None takes every row for one of its own.

        Raises:
            BadValue: embeddings that are not finite.
            ValueError: shapes that do not fit, or one class only.
            UsageError: an unknown method.
        """
        if self.method not in METHODS:
            raise UsageError(f"method {self.method!r:.40}", "one of " + ", ".join(METHODS), "--method logistic")
        rows, wanted = checked(self, X, y, fit=True)
        check_classification_targets(wanted)
        self.classes_, truth = np.unique(wanted, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"LinearProbe needs two classes, got 1 class: {self.classes_[0]!r:.60}")
        folds = grouped_folds(truth, groups, self.folds, self.random_state)
        unit = unit_rows(rows)
        self.means_, self.least_likeness_ = means_of(unit, truth), least_likeness(unit, truth, folds)
        if self.method == "published":
            self._fit_published(rows, truth, folds)
        else:
            self._fit_logistic(unit, truth, folds)
        return self

    def _logits(self, X: npt.ArrayLike) -> Reals:
        check_is_fitted(self)
        rows = checked(self, X)
        rows = unit_rows(rows) if self.method == "logistic" else rows
        found: Reals = rows @ self.coef_.T + self.intercept_
        return found

    def _fit_logistic(self, x: Reals, truth: Rows, folds: list[tuple[Rows, Rows]]) -> None:
        strengths = GRID if self.C is None else (float(self.C),)
        self.held_: Reals | None = None
        self.losses_: dict[float, float] = {}
        chosen = strengths[0] if self.C is not None else _UNCHOSEN
        if folds:
            seen = np.zeros(len(x), bool)
            seen[np.concatenate([held for _, held in folds])] = True
            said, losses = _held_path(x, truth, folds, strengths)
            best = int(np.argmin(losses))
            chosen, self.losses_ = strengths[best], dict(zip(strengths, losses, strict=False))
            self.held_ = np.where(seen[:, None], said[best], np.nan)
        self.C_: float | None = chosen
        self.temperature_ = 1.0 if self.held_ is None else _temperature(self.held_, truth)
        made = _fitted(x, truth, chosen)
        self.coef_, self.intercept_ = _weights(made)
        self.n_iter_ = int(made.n_iter_.max())

    def _fit_published(self, x: Reals, truth: Rows, folds: list[tuple[Rows, Rows]]) -> None:
        from fetalclip.fit.probe_steps import Steps, train_layer

        steps = Steps(len(self.classes_), self.epochs, self.batch, self.random_state)
        fit, held = folds[0] if folds else (np.arange(len(x)), np.arange(0))
        self.coef_, self.intercept_, losses = train_layer(x, truth, (fit, held), steps)
        self.losses_ = dict(enumerate(losses, 1))
        self.C_ = None
        self.n_iter_, self.temperature_, self.held_ = self.epochs, 1.0, None
        if len(held):
            said = np.full((len(x), len(self.classes_)), np.nan)
            said[held] = x[held] @ self.coef_.T + self.intercept_
            self.held_, self.temperature_ = said, _temperature(said, truth)

    def _head(self) -> tuple[dict[str, npt.ArrayLike], dict[str, Any]]:
        check_is_fitted(self)
        unit = self.method == "logistic"
        told = {"question": "classes", "classes": names_of(self.classes_), "unit_length": unit}
        return {"weight": self.coef_, "bias": self.intercept_}, {**told, "temperature": self.temperature_}


class RidgeProbe(Saved, RegressorMixin, BaseEstimator):
    """A number from frozen embeddings: ridge regression on rows of unit length, its penalty by cross-validation.

    Args:
        alpha: penalty; None chooses from ``PENALTIES``.
        folds: of the cross-validation over patients.
        level: probability of the interval.
        random_state: seed of the folds.

    Attributes:
        coef_, intercept_: (d,) and a number.
        alpha_: the penalty used.
        width_: half of an interval meant to hold the truth of a new patient with ``level``: conformal on held-out
            residuals of the folds that chose the penalty, patients weighing alike; 0, no interval, with too few.
        held_: (n,) what a probe said that saw none of the row's patient; None with too few patients.
    """

    def __init__(self, alpha: float | None = None, folds: int = 5, level: float = 0.9, random_state: int = 0) -> None:
        self.alpha, self.folds, self.level, self.random_state = alpha, folds, level, random_state

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, groups: npt.ArrayLike | None = None) -> Self:
        """Learn; arguments and errors as `LinearProbe.fit`, ``y`` are (n,) numbers."""
        rows, wanted = checked(self, X, y, fit=True)
        x, truth = unit_rows(rows), np.asarray(wanted, np.float64)
        penalties = PENALTIES if self.alpha is None else (float(self.alpha),)
        folds = number_folds(len(x), groups, self.folds, self.random_state)
        alike = np.zeros(len(x), np.int64)
        self.means_, self.least_likeness_ = means_of(x, alike), least_likeness(x, alike, folds)
        self.held_, self.width_ = None, 0.0
        self.alpha_ = penalties[0] if self.alpha is not None else _UNCHOSEN_PENALTY
        if folds:
            said = np.zeros((len(penalties), len(x)))
            for fit, held in folds:
                for place, penalty in enumerate(penalties):
                    said[place, held] = Ridge(penalty).fit(x[fit], truth[fit]).predict(x[held])
            errors = np.abs(said - truth)
            best = int((errors**2).mean(axis=1).argmin())
            self.alpha_, self.held_ = penalties[best], said[best]
            self.width_ = _half_width(errors[best], groups, self.level)
        made = Ridge(self.alpha_).fit(x, truth)
        self.coef_, self.intercept_ = made.coef_, float(made.intercept_)
        return self

    def predict(self, X: npt.ArrayLike) -> Reals:
        """Numbers, (n,)."""
        check_is_fitted(self)
        found: Reals = unit_rows(checked(self, X)) @ self.coef_ + self.intercept_
        return found

    def _head(self) -> tuple[dict[str, npt.ArrayLike], dict[str, Any]]:
        check_is_fitted(self)
        told = {"question": "number", "unit_length": True, "width": self.width_, "level": self.level}
        return {"weight": self.coef_[None, :], "bias": [self.intercept_]}, told


def _half_width(errors: Reals, groups: npt.ArrayLike | None, level: float) -> float:
    """The error that a new patient's stays below with ``level``; 0 where there are too few patients to say."""
    own = np.arange(len(errors)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    weights = 1.0 / np.bincount(own)[own]
    try:
        return conformal(np.asarray(errors, np.float64), weights, level)
    except BadValue:
        return 0.0


def _fitted(x: Reals, truth: Rows, strength: float, start: LogisticRegression | None = None) -> LogisticRegression:
    """A model, started where another one with a stronger penalty ended."""
    made = LogisticRegression(C=strength, max_iter=_STEPS, tol=_CLOSE, warm_start=True)
    if start is not None:
        made.coef_, made.intercept_, made.classes_ = start.coef_.copy(), start.intercept_.copy(), start.classes_
    return made.fit(x, truth)


def _held_path(
    x: Reals, truth: Rows, folds: list[tuple[Rows, Rows]], strengths: tuple[float, ...]
) -> tuple[list[Reals], list[float]]:
    """Held-out logits (n, C) and their loss for each strength, up to the first whose loss is above the one before."""
    models: list[LogisticRegression | None] = [None] * len(folds)
    parts = [(x[fit], truth[fit]) for fit, _ in folds]
    every = np.concatenate([held for _, held in folds])
    said: list[Reals] = []
    losses: list[float] = []
    for strength in strengths:
        logits = np.zeros((len(x), int(truth.max()) + 1))
        for number, (_, held) in enumerate(folds):
            models[number] = made = _fitted(*parts[number], strength, models[number])
            logits[held] = _both(made, x[held])
        said.append(logits)
        losses.append(log_loss(logits[every], truth[every]))
        if len(losses) > 1 and losses[-1] > losses[-2]:
            break
    return said, losses


def _weights(made: LogisticRegression) -> tuple[Reals, Reals]:
    """(C, d) and (C,); of two classes scikit-learn keeps the second's against the first."""
    if len(made.coef_) > 1:
        return made.coef_, made.intercept_
    half = made.coef_[0] / 2, made.intercept_[0] / 2
    return np.stack([-half[0], half[0]]), np.array([-half[1], half[1]])


def _both(made: LogisticRegression, x: Reals) -> Reals:
    weight, bias = _weights(made)
    found: Reals = x @ weight.T + bias
    return found


def _temperature(held: Reals, truth: Rows) -> float:
    seen = np.isfinite(held).all(axis=1)
    return fit_temperature(held[seen], truth[seen])
