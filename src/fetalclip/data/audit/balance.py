"""How many pictures there are of what, and on which side; what is rare or missing there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fetalclip.data.audit.shortcuts import by_dataset
from fetalclip.data.manifest import Row

RARE = 10  # pictures of a class
_UNKNOWN = "unknown"
_WEEKS = 4  # width of an age class


def balance(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Counts of each data set: pictures and groups of every split, and classes by split."""
    found = []
    for dataset, places in by_dataset(rows).items():
        mine = [rows[i] for i in places]
        groups: dict[str, set[str]] = {}
        for row in mine:
            groups.setdefault(_side(row), set()).add(row.group)
        found.append(
            {
                "dataset": dataset,
                "pictures": len(mine),
                "groups": len({row.group for row in mine}),
                "splits": _sorted(Counter(map(_side, mine))),
                "groups_by_split": {side: len(groups[side]) for side in sorted(groups)},
                "planes": _by_split(mine, lambda row: row.plane or _UNKNOWN),
                "subplanes": _by_split((r for r in mine if r.plane == "brain"), lambda row: row.subplane or _UNKNOWN),
                "ages": _by_split(mine, _age),
                "machines": _by_split(mine, lambda row: row.machine or _UNKNOWN),
            }
        )
    return found


def balance_warnings(found: Sequence[dict[str, Any]]) -> list[str]:
    """Planes that are rare, or that one side of a split does not have."""
    said = []
    for part in found:
        for plane, sides in part["planes"].items():
            total = sum(sides.values())
            if plane != _UNKNOWN and total < RARE:
                said.append(f"{part['dataset']}: {total} pictures of {plane}")
            lacking = [side for side in part["splits"] if side not in sides and side != "none"]
            if plane != _UNKNOWN and lacking and total >= RARE:
                said.append(f"{part['dataset']}: no {plane} in {', '.join(lacking)}")
    return said


def _side(row: Row) -> str:
    return row.split or "none"


def _age(row: Row) -> str:
    if row.age_days is None:
        return _UNKNOWN
    first = row.age_days // 7 // _WEEKS * _WEEKS
    return f"{first:02d} to {first + _WEEKS - 1:02d} weeks"


def _by_split(rows: Iterable[Row], name: Callable[[Row], str]) -> dict[str, dict[str, int]]:
    """Class to split to pictures."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        counts.setdefault(name(row), Counter())[_side(row)] += 1
    return {word: _sorted(counts[word]) for word in sorted(counts)}


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return {word: counts[word] for word in sorted(counts)}
