"""A table of labelled pictures to a probe: embed, learn, measure on other patients, write the head folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.data.labelled import Labelled, LabelledTable, check_classes, numbers_of
from fetalclip.errors import UnreadableInput, UsageError
from fetalclip.fit.embedded import embed_paths
from fetalclip.fit.few import METHODS, check_method, class_texts, learn_few, sets_and_seeds
from fetalclip.fit.probe import RidgeProbe
from fetalclip.fit.shots import least_patients, support_set
from fetalclip.metrics import Estimate, confusion_matrix, encode, group_bootstrap, macro_f1

SCHEMA = "fetalclip.probe-run/1"
Say = Callable[[str], None]


@dataclass(frozen=True)
class ProbeOptions:
    """How to learn from a table.

    Attributes:
        method: of ``fetalclip.fit.few.METHODS``.
        shots: patients a class; 0 learns from all.
        sets, seeds: support sets and seeds that are measured; the head is of the first.
        number: the labels are numbers.
        unit: of those.
        prompts: a prompt set that names the classes, or None.
        overlay: what to do with burned-in text, ``mask`` or ``keep``.
        license: of the head; that of its labels.
        title: of the head.
    """

    method: str = "logistic"
    shots: int = 0
    sets: int = 5
    seeds: int = 5
    number: bool = False
    unit: str = ""
    prompts: str | None = None
    overlay: str = "mask"
    license: str = ""
    title: str = ""

    def check(self) -> None:
        """Refuse what does not go together, before a model is loaded.

        Raises:
            UsageError: the first thing that is wrong.
        """
        check_method(self.method)
        if self.overlay not in ("mask", "keep"):
            raise UsageError(f"--overlay {self.overlay}", "mask or keep")
        if self.shots < 0 or self.sets < 1 or self.seeds < 1:
            raise UsageError("--shots, --sets or --seeds below 1", "1 or more")
        if self.number and (self.shots or self.prompts or self.method != "logistic"):
            raise UsageError("--number with --shots, --prompts or --method", "ridge regression on all pictures")


@dataclass(frozen=True)
class ProbeRun:
    """What came out.

    Attributes:
        folder: the head folder.
        told: the JSON form.
        failed: pictures that could not be read.
    """

    folder: Path
    told: dict[str, Any] = field(repr=False)
    failed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """One JSON object of schema ``fetalclip.probe-run/1``."""
        return self.told


def probe_table(
    model: Any,
    table: LabelledTable,
    out: Path,
    options: ProbeOptions,
    step: Callable[[int], None] = lambda n: None,
    say: Say = print,
) -> ProbeRun:
    """Learn a probe from a table.

    Args:
        model: what `fetalclip.load` gives.
        table: from `read_labelled`.
        out: the head folder to write; it appears when everything else has gone well.
        options: how.
        step: called with the number of pictures embedded.
        say: told what a person should know.

    Raises:
        UnreadableInput: a class with one patient, or labels that are no numbers.
        UsageError: more shots than patients.
    """
    options.check()
    learn, test = table.on("train", "val"), table.on("test")
    if options.number:  # before the work of embedding
        numbers_of([*learn, *test])
    else:
        names = check_classes(learn)
        if strange := sorted({row.label for row in test} - set(names)):
            raise UsageError(f"the class {strange[0]!r:.60} only on the test side", "each class among the others too")
        if options.shots > least_patients([r.label for r in learn], [r.group for r in learn]):
            support_set([r.label for r in learn], [r.group for r in learn], options.shots, 0)  # says which
    if not table.grouped:
        say("No column of patients: every picture counts as one, so pictures of one patient may stand on both sides.")
    rows = [*learn, *test]
    paths, indices = [row.path for row in rows], [row.frame for row in rows]
    x, kept = embed_paths(model, paths, options.overlay, step, say, indices)
    kept_rows = [rows[i] for i in kept]
    if not any(i < len(learn) for i in kept):
        raise UnreadableInput(f"none of {len(learn)} pictures could be read", "pictures to learn from")
    at = sum(1 for i in kept if i < len(learn))
    sides = (x[:at], kept_rows[:at]), (x[at:], kept_rows[at:])
    ask = _number if options.number else _classes
    estimator, facts = ask(model, *sides, options)
    head = {"title": options.title or out.name, "summary": _summary(table, options, kept_rows[:at])}
    head |= {"license": options.license} if options.license else {}
    data = {"table": {"pictures": facts["n"], "patients": facts["patients"], "label": table.label}}
    folder = estimator.save(
        out, model, unit=options.unit, overlay=options.overlay, data=data, results=facts["measured"], **head
    )
    told = {"schema": SCHEMA, "head": str(folder), "method": options.method, "shots": options.shots or None, **facts}
    told |= {"model": model.card.name, "model_sha256": model.card.sha256 or None, "failed": len(rows) - len(kept)}
    return ProbeRun(folder, told, len(rows) - len(kept))


Side = tuple[npt.NDArray[np.float32], list[Labelled]]


def _classes(model: Any, learn: Side, test: Side, options: ProbeOptions) -> tuple[Any, dict[str, Any]]:
    """The estimator that is saved, and what is told of it."""
    x, rows = learn
    names = check_classes(rows)
    labels, groups = [row.label for row in rows], [row.group for row in rows]
    texts = class_texts(model, names, options.prompts)
    support = support_set(labels, groups, options.shots, 0) if options.shots else np.arange(len(rows))
    estimator = METHODS[options.method](texts, 0)
    estimator.fit(x[support], np.asarray(labels)[support], np.asarray(groups)[support])
    facts = {
        "classes": dict(Counter(labels[i] for i in support)),
        "n": len(support),
        "patients": len({groups[i] for i in support}),
        "texts": texts is not None and options.method in ("prompt-mean", "tip-adapter"),
        "measured": _measured(learn, test, (texts, estimator), options),
    }
    return estimator, facts


def _measured(learn: Side, test: Side, made: tuple[Any, Any], options: ProbeOptions) -> dict[str, Any]:
    """Macro F1 on patients the probe did not learn from, and on which ones."""
    (x, rows), (texts, estimator) = learn, made
    labels, groups = [row.label for row in rows], [row.group for row in rows]
    if test[1]:
        held = test[0], [row.label for row in test[1]]
        where, held_groups = "the table's test side", [row.group for row in test[1]]
    elif options.shots:
        return _outside(learn, texts, options)
    else:
        seen = None if estimator.held_ is None else np.isfinite(estimator.held_).all(axis=1)
        if seen is None:
            return {"on": "nothing: too few patients", "macro_f1": None}
        names = tuple(str(name) for name in estimator.classes_)
        said = np.where(seen, np.nan_to_num(estimator.held_).argmax(axis=1), 0)
        truth = encode(tuple(labels), names)[seen]
        kept = [group for group, there in zip(groups, seen, strict=True) if there]
        found = group_bootstrap(_f1(truth, said[seen], len(names)), kept)
        chosen = "its last epoch" if "published" in options.method else "its settings"
        return {
            "on": f"patients held out in folds, on whom {chosen} and its temperature were chosen",
            **_estimate(found),
        }
    runs = sets_and_seeds(options.method, options.sets if options.shots else 1, options.seeds)
    learned = learn_few((x, labels, groups), held, partial(METHODS[options.method], texts), options.shots, runs)
    found = group_bootstrap(learned.mean(), held_groups)
    return {"on": where, **_estimate(found), "runs": [float(score) for score in learned.each()]}


def _outside(learn: Side, texts: Any, options: ProbeOptions) -> dict[str, Any]:
    """Each support set's probe on the patients outside that set; the interval is over sets."""
    x, rows = learn
    labels, groups = np.array([row.label for row in rows]), np.array([row.group for row in rows])
    scores = []
    for one, seed in sets_and_seeds(options.method, options.sets, options.seeds):
        support = support_set(labels.tolist(), groups.tolist(), options.shots, one)
        rest = np.flatnonzero(~np.isin(groups, groups[support]))
        if not len(rest):
            continue
        pool = x[support], labels[support].tolist(), groups[support].tolist()
        got = learn_few(pool, (x[rest], labels[rest].tolist()), partial(METHODS[options.method], texts), 0, [(0, seed)])
        scores.append(float(got.each()[0]))
    if not scores:
        return {"on": "nothing: every patient is in the support set", "macro_f1": None}
    found = group_bootstrap(lambda at: float(np.mean(np.array(scores)[at])), list(range(len(scores))))
    return {"on": "patients outside each support set; the interval is over sets", **_estimate(found), "runs": scores}


def _number(model: Any, learn: Side, test: Side, options: ProbeOptions) -> tuple[Any, dict[str, Any]]:
    x, rows = learn
    truth, groups = np.array(numbers_of(rows)), [row.group for row in rows]
    estimator = RidgeProbe().fit(x, truth, groups)
    errors, owners, where = None, groups, "patients held out in folds, on whom its penalty was chosen"
    if test[1]:
        errors = np.abs(estimator.predict(test[0]) - np.array(numbers_of(test[1])))
        owners, where = [row.group for row in test[1]], "the table's test side"
    elif estimator.held_ is not None:
        errors = np.abs(estimator.held_ - truth)
    measured: dict[str, Any] = {"on": "nothing: too few patients"}
    if errors is not None:
        found, inside = errors, (errors <= estimator.width_)
        measured = {"on": where, **_estimate(group_bootstrap(lambda at: float(found[at].mean()), owners), "mean_error")}
        measured["interval_holds"] = float(inside.mean()) if estimator.width_ else None
    return estimator, {"n": len(rows), "patients": len(set(groups)), "unit": options.unit or None, "measured": measured}


def _f1(truth: npt.NDArray[np.int64], said: npt.NDArray[np.int64], count: int) -> Callable[[Any], float]:
    return lambda at: macro_f1(confusion_matrix(truth[at], said[at], count))


def _estimate(found: Estimate, name: str = "macro_f1") -> dict[str, Any]:
    ends = {key: None if np.isnan(v) else v for key, v in (("low", found.low), ("high", found.high))}
    return {name: found.value, **ends, "n": found.n, "groups": found.groups}


def _summary(table: LabelledTable, options: ProbeOptions, rows: Sequence[Labelled]) -> str:
    how = f"{options.shots} patients a class" if options.shots else f"{len({row.group for row in rows})} patients"
    return f"A probe of {table.label} ({'ridge' if options.number else options.method}), from {how}."
