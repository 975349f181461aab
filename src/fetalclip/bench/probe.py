"""Protocol ``probe``: a linear probe on the frozen encoder, learned from all training patients of FETAL_PLANES_DB.

* Planes (abdomen, brain, femur, thorax) and sub-planes of the brain; macro F1 on the published test patients,
  burned-in text masked. Nothing of the probe is chosen on them: its penalty and its temperature come from
  cross-validation over training patients.
* Further models are scored on the same pictures, with paired differences. Each says whether it was told these labels
  in its own training: for those that were, a probe measures little that their prompts do not.
* Intervals are 95 % by patient (`fetalclip.metrics`). A goal is met by the value.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip import __version__
from fetalclip.bench.answers import RESAMPLES, SEED, Answers
from fetalclip.bench.ask import progress
from fetalclip.bench.learned import DATA, TARGETS, Sides, embedded, label_of, mark, sides, slug
from fetalclip.bench.plane_metrics import calibration_metrics, class_metrics, confusion, null_rows, scored, subgroups
from fetalclip.bench.predictions import planes_from_predictions
from fetalclip.bench.protocol import INTERVAL, cautions, check, named, sources
from fetalclip.bench.table import BenchResult, Goal, Metric
from fetalclip.encoder.engine import Array
from fetalclip.errors import UsageError
from fetalclip.fit.few import METHODS, check_method, class_texts
from fetalclip.metrics import paired_difference

GOALS = {"planes": Goal(0.99), "subplanes": Goal(0.78)}
ABOUT = {"planes": "Planes", "subplanes": "Sub-planes of the brain"}

from_predictions = planes_from_predictions


@dataclass(frozen=True)
class Options:
    """How to run the protocol.

    Attributes:
        method: of ``fetalclip.fit.few.METHODS``.
        split: ``test``, or ``val`` while choosing something (learned from the training folds alone).
        limit: at most so many pictures are scored, of all sorts; None takes all.
        show_progress: a bar on stderr, if that is a terminal.
    """

    method: str = "logistic"
    split: str = "test"
    limit: int | None = None
    show_progress: bool = True


def run(model: Any, root: str | Path, options: Options | None = None, others: Sequence[Any] = ()) -> BenchResult:
    """Measure probes on one model, and on others beside it.

    Args:
        model: what `fetalclip.load` gives.
        root: folder that holds ``fetal_planes_db`` as published.
        options: see `Options`.
        others: further models.

    Raises:
        DataMissing: the data set is absent or incomplete.
        UsageError: an option is out of range.
    """
    options = options or Options()
    check(options.split, options.limit)
    check_method(options.method)
    began = time.perf_counter()
    both = sides(root, options.split, options.limit)
    models = [model, *others]
    said: dict[tuple[int, str], Answers] = {}
    with progress("embed", (len(both.learn) + len(both.held)) * len(models), options.show_progress) as step:
        for number, one in enumerate(models):
            x, held = embedded(one, both.learn, step), embedded(one, both.held, step)
            said |= {(number, target): _probed(one, x, held, (both, target), options.method) for target in TARGETS}
    metrics = [row for target in TARGETS for row in _rows(models, said, target)]
    first = said[0, "planes"]
    for target in TARGETS:
        section = f"{ABOUT[target]}, details"
        metrics += [_renamed(row, target) for row in _details(said[0, target], section)]
    known = {"macro_f1": first.macro_f1(), "subplanes_macro_f1": said[0, "subplanes"].macro_f1()}
    return BenchResult(
        "probe",
        len(first),
        tuple(metrics),
        {f"{target}, {name}": values for target in TARGETS for name, values in null_rows(said[0, target]).items()},
        confusion(first),
        _provenance(model, others, options, both) | {"seconds": time.perf_counter() - began},
        tuple(cautions(options.split, options.limit)),
        first.reliability(),
        first.risk_coverage(),
        subgroups(first, abstains=False),
        scored=scored(first, {"macro_f1": known["macro_f1"]}),
    )


def _probed(model: Any, x: Array, held: Array, what: tuple[Sides, str], method: str) -> Answers:
    """Answers of a probe about the held pictures that have the label."""
    both, target = what
    learn = [i for i, row in enumerate(both.learn) if label_of(row, target)]
    asked = [i for i, row in enumerate(both.held) if label_of(row, target)]
    if not asked:
        raise UsageError(f"no held picture with a {TARGETS[target][0]}", "more pictures", "leave out --n")
    labels = np.array([label_of(both.learn[i], target) for i in learn])
    groups = np.array([both.learn[i].group for i in learn])
    texts = class_texts(model, sorted(set(labels.tolist())))
    probe = METHODS[method](texts, 0).fit(x[learn], labels, groups)
    table = np.asarray(probe.predict_proba(held[asked]), np.float64)
    names = tuple(str(name) for name in probe.classes_)
    rows = [both.held[i] for i in asked]
    return Answers(
        tuple(label_of(row, target) for row in rows),
        tuple(row.group for row in rows),
        tuple(names[i] for i in table.argmax(axis=1)),
        table.max(axis=1),
        np.zeros(len(rows), dtype=bool),
        names,
        table,
        {"machine": tuple(row.machine or "" for row in rows), "operator": tuple(row.operator or "" for row in rows)},
    )


def _rows(models: Sequence[Any], said: dict[tuple[int, str], Answers], target: str) -> list[Metric]:
    """Macro F1 of every model, and what the first has over each of the others."""
    section, metrics = f"{ABOUT[target]}: macro F1 of a probe on all training patients", []
    first = said[0, target]
    start = "" if target == "planes" else f"{target}_"
    for number, model in enumerate(models):
        answers, name = said[number, target], model.card.name
        key = f"{start}macro_f1" + (f"_{number}_{slug(name)}" if number else "")
        found = answers.estimate(answers.macro_f1())
        metrics.append(
            Metric(key, f"{name} ({mark(model, target)})", section, found, None if number else GOALS[target])
        )
    for number, model in list(enumerate(models))[1:]:
        other = said[number, target].macro_f1()
        gap = paired_difference(first.macro_f1(), other, first.group, RESAMPLES, SEED)
        title = f"{models[0].card.name} less {model.card.name}, paired"
        metrics.append(Metric(f"{start}less_{number}_{slug(model.card.name)}", title, section, gap))
    return metrics


def _details(answers: Answers, section: str) -> list[Metric]:
    accuracy = Metric("accuracy", "accuracy", section, answers.estimate(answers.accuracy()))
    return [*class_metrics(answers, section), accuracy, *calibration_metrics(answers, section)]


def _renamed(row: Metric, target: str) -> Metric:
    return row if target == "planes" else replace(row, name=f"{target}_{row.name}")


def _provenance(model: Any, others: Sequence[Any], options: Options, both: Sides) -> dict[str, Any]:
    return {
        "version": __version__,
        **named(model),
        "others": [named(one) for one in others],
        "split": f"split-v1 {options.split}",
        "method": options.method,
        "learned_from": {"pictures": len(both.learn), "patients": len({row.group for row in both.learn})},
        "limit": options.limit,
        "data": sources(DATA),
        "resamples": RESAMPLES,
        "seed": SEED,
        "interval": INTERVAL,
    }
