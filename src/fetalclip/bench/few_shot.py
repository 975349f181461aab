"""Protocol ``few-shot``: what a probe learns from a few patients of each class, as a curve for each encoder.

* Support sets of k patients a class are drawn from FETAL_PLANES_DB's training side, the same for every model; every
  probe is scored on the published test patients, burned-in text masked.
* An encoder that was told the label in its own training does not learn it here: such a model is marked and stands
  beside the others for comparison only.
* ``end to end`` trains the whole tower of a model on the same support sets: the supervised row.
* Intervals are 95 %, over test patients and support sets together; differences are paired in both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip import __version__
from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.ask import progress
from fetalclip.bench.learned import DATA, TARGETS, Sides, embedded, label_of, mark, sides, slug
from fetalclip.bench.protocol import cautions, check, named, sources
from fetalclip.bench.table import BenchResult, Curve, Goal, Metric
from fetalclip.encoder.engine import Array
from fetalclip.errors import DataMissing, UsageError
from fetalclip.fit.few import METHODS, Learned, check_method, class_texts, learn_few, paired_mean, sets_and_seeds
from fetalclip.fit.shots import least_patients
from fetalclip.metrics import confusion_matrix, group_bootstrap, macro_f1

SHOTS = (1, 2, 4, 8, 16, 32, 64)
GOAL_SHOTS = 8  # at which one encoder is to beat the other
AHEAD = Goal(0.0)
INTERVAL = "95 % percentile bootstrap over test patients and support sets together"
SUPERVISED = "end to end"


@dataclass(frozen=True)
class Options:
    """How to run the protocol.

    Attributes:
        target: ``planes`` or ``subplanes``.
        shots: patients a class, in rising order; those that the smallest class does not have are left out.
        sets, seeds: support sets, and seeds of methods with randomness of their own.
        methods: of ``fetalclip.fit.few.METHODS``; differences are of the first.
        end_to_end: start the whole tower of this model on the first ``end_to_end_sets`` support sets, or None.
        end_to_end_sets: see above.
        split: ``test``, or ``val`` while choosing something.
        limit: at most so many pictures are scored; None takes all.
        show_progress: a bar on stderr, if that is a terminal.
    """

    target: str = "planes"
    shots: tuple[int, ...] = SHOTS
    sets: int = 10
    seeds: int = 5
    methods: tuple[str, ...] = ("logistic",)
    end_to_end: str | None = None
    end_to_end_sets: int = 3
    split: str = "test"
    limit: int | None = None
    show_progress: bool = True

    def check(self) -> None:
        """Refuse options out of range.

        Raises:
            UsageError: the first that is.
        """
        check(self.split, self.limit)
        if self.target not in TARGETS:
            raise UsageError(f"--target {self.target}", "one of " + ", ".join(TARGETS))
        if not self.shots or min(self.shots) < 1 or list(self.shots) != sorted(set(self.shots)):
            raise UsageError(f"--shots {self.shots}", "numbers above 0 in rising order", "--shots 2,8,32")
        if min(self.sets, self.seeds, self.end_to_end_sets) < 1 or not self.methods:
            raise UsageError("no support sets, seeds or methods", "1 or more")
        for method in self.methods:
            check_method(method)


@dataclass(frozen=True, eq=False)
class _Task:
    """What every line of the plot is about: which rows of both sides, labels and patients to learn from, those held."""

    learn: tuple[int, ...]
    held: tuple[int, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    truth: tuple[str, ...]
    owners: tuple[str, ...]


Line = tuple[str, dict[int, Learned]]


def run(model: Any, root: str | Path, options: Options | None = None, others: Sequence[Any] = ()) -> BenchResult:
    """Measure label efficiency of one model, and of others beside it.

    Args:
        model: what `fetalclip.load` gives; differences are this one less each of the others.
        root: folder that holds ``fetal_planes_db`` as published.
        options: see `Options`.
        others: further models.

    Raises:
        DataMissing: the data set is absent, or no class has enough patients.
        UsageError: an option is out of range.
    """
    options = options or Options()
    options.check()
    began = time.perf_counter()
    both = sides(root, options.split, options.limit)
    task = _task(both, options.target)
    most = least_patients(task.labels, task.groups)
    shots = [count for count in options.shots if count <= most]
    if not shots:
        raise DataMissing(f"{most} patients in the smallest class", f"at least {options.shots[0]}", f"--shots {most}")
    models = [model, *others]
    lines: list[Line] = []
    learn, held = tuple(both.learn[i] for i in task.learn), tuple(both.held[i] for i in task.held)
    with progress("embed", (len(learn) + len(held)) * len(models), options.show_progress) as step:
        for one in models:
            x = embedded(one, learn, step), embedded(one, held, step)
            for method in options.methods:
                name = one.card.name + ("" if len(options.methods) == 1 else f", {method}")
                title = f"{name} ({mark(one, options.target)})"
                lines.append((title, _curve(one, x, task, (method, shots, options))))
    lines += _supervised(both, task, shots, options)
    return _result(models, lines, task, (options, most, began))


def _task(both: Sides, target: str) -> _Task:
    learn = tuple(i for i, row in enumerate(both.learn) if label_of(row, target))
    held = tuple(i for i, row in enumerate(both.held) if label_of(row, target))
    if not held or not learn:
        raise DataMissing(f"no picture with a {TARGETS[target][0]}", "some on both sides of the split")
    return _Task(
        learn,
        held,
        tuple(label_of(both.learn[i], target) for i in learn),
        tuple(both.learn[i].group for i in learn),
        tuple(label_of(both.held[i], target) for i in held),
        tuple(both.held[i].group for i in held),
    )


def _curve(
    model: Any, x: tuple[Array, Array], task: _Task, how: tuple[str, Sequence[int], Options]
) -> dict[int, Learned]:
    """Shots to what the probes of all support sets said."""
    method, shots, options = how
    texts = class_texts(model, sorted(set(task.labels)))
    pool, held = (x[0], task.labels, task.groups), (x[1], task.truth)
    runs = sets_and_seeds(method, options.sets, options.seeds)
    make: Callable[[int], Any] = partial(METHODS[method], texts)
    return {count: learn_few(pool, held, make, count, runs) for count in shots}


def _supervised(both: Sides, task: _Task, shots: Sequence[int], options: Options) -> list[Line]:
    """The whole tower trained on the first support sets; nothing where it is not asked for."""
    if options.end_to_end is None:
        return []
    from fetalclip.bench.end_to_end import train_on_shots

    learn, held = [both.learn[i].path for i in task.learn], [both.held[i].path for i in task.held]
    sides_of = (learn, task.labels, task.groups), (held, task.truth)
    found = train_on_shots(options.end_to_end, sides_of, shots, options.end_to_end_sets, options.show_progress)
    return [(f"{SUPERVISED}, from {Path(options.end_to_end).name}", found)]


def _result(models: Sequence[Any], lines: Sequence[Line], task: _Task, how: tuple[Options, int, float]) -> BenchResult:
    options, most, began = how
    metrics, curves = [], []
    for number, (title, learned) in enumerate(lines):
        found = {count: group_bootstrap(one.mean(), task.owners, RESAMPLES, SEED) for count, one in learned.items()}
        start = "" if not number else f"{slug(title.partition(' (')[0])}_{number}_"
        section = f"Macro F1 of {title}"
        metrics += [Metric(f"{start}macro_f1_{k}", _patients(k), section, one) for k, one in found.items()]
        curves.append(Curve(title, tuple((float(k), one) for k, one in found.items())))
    metrics += _differences(models, lines, task, options)
    notes = cautions(options.split, options.limit)
    notes.append(f"the smallest class has {most} patients to learn from")
    notes += [f"{title} cannot learn these labels from few patients: it has them already" for title in _seen(lines)]
    provenance = {
        "version": __version__,
        **named(models[0]),
        "others": [named(one) for one in models[1:]],
        "split": f"split-v1 {options.split}",
        "target": options.target,
        "methods": list(options.methods),
        "sets": options.sets,
        "seeds": options.seeds,
        "learned_from": {"pictures": len(task.learn), "patients": len(set(task.groups))},
        "data": sources(DATA),
        "resamples": RESAMPLES,
        "seed": SEED,
        "interval": INTERVAL,
        "seconds": time.perf_counter() - began,
    }
    return BenchResult(
        "few-shot", len(task.held), tuple(metrics), _null(task), None, provenance, tuple(notes), curves=tuple(curves)
    )


def _differences(models: Sequence[Any], lines: Sequence[Line], task: _Task, options: Options) -> list[Metric]:
    """The first line less every other, on the same support sets and resampled patients."""
    metrics = []
    first = lines[0][1]
    for number, (title, learned) in list(enumerate(lines))[1:]:
        for count, other in learned.items():
            statistic = paired_mean(first[count], other)
            gap = group_bootstrap(statistic, task.owners, RESAMPLES, SEED)
            asked = options.target == "planes" and count == GOAL_SHOTS
            both = "never saw" in lines[0][0] and "never saw" in title and number == len(options.methods)
            goal = AHEAD if asked and both else None
            short = title.partition(" (")[0]
            section = f"{lines[0][0].partition(' (')[0]} less {short}, paired"
            metrics.append(Metric(f"less_{number}_{slug(short)}_{count}", _patients(count), section, gap, goal))
    return metrics


def _seen(lines: Sequence[Line]) -> list[str]:
    return [title.partition(" (")[0] for title, _ in lines if "has seen these labels" in title]


def _patients(count: int) -> str:
    return f"{count} patient{'' if count == 1 else 's'} a class"


def _null(task: _Task) -> dict[str, dict[str, Any]]:
    """What the best constant answer gets."""
    names = sorted(set(task.truth))
    truth = np.array([names.index(name) for name in task.truth])
    best = int(np.bincount(truth).argmax())
    counts = confusion_matrix(truth, np.full_like(truth, best), len(names))
    return {"constant answer": {"label": names[best], "macro_f1": macro_f1(counts)}}


def from_predictions(path: Path) -> BenchResult:
    """There are no saved answers of this protocol: support sets are drawn here.

    Raises:
        UsageError: always.
    """
    raise UsageError(
        f"--predictions {path.name} of few-shot", "--root DIR", "fetalclip bench probe --predictions F.json"
    )
