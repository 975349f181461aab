"""Which estimators there are by name, and how well one learns from few patients: support sets and seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.clinical.prompts import PromptSet, load_prompts
from fetalclip.encoder.engine import unit
from fetalclip.errors import NotAvailable, UsageError
from fetalclip.fit.probe import LinearProbe
from fetalclip.fit.probe_base import Reals
from fetalclip.fit.prompted_probe import PromptMean, TipAdapter
from fetalclip.fit.shots import support_set
from fetalclip.metrics import Statistic, confusion_matrix, encode, macro_f1

Texts = Mapping[str, npt.ArrayLike]
PROMPT_SETS = ("planes-9", "brain-3")  # looked through for classes that no prompts were given for
METHODS: Mapping[str, Callable[[Texts | None, int], Any]] = {
    "logistic": lambda texts, seed: LinearProbe(random_state=seed),
    "published": lambda texts, seed: LinearProbe("published", random_state=seed),
    "few-shot-published": lambda texts, seed: LinearProbe("published", epochs=100, batch=16, random_state=seed),
    "prompt-mean": lambda texts, seed: PromptMean(texts, random_state=seed),
    "tip-adapter": lambda texts, seed: TipAdapter(texts, random_state=seed),
}
"""Name to a call that makes the estimator of some texts and a seed."""

SEEDED = ("published", "few-shot-published")  # the others come out the same for every seed but for their folds


def check_method(method: str) -> None:
    """Refuse a method there is not.

    Raises:
        UsageError: the message names those there are.
    """
    if method not in METHODS:
        raise UsageError(f"method {method!r:.40}", "one of " + ", ".join(METHODS), "--method logistic")


def class_texts(model: Any, classes: Sequence[str], prompts: str | None = None) -> Texts | None:
    """Class to the mean of its prompts' unit embeddings; None where nothing names every class, or without text tower.

    Args:
        model: what `fetalclip.load` gives.
        classes: names.
        prompts: a prompt set by name or file; None looks through ``PROMPT_SETS``.

    Raises:
        UsageError: prompts given that lack a class.
        NotAvailable: prompts given, and the model has no text tower.
    """
    given = None if prompts is None else load_prompts(prompts)
    if given is not None and (missing := [name for name in classes if name not in given]):
        raise UsageError(f"--prompts without the class {missing[0]!r:.60}", "every class of the table")
    sets: list[PromptSet] = [load_prompts(name) for name in PROMPT_SETS] if given is None else [given]
    if "planes" not in model.card.config.get("tasks", ["planes"]):
        if given is not None:
            found = f"--prompts with {model.card.name}, whose tower has left the texts it was trained with"
            raise NotAvailable(found, "a model that answers planes", "--method logistic")
        return None
    chosen = next((found for found in sets if all(name in found for name in classes)), None)
    if chosen is None:
        return None
    try:
        return {name: unit(model.encode_text(chosen[name])).mean(axis=0) for name in classes}
    except NotAvailable:
        if given is not None:
            raise
        return None


@dataclass(frozen=True, eq=False)
class Learned:
    """What probes of many support sets said of the same held pictures.

    Attributes:
        classes: names.
        said: (runs, n) class number of the most probable class.
        truth: (n,) class numbers.
        pictures: of each run, in its support set.
        sets: number of each run's support set; runs of several seeds share one.
    """

    classes: tuple[str, ...]
    said: npt.NDArray[np.int64]
    truth: npt.NDArray[np.int64]
    pictures: tuple[int, ...]
    sets: tuple[int, ...]

    def each(self) -> Reals:
        """Macro F1 of each run, (runs,)."""
        rows = np.arange(len(self.truth))
        return np.array([self._score(run, rows) for run in range(len(self.said))])

    def mean(self, seed: int = 0) -> Statistic:
        """Mean macro F1 of chosen rows over support sets drawn with replacement; of all rows, over the sets as are.

        Resampled beside patients, the interval holds the luck of the support sets too.
        """
        return _over_sets(sorted(set(self.sets)), len(self.truth), self.of_set, seed)

    def of_set(self, one: int, rows: npt.NDArray[np.int64]) -> float:
        """Mean macro F1 of chosen rows over the runs of one support set."""
        return float(np.mean([self._score(run, rows) for run, its in enumerate(self.sets) if its == one]))

    def _score(self, run: int, rows: npt.NDArray[np.int64]) -> float:
        return macro_f1(confusion_matrix(self.truth[rows], self.said[run][rows], len(self.classes)))


def sets_and_seeds(method: str, sets: int, seeds: int) -> list[tuple[int, int]]:
    """Support set and seed of each run; a method without randomness of its own gets one seed a set."""
    return [(one, seed) for one in range(sets) for seed in range(seeds if method in SEEDED else 1)]


def learn_few(
    pool: tuple[Reals, Sequence[str], Sequence[str]],
    held: tuple[Reals, Sequence[str]],
    make: Callable[[int], Any],
    shots: int,
    runs: Sequence[tuple[int, int]],
) -> Learned:
    """Fit a probe on each support set and ask it about the held pictures.

    Args:
        pool: embeddings (m, d), classes and patients that support sets are drawn from.
        held: embeddings (n, d) and classes of other patients.
        make: an unfitted estimator for a seed.
        shots: patients a class; 0 takes the whole pool.
        runs: support set and seed of each.

    Raises:
        UsageError: a class with fewer patients.
    """
    x, labels, groups = pool
    classes = tuple(sorted(set(labels)))
    said, pictures = [], []
    for one, seed in runs:
        rows = support_set(labels, groups, shots, one) if shots else np.arange(len(labels))
        probe = make(seed).fit(x[rows], np.asarray(labels)[rows], np.asarray(groups)[rows])
        said.append(encode(tuple(str(name) for name in probe.predict(held[0])), classes))
        pictures.append(len(rows))
    sets = tuple(one for one, _ in runs)
    return Learned(classes, np.stack(said), encode(tuple(held[1]), classes), tuple(pictures), sets)


def paired_mean(first: Learned, second: Learned, seed: int = 0) -> Statistic:
    """Mean difference in macro F1 on the support sets that both learned from; see `Learned.mean`."""
    common = sorted(set(first.sets) & set(second.sets))
    return _over_sets(
        common, len(first.truth), lambda one, rows: first.of_set(one, rows) - second.of_set(one, rows), seed
    )


def _over_sets(
    sets: Sequence[int], n: int, score: Callable[[int, npt.NDArray[np.int64]], float], seed: int
) -> Statistic:
    """The mean of a score over support sets: as they are for all ``n`` rows, drawn with replacement for others."""
    rng, whole = np.random.default_rng(seed), np.arange(n)

    def mean(rows: npt.NDArray[np.int64]) -> float:
        chosen: Sequence[int] = sets
        if len(rows) != n or not np.array_equal(rows, whole):
            chosen = [sets[i] for i in rng.integers(0, len(sets), len(sets))]
        return float(np.mean([score(one, rows) for one in chosen]))

    return mean
