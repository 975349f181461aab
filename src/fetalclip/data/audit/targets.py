"""What a shortcut could predict: the label columns of the rows, as words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from fetalclip.data.manifest import Row

LEAST = 10  # pictures of a class, and
GROUPS = 3  # groups it must come from; rarer ones are left out
_PARTS = 4  # a number becomes so many parts of equal size

Labels = list[str | None]


def targets(rows: Sequence[Row]) -> dict[str, Labels]:
    """Name of each target that can be told apart in these rows, and a label or None for every row.

    Numbers (head size, age) are cut into quarters.
    """
    sizes = [row.hc_mm for row in rows]
    ages = [None if row.age_days is None else float(row.age_days) for row in rows]
    every: dict[str, Labels] = {
        "plane": [row.plane for row in rows],
        "subplane": [row.subplane for row in rows],
        "head size": _quarters(sizes),
        "age": _quarters(ages),
    }
    if sum(size is not None for size in sizes) == sum(age is not None for age in ages):
        del every["age"]  # of a set whose ages come from the heads: the same question twice
    kept = {name: frequent(labels, [row.group for row in rows]) for name, labels in every.items()}
    return {name: labels for name, labels in kept.items() if len(set(labels) - {None}) > 1}


def frequent(labels: Labels, groups: Sequence[str], least: int = LEAST) -> Labels:
    """The labels, None where too few pictures or groups have them."""
    count = Counter(labels)
    met: dict[str | None, set[str]] = {}
    for label, group in zip(labels, groups, strict=True):
        met.setdefault(label, set()).add(group)
    return [label if count[label] >= least and len(met[label]) >= GROUPS else None for label in labels]


def _quarters(values: Sequence[float | None]) -> Labels:
    known = [value for value in values if value is not None]
    if len(known) < _PARTS * LEAST:
        return [None] * len(values)
    edges = np.quantile(known, np.linspace(0, 1, _PARTS + 1)[1:-1])
    return [None if value is None else f"quarter {1 + int(np.searchsorted(edges, value))}" for value in values]
