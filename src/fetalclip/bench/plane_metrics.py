"""Rows of the table that every protocol on planes has: by class, calibration, subgroups, the null row, confusion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from fetalclip.bench.answers import Answers
from fetalclip.bench.table import Confusion, Goal, Metric, Scored, Subgroup
from fetalclip.metrics import Statistic, confusion_matrix, macro_f1

_KEYS = {"macro F1": "macro_f1", "accuracy": "accuracy", "calibration error": "ece", "abstained": "abstained"}


def class_metrics(answers: Answers, section: str, baseline: Answers | None = None) -> list[Metric]:
    """F1 of every class of the truth."""
    rows = []
    for name in sorted(set(answers.truth)):
        other = baseline.estimate(baseline.f1(name)) if baseline is not None else None
        found = answers.estimate(answers.f1(name))
        rows.append(Metric(f"f1_{name}", f"F1 {name}", section, found, baseline=other))
    return rows


def null_rows(answers: Answers) -> dict[str, dict[str, Any]]:
    """What the best constant answer gets: the most frequent class, said every time."""
    if not len(answers):
        return {}
    label, count = Counter(answers.truth).most_common(1)[0]
    truth = answers.coded()[0]
    counts = confusion_matrix(truth, np.full_like(truth, answers.classes.index(label)), len(answers.classes))
    return {"constant answer": {"label": label, "macro_f1": macro_f1(counts), "accuracy": count / len(answers)}}


def confusion(answers: Answers) -> Confusion:
    """Counts of answers, rows only for classes that occur in the truth."""
    truth, label = answers.coded()
    there = len(set(answers.truth))
    counts = confusion_matrix(truth, label, len(answers.classes))[:there]
    return Confusion(answers.classes[:there], answers.classes, counts)


def calibration_metrics(
    answers: Answers, section: str, baseline: Answers | None = None, goal: Goal | None = None
) -> list[Metric]:
    """Brier score, calibration errors, area under the risk-coverage curve; nothing of answers without probabilities.

    Args:
        answers: what a model said.
        section: heading of the rows.
        baseline: of the supervised baseline.
        goal: of the plain calibration error.
    """
    rows = []
    for name, title, which, target in (
        ("brier", "Brier score (0 to 2)", Answers.brier, None),
        ("ece", "calibration error (15 bins)", Answers.calibration, goal),
        ("ece_adaptive", "calibration error (15 bins of equal count)", Answers.adaptive_calibration, None),
        ("ece_corrected", "calibration error, bias-corrected", Answers.corrected_calibration, None),
        ("aurc", "area under risk and coverage", Answers.risk_area, None),
    ):
        if answers.table is None:
            continue
        other = baseline.estimate(which(baseline)) if baseline is not None and baseline.table is not None else None
        rows.append(Metric(name, title, section, answers.estimate(which(answers)), target, other))
    return rows


def subgroups(answers: Answers, abstains: bool = True) -> tuple[Subgroup, ...]:
    """Macro F1, accuracy, calibration and abstention of each machine and operator; nothing where there is but one.

    Macro F1 is over the classes that occur in the part, so parts of other classes do not compare.

    Args:
        answers: with their facts.
        abstains: whether it is known where the model abstained.
    """
    parts = []
    for by, values in answers.facts.items():
        names = sorted(set(values), key=lambda name: (not name, name.casefold()))
        for name in names if len(names) > 1 else ():
            part = answers.where(np.array([value == name for value in values]))
            found = {"macro F1": part.estimate(part.macro_f1()), "accuracy": part.estimate(part.accuracy())}
            if part.sure:
                found["calibration error"] = part.estimate(part.calibration())
            if abstains:
                found["abstained"] = part.abstention()
            rows = tuple(Metric(_KEYS[title], title, "", estimate) for title, estimate in found.items())
            parts.append(Subgroup(by, name or "not known", rows))
    return tuple(parts)


def scored(answers: Answers, first: Mapping[str, Statistic], grouped: bool = True) -> Scored:
    """What a paired comparison needs: the given scores, accuracy, and of answers with probabilities their quality."""
    statistics = {**first, "accuracy": answers.accuracy()}
    if answers.table is not None:
        statistics |= {"brier": answers.brier(), "ece": answers.calibration(), "aurc": answers.risk_area()}
    return Scored(answers.truth, answers.group, statistics, grouped)
