"""Rows of the heart protocol: all findings together, each by itself, by severity, and those never trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.heart_saved import HeartAnswers, truth_words
from fetalclip.bench.table import Goal, Metric, Scored, Subgroup
from fetalclip.metrics import (
    Flags,
    Index,
    Reals,
    Statistic,
    auroc,
    average_precision,
    expected_calibration_error,
    group_bootstrap,
    paired_difference,
    rate,
    sensitivity_at,
)

SPECIFICITY = 0.9
_MOST_GRADES = 8  # severities that are told one by one
MILDEST_GOAL, CALIBRATION_GOAL, MOTION_GOAL = Goal(0.90), Goal(0.05, at_most=True), Goal(0.10)
_SCORES: dict[str, tuple[str, Callable[[Reals, Flags], float]]] = {
    "auroc": ("AUROC", auroc),
    "average_precision": ("AUPRC (average precision)", average_precision),
    "sensitivity": (
        f"sensitivity at {SPECIFICITY:.0%} specificity",
        lambda p, there: sensitivity_at(p, there, SPECIFICITY),
    ),
    "ece": ("calibration error (ECE)", expected_calibration_error),
}


def all_metrics(answers: HeartAnswers) -> list[Metric]:
    """Every row of the table, in its order."""
    return [
        *_together(answers),
        *_mildest(answers),
        *(row for i in range(len(answers.findings)) for row in _of_finding(answers, i)),
        *_never_trained(answers),
    ]


def severity_curves(answers: HeartAnswers) -> list[Subgroup]:
    """AUROC of each finding against healthy clips, severity by severity."""
    found = []
    healthy = healthy_clips(answers)
    for i, name in enumerate(answers.findings):
        at = np.array([one.get(name, math.nan) for one in answers.severity])
        for title, there in _grades(at):
            metric = _against(answers, answers.probability[:, i], there, healthy, "auroc", "AUROC")
            found.append(Subgroup(f"severity of {name}", title, (metric,)))
    return found


def _grades(at: Reals) -> Iterator[tuple[str, Flags]]:
    """Each severity by itself, or tenths of the scale where there are many; NaN is of none."""
    there = np.unique(np.round(at[np.isfinite(at)], 3))
    if len(there) <= _MOST_GRADES:
        for severity in there:
            yield f"{severity:.2f}", np.abs(at - severity) < 5e-4
        return
    for k in range(10):
        inside = (at >= k / 10) & ((at < (k + 1) / 10) | (k == 9))
        if inside.any():
            yield f"{k / 10:.1f} to {(k + 1) / 10:.1f}", inside


def scored(answers: HeartAnswers) -> Scored:
    """What a paired comparison with another head needs."""
    statistics = {"auroc": _pooled(answers.probability, answers.label, auroc), "auroc_mean": _mean(answers, auroc)}
    for i, name in enumerate(answers.findings):
        statistics[f"{key_of(name)}_auroc"] = _single(answers.probability[:, i], answers.label[:, i], auroc)
    return Scored(tuple(truth_words(answers.label)), answers.patient, statistics, answers.grouped)


def healthy_clips(answers: HeartAnswers) -> Flags:
    """Simulated clips without a finding, (n,)."""
    return np.array([not one for one in answers.severity], dtype=bool)


def key_of(name: str) -> str:
    """A finding's name as part of a key in the JSON."""
    return "".join(c if c.isalnum() else "_" for c in name.lower())


def _together(answers: HeartAnswers) -> Iterator[Metric]:
    section = "All findings"
    for key, title, statistic, goal in (
        ("auroc", "AUROC, pooled over findings", _pooled(answers.probability, answers.label, auroc), None),
        ("auroc_mean", "AUROC, mean of findings", _mean(answers, auroc), None),
        ("average_precision_mean", "AUPRC, mean of findings", _mean(answers, average_precision), None),
        ("sensitivity_mean", f"{_SCORES['sensitivity'][0]}, mean", _mean(answers, _SCORES["sensitivity"][1]), None),
        ("ece", "calibration error (ECE), pooled", _calibration(answers), CALIBRATION_GOAL),
    ):
        yield Metric(key, title, section, group_bootstrap(statistic, answers.patient, RESAMPLES, SEED), goal)
    if answers.abstained is not None:
        every = rate(np.asarray(answers.abstained.all(axis=1)), answers.patient, RESAMPLES, SEED)
        share = answers.abstained.mean(axis=1)
        some = group_bootstrap(lambda rows: float(share[rows].mean()), answers.patient, RESAMPLES, SEED)
        yield Metric("abstained_clips", "clips without any answer", section, every)
        yield Metric("abstained", "answers abstained", section, some)


def _mildest(answers: HeartAnswers) -> Iterator[Metric]:
    """Pairs of a clip at the mildest trained severity and its finding, against every finding of healthy clips."""
    healthy = healthy_clips(answers)
    if not answers.severity or math.isnan(answers.mildest) or not healthy.any():
        return
    label = np.full(answers.label.shape, np.nan)
    label[healthy] = 0.0
    for row, one in enumerate(answers.severity):
        for name, severity in one.items():
            if name in answers.findings and abs(severity - answers.mildest) < 5e-4:
                label[row, answers.findings.index(name)] = 1.0
    rows = np.flatnonzero(np.isfinite(label).any(axis=1))
    if not (label == 1).any():
        return
    statistic = _pooled(answers.probability[rows], label[rows], auroc)
    found = group_bootstrap(statistic, [answers.patient[i] for i in rows], RESAMPLES, SEED)
    section = f"Mildest trained severity, {answers.mildest:g}"
    yield Metric("auroc_mildest", "AUROC against healthy, pooled", section, found, MILDEST_GOAL)


def _of_finding(answers: HeartAnswers, i: int) -> Iterator[Metric]:
    name, label = answers.findings[i], answers.label[:, i]
    rows = np.flatnonzero(np.isfinite(label))
    there, patients = label[rows] > 0.5, [answers.patient[k] for k in rows]
    p, section, key = answers.probability[rows, i], f"{name} ({int(there.sum())} of {len(rows)})", key_of(name)
    for word, (title, score) in _SCORES.items():
        found = group_bootstrap(_plain(p, there, score), patients, RESAMPLES, SEED)
        yield Metric(f"{key}_{word}", title, section, found)
    if answers.single is None:
        return
    one = _plain(answers.single[rows, i], there, auroc)
    yield Metric(f"{key}_single_frame", "AUROC, one frame", section, group_bootstrap(one, patients, RESAMPLES, SEED))
    lost = paired_difference(_plain(p, there, auroc), one, patients, RESAMPLES, SEED)
    goal = MOTION_GOAL if name in answers.motion else None
    yield Metric(f"{key}_single_frame_loss", "AUROC lost on one frame, paired", section, lost, goal)


def _never_trained(answers: HeartAnswers) -> Iterator[Metric]:
    """Findings the head knows nothing of: whether its likeliest finding parts them from healthy clips."""
    healthy, top = healthy_clips(answers), answers.probability.max(axis=1)
    for name in answers.untrained:
        there = np.array([name in one for one in answers.severity], dtype=bool)
        row = _against(answers, top, there, healthy, f"{key_of(name)}_any_auroc", f"{name}: AUROC of any finding")
        yield replace(row, section="Never trained")
        if answers.abstained is not None:
            chosen = np.flatnonzero(there)
            kept = rate(
                np.asarray(answers.abstained[chosen].any(axis=1)), [answers.patient[i] for i in chosen], RESAMPLES, SEED
            )
            yield Metric(f"{key_of(name)}_abstained", f"{name}: some answer abstained", "Never trained", kept)


def _against(answers: HeartAnswers, score: Reals, there: Flags, healthy: Flags, key: str, title: str) -> Metric:
    """AUROC of chosen clips against the healthy ones."""
    rows = np.flatnonzero(there | healthy)
    statistic = _plain(score[rows], there[rows], auroc)
    return Metric(key, title, "", group_bootstrap(statistic, [answers.patient[i] for i in rows], RESAMPLES, SEED))


def _plain(p: Reals, there: Flags, score: Callable[[Reals, Flags], float]) -> Statistic:
    return lambda rows: score(p[rows], there[rows])


def _single(p: Reals, label: Reals, score: Callable[[Reals, Flags], float]) -> Statistic:
    """Of one finding, over chosen clips whose label is known."""
    known = np.isfinite(label)

    def value(rows: Index) -> float:
        kept = rows[known[rows]]
        return score(p[kept], label[kept] > 0.5)

    return value


def _pooled(p: Reals, label: Reals, score: Callable[[Reals, Flags], float]) -> Statistic:
    """Over all pairs of a chosen clip and a finding whose label is known."""
    known: npt.NDArray[np.bool_] = np.isfinite(label)

    def value(rows: Index) -> float:
        kept = known[rows]
        return score(p[rows][kept], label[rows][kept] > 0.5)

    return value


def _mean(answers: HeartAnswers, score: Callable[[Reals, Flags], float]) -> Statistic:
    """Mean over the findings for which the score is defined on the chosen clips."""
    each = [_single(answers.probability[:, i], answers.label[:, i], score) for i in range(len(answers.findings))]

    def value(rows: Index) -> float:
        found = [v for v in (one(rows) for one in each) if not math.isnan(v)]
        return float(np.mean(found)) if found else math.nan

    return value


def _calibration(answers: HeartAnswers) -> Statistic:
    return _pooled(answers.probability, answers.label, expected_calibration_error)
