"""Two models on the same pictures: the differences of their headline metrics, with paired intervals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.table import BenchResult, Metric, Scored
from fetalclip.errors import UsageError
from fetalclip.metrics import paired_difference

_IDENTITY = ("model", "model_sha256", "license", "engine", "predictions_sha256", "scores_sha256")


def compare(result: BenchResult, other: BenchResult, name: str) -> BenchResult:
    """``result`` with a column of the other's values, and a section of paired differences, ``result`` less ``other``.

    Both are scored on the same resampled patients, so the interval of a difference is tighter than the two intervals
    suggest; one that leaves 0 out is a difference beyond the luck of which patients were there.

    Args:
        result: of the first model.
        other: of the second one, by the same protocol on the same pictures.
        name: what a reader calls the second one.

    Raises:
        UsageError: another protocol, or other pictures; the message names the first row that differs.
    """
    first, second = result.scored, other.scored
    if result.protocol != other.protocol or first is None or second is None:
        raise UsageError(f"a result of {result.protocol} against one of {other.protocol}", "one protocol for both")
    group = _group(first, second)
    rivals = {metric.name: metric.found for metric in other.metrics}
    metrics = [replace(metric, rival=rivals.get(metric.name)) for metric in result.metrics]
    known = {metric.name: metric for metric in result.metrics}
    for key, statistic in first.statistics.items():
        if key not in second.statistics or key not in known:
            continue
        found = paired_difference(statistic, second.statistics[key], group, RESAMPLES, SEED)
        like = known[key]
        row = Metric(f"versus_{key}", like.title, f"Less {name}, paired", found, unit=like.unit)
        metrics.append(replace(row, measured_in=like.measured_in))
    provenance = {**result.provenance, "versus": _identity(other.provenance) | {"name": name}}
    notes = [note for note in other.notes if note not in result.notes]
    said = tuple(f"{name}: {note}" for note in notes)
    return replace(result, metrics=tuple(metrics), provenance=provenance, notes=(*result.notes, *said))


def _group(first: Scored, second: Scored) -> tuple[str, ...]:
    """The groups of the rows, from whichever knows them.

    Raises:
        UsageError: the two are not of the same rows.
    """
    if len(first.truth) != len(second.truth):
        raise UsageError(f"{len(first.truth)} rows against {len(second.truth)}", "the same pictures in both")
    for what, one, other in (("truth", first.truth, second.truth), ("group", first.group, second.group)):
        if what == "group" and not (first.grouped and second.grouped):
            continue
        for row, (mine, theirs) in enumerate(zip(one, other, strict=True), 1):
            if mine != theirs:
                found = f"scored picture {row} has the {what} {mine!r:.80} in one, {theirs!r:.80} in the other"
                raise UsageError(found, "the same pictures in the same order")
    return first.group if first.grouped else second.group


def _identity(provenance: Any) -> dict[str, Any]:
    return {key: provenance[key] for key in _IDENTITY if key in provenance}
