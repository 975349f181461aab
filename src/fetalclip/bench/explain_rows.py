"""What ``bench explain`` measures of each picture, and the table of it: the same from a run and from a saved file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.explain_sanity import STAGES
from fetalclip.bench.table import Goal, Metric, Scored
from fetalclip.errors import UnreadableInput
from fetalclip.metrics import Index, group_bootstrap, paired_difference, rate

OFF_CENTRE = 0.08  # of the width, from the picture's centre to the head's; fixed on validation pictures
RANDOM, CENTRE, REFERENCE = "random", "centre", "occlusion"
TITLES = {RANDOM: "random map", CENTRE: "centred Gaussian", REFERENCE: "occlusion (reference)"}

_SANITY_GOAL, _WINS_GOAL, _CENTRE_GOAL = Goal(0.3, at_most=True), Goal(0.9), Goal(0.0)
_CURVES = "Deletion and insertion, area under the probability"
_SANITY = "Rank correlation with the model of random weights"
_HEADS = "Share of the map inside the head, HC18"
_EXPECTED = '{"curves": [...], "heads": [...], "sanity": [...]}, each a list of objects with "group" and numbers by map'
_MAX_BYTES = 50_000_000


@dataclass
class Rows:
    """What was measured, picture by picture.

    Attributes:
        curves: ``group``, and ``deletion`` and ``insertion`` by the name of the map.
        sanity: ``group``, and ``correlation`` by stage, each by the name of the map.
        heads: ``group``, ``offset`` of the head from the centre over the width, and ``inside`` by the name of the map.
    """

    curves: list[dict[str, Any]] = field(default_factory=list)
    sanity: list[dict[str, Any]] = field(default_factory=list)
    heads: list[dict[str, Any]] = field(default_factory=list)

    def metrics(self, method: str) -> list[Metric]:
        """The table, the method's rows with the goals."""
        return [*self._sanity(method), *self._curves(method), *self._heads(method)]

    def scored(self, method: str) -> Scored | None:
        """For a paired comparison with another model on the same pictures: the areas; None without curves."""
        rows = [row for row in self.curves if method in row["deletion"]]
        if not rows:
            return None
        areas = {what: np.array([row[what][method] for row in rows]) for what in ("deletion", "insertion")}
        groups = tuple(_groups(rows))
        return Scored(groups, groups, {what: _average(values) for what, values in areas.items()})

    def _curves(self, method: str) -> Iterable[Metric]:
        for name in _maps(self.curves, "deletion"):
            for what in ("deletion", "insertion"):
                key = what if name == method else f"{what}_{name}"
                yield _mean(key, f"{what}: {_title(name)}", _CURVES, self.curves, what, name, unit="patients")
            if name == RANDOM:
                continue
            for what, sign in (("deletion", -1), ("insertion", 1)):
                rows = [row for row in self.curves if name in row[what]]
                won = [sign * (row[what][name] - row[what][RANDOM]) > 0 for row in rows]
                key = f"{what}_wins" if name == method else f"{what}_wins_{name}"
                goal = _WINS_GOAL if (what, name) == ("deletion", method) else None
                found = rate(won, _groups(rows), RESAMPLES, SEED)
                yield Metric(key, f"{what}: {_title(name)} better than random", _CURVES, found, goal)

    def _sanity(self, method: str) -> Iterable[Metric]:
        flat = [{"group": row["group"], **row["correlation"]} for row in self.sanity]
        for stage in STAGES:
            for name in _maps(flat, stage):
                own, last = name == method, stage == STAGES[-1]
                key = "_".join(["correlation", stage.replace(" ", "_"), *([] if own else [name])])
                goal = _SANITY_GOAL if own and last else None
                yield _mean(key, f"{stage}: {_title(name)}", _SANITY, flat, stage, name, goal)
                if last:
                    absolute = [{**row, stage: {n: abs(v) for n, v in row[stage].items()}} for row in flat]
                    title = f"{stage}, without its sign: {_title(name)}"
                    yield _mean(f"absolute_{key}", title, _SANITY, absolute, stage, name)

    def _heads(self, method: str) -> Iterable[Metric]:
        off = [row for row in self.heads if row["offset"] > OFF_CENTRE]
        for rows, end, where in ((self.heads, "", "all heads"), (off, "_off_centre", "heads off centre")):
            for name in _maps(rows, "inside"):
                key = f"inside{end}" if name == method else f"inside_{name}{end}"
                yield _mean(key, f"{where}: {_title(name)}", _HEADS, rows, "inside", name, unit="examinations")
                if name in (RANDOM, CENTRE):
                    continue
                both = [row for row in rows if name in row["inside"]]
                mine, prior = (np.array([row["inside"][one] for row in both]) for one in (name, CENTRE))
                gap = paired_difference(_average(mine), _average(prior), _groups(both), RESAMPLES, SEED)
                key = f"inside_over_centre{end}" if name == method else f"inside_over_centre_{name}{end}"
                goal = _CENTRE_GOAL if name == method and end else None
                title = f"{where}: {_title(name)} less centred Gaussian"
                yield Metric(key, title, _HEADS, gap, goal, unit="examinations")


def load_rows(path: Path) -> Rows:
    """Saved rows.

    Raises:
        UnreadableInput: a file that cannot be used.
    """
    try:
        with path.open("rb") as stream:
            data = json.loads(stream.read(_MAX_BYTES))
        rows = Rows(**{name: list(data.get(name, [])) for name in ("curves", "sanity", "heads")})
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableInput(f"{path.name} holds no saved maps ({type(error).__name__})", _EXPECTED) from None
    if not rows.curves + rows.sanity + rows.heads:
        raise UnreadableInput(f"{path.name} holds no saved maps", _EXPECTED)
    wanted = [(rows.curves, ("deletion", "insertion"), RANDOM), (rows.heads, ("inside",), CENTRE)]
    for some, keys, base in wanted:
        for row in some:
            if not isinstance(row, dict) or not all(_numbers(row.get(key), base) for key in keys):
                raise UnreadableInput(f"{path.name}: a row without {' and '.join(keys)} of {base!r}", _EXPECTED)
    for row in rows.sanity:
        stages = row.get("correlation") if isinstance(row, dict) else None
        if not isinstance(stages, dict) or not all(_numbers(stages.get(stage)) for stage in STAGES):
            raise UnreadableInput(f"{path.name}: a row without correlation of {', '.join(STAGES)}", _EXPECTED)
    if not all(isinstance(row.get("group"), str) for row in rows.curves + rows.sanity + rows.heads):
        raise UnreadableInput(f"{path.name}: a row without its group", _EXPECTED)
    if not all(_number(row.get("offset")) for row in rows.heads):
        raise UnreadableInput(f"{path.name}: a head without its offset", _EXPECTED)
    return rows


def _maps(rows: Sequence[Mapping[str, Any]], key: str) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row[key]))


def _groups(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(row["group"]) for row in rows]


def _mean(  # noqa: PLR0913  (a row of the table)
    key: str,
    title: str,
    section: str,
    rows: Sequence[Mapping[str, Any]],
    what: str,
    name: str,
    goal: Goal | None = None,
    unit: str = "patients",
) -> Metric:
    there = [row for row in rows if name in row[what]]
    values = np.array([row[what][name] for row in there], dtype=float)
    found = group_bootstrap(_average(values), _groups(there), RESAMPLES, SEED)
    return Metric(key, title, section, found, goal, unit=unit)


def _average(values: Any) -> Any:
    def statistic(rows: Index) -> float:
        return float(values[rows].mean()) if len(rows) else math.nan

    return statistic


def _title(name: str) -> str:
    return TITLES.get(name, name)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _numbers(found: Any, base: str = "") -> bool:
    """Whether a mapping of names to numbers, with one of the name of ``base``."""
    return isinstance(found, dict) and bool(found) and all(map(_number, found.values())) and (not base or base in found)
