"""Probes for very few labels: a class is what its prompts say and what its few pictures show.

``PromptMean`` mixes the two means. ``TipAdapter`` adds to the prompts' vote that of the support pictures, each by its
likeness (Zhang et al. 2022, arXiv 2207.09519, the version without training). Without prompts both are what is left:
nearest mean, and a vote of neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from fetalclip.errors import BadValue
from fetalclip.fit.probe_base import (
    Answering,
    Reals,
    Rows,
    checked,
    fit_temperature,
    grouped_folds,
    least_likeness,
    log_loss,
    means_of,
    names_of,
    unit_rows,
)

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the pictures in a class's mean
WEIGHTS = (3.0, 10.0, 30.0, 100.0, 300.0)  # of the support pictures' vote, where cosines of texts count 100
SHARPNESS = (1.0, 3.0, 5.5, 10.0, 30.0)
_SCALE = 100.0  # of cosines, as CLIP's; the temperature takes up what is wrong with it
Texts = Mapping[str, npt.ArrayLike] | None


class _Prompted(Answering, ClassifierMixin, BaseEstimator):
    """What both do alike: checks, the choice by patients held out, temperature, answers."""

    texts: Texts
    folds: int
    random_state: int

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, groups: npt.ArrayLike | None = None) -> Self:
        """Learn; arguments and errors as `LinearProbe.fit`.

        Raises:
            BadValue: a class without a text where texts are given, or a text of another width.
        """
        rows, wanted = checked(self, X, y, fit=True)
        check_classification_targets(wanted)
        self.classes_, truth = np.unique(wanted, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"{type(self).__name__} needs two classes, got 1 class: {self.classes_[0]!r:.60}")
        x = unit_rows(np.asarray(rows, np.float64))
        self.prompts_ = self._texts(x.shape[1])
        folds = grouped_folds(truth, groups, self.folds, self.random_state)
        self.means_, self.least_likeness_ = means_of(x, truth), least_likeness(x, truth, folds)
        choices = self._choices()
        chosen, self.held_, self.temperature_ = choices[len(choices) // 2], None, 1.0
        if folds:
            best = np.inf
            for choice in choices:
                said = np.full((len(x), len(self.classes_)), np.nan)
                for fit, held in folds:
                    said[held] = self._said(x[held], x[fit], truth[fit], choice)
                seen = np.isfinite(said).all(axis=1)
                temperature = fit_temperature(said[seen], truth[seen])
                loss = log_loss(said[seen], truth[seen], temperature)
                if loss < best:
                    best, chosen, self.held_, self.temperature_ = loss, choice, said, temperature
        self.choice_, self.keys_, self.truth_ = chosen, x, truth
        return self

    def _logits(self, X: npt.ArrayLike) -> Reals:
        check_is_fitted(self)
        x = unit_rows(np.asarray(checked(self, X), np.float64))
        return self._said(x, self.keys_, self.truth_, self.choice_)

    def _texts(self, width: int) -> Reals | None:
        """(C, d) unit length, in the order of the classes."""
        if self.texts is None:
            return None
        named = {str(name): np.asarray(vector, np.float64) for name, vector in self.texts.items()}
        missing = [name for name in names_of(self.classes_) if name not in named]
        if missing:
            raise BadValue(f"no text for the class {missing[0]!r:.60}", "one for each class", "--prompts F.json")
        found = np.stack([named[name] for name in names_of(self.classes_)])
        if found.shape[1:] != (width,) or not np.isfinite(found).all():
            raise BadValue(f"texts of shape {found.shape}", f"finite, of width {width}, as the pictures")
        return unit_rows(found)

    def _choices(self) -> list[tuple[float, float]]:
        raise NotImplementedError

    def _said(self, x: Reals, keys: Reals, truth: Rows, choice: tuple[float, float]) -> Reals:
        """Logits of unit rows by support pictures; a class without one of them has what is left."""
        raise NotImplementedError


class PromptMean(_Prompted):
    """Each class is the weighted mean of its prompts' mean and its pictures' mean, at unit length.

    Args:
        texts: class to its prompts' mean (d,), from ``FetalCLIP.encode_text``; None uses the pictures alone.
        share: of the pictures; None chooses from ``SHARES`` by patients held out.
        folds, random_state: of that choice.

    Attributes:
        classes_, temperature_, held_: as `LinearProbe`.
        choice_: the share used.
    """

    def __init__(self, texts: Texts = None, share: float | None = None, folds: int = 5, random_state: int = 0) -> None:
        self.texts, self.share, self.folds, self.random_state = texts, share, folds, random_state

    def _choices(self) -> list[tuple[float, float]]:
        if self.prompts_ is None:
            return [(1.0, 0.0)]
        return [(value, 0.0) for value in (SHARES if self.share is None else (float(self.share),))]

    def _said(self, x: Reals, keys: Reals, truth: Rows, choice: tuple[float, float]) -> Reals:
        found: Reals = _SCALE * x @ self._weights(keys, truth, choice[0]).T
        return found

    def _weights(self, keys: Reals, truth: Rows, share: float) -> Reals:
        means = np.stack([keys[truth == c].mean(axis=0) for c in range(len(self.classes_))])
        if self.prompts_ is None:
            return unit_rows(means)
        return unit_rows(share * unit_rows(means) + (1 - share) * self.prompts_)

    def _head(self) -> tuple[dict[str, npt.ArrayLike], dict[str, Any]]:
        check_is_fitted(self)
        weight = _SCALE * self._weights(self.keys_, self.truth_, self.choice_[0])
        told = {"question": "classes", "classes": names_of(self.classes_), "unit_length": True}
        return {"weight": weight, "bias": np.zeros(len(weight))}, {**told, "temperature": self.temperature_}


class TipAdapter(_Prompted):
    """The prompts' vote and that of every support picture, which counts the more the more alike it is.

    Args:
        texts: class to its prompts' mean (d,); None leaves the support pictures alone.
        weight, sharpness: of the pictures' vote; None chooses from ``WEIGHTS`` and ``SHARPNESS`` by patients held out.
        folds, random_state: of that choice.

    Attributes:
        classes_, temperature_, held_: as `LinearProbe`.
        choice_: weight and sharpness used.
        keys_: (n, d) the support pictures.
    """

    def __init__(
        self,
        texts: Texts = None,
        weight: float | None = None,
        sharpness: float | None = None,
        folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.texts, self.weight, self.sharpness = texts, weight, sharpness
        self.folds, self.random_state = folds, random_state

    def _choices(self) -> list[tuple[float, float]]:
        weights = WEIGHTS if self.weight is None else (float(self.weight),)
        if self.prompts_ is None:
            weights = weights[:1]  # alone, the temperature is its weight
        sharp = SHARPNESS if self.sharpness is None else (float(self.sharpness),)
        return [(w, s) for w in weights for s in sharp]

    def _said(self, x: Reals, keys: Reals, truth: Rows, choice: tuple[float, float]) -> Reals:
        weight, sharpness = choice
        found: Reals = weight * np.exp(-sharpness * (1 - x @ keys.T)) @ self._values(truth)
        return found if self.prompts_ is None else found + _SCALE * x @ self.prompts_.T

    def _values(self, truth: Rows) -> Reals:
        """(n, C): each picture's vote for its class, the classes with equal votes in all."""
        one_hot = np.eye(len(self.classes_))[truth]
        found: Reals = one_hot / np.maximum(one_hot.sum(axis=0), 1)
        return found

    def _head(self) -> tuple[dict[str, npt.ArrayLike], dict[str, Any]]:
        check_is_fitted(self)
        shape = (len(self.classes_), self.keys_.shape[1])
        weight = np.zeros(shape) if self.prompts_ is None else _SCALE * self.prompts_
        arrays = {"weight": weight, "bias": np.zeros(len(weight)), "keys": self.keys_}
        told = {"question": "classes", "classes": names_of(self.classes_), "unit_length": True}
        told |= {"temperature": self.temperature_, "cache": {"weight": self.choice_[0], "sharpness": self.choice_[1]}}
        return {**arrays, "values": self._values(self.truth_)}, told
