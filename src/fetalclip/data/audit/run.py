"""The whole audit: one look at every picture, then every check, then one object for JSON and page.

No name of a file and no group of the table leaves this module unless asked for: a row is told by its data set and row
number, a group by a tag. The tag's key is made of all groups together, so it cannot be turned back by trying out
numbers without the table.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np

from fetalclip import __version__
from fetalclip.data.audit.balance import balance, balance_warnings
from fetalclip.data.audit.duplicates import Array, Copies, copies
from fetalclip.data.audit.labels import LabelCheck, check_labels
from fetalclip.data.audit.leaks import Leak, group_leaks
from fetalclip.data.audit.look import Look, look_all
from fetalclip.data.audit.shortcuts import Rule, overlay_rules, shortcuts
from fetalclip.data.manifest import Problem, Row
from fetalclip.errors import MissingPackage, UsageError

SCHEMA = "fetalclip.audit/1"

Embed = Callable[[Sequence[Row]], Array]
"""Rows whose pictures can be read to (n, d) unit vectors."""


@dataclass(frozen=True)
class Audit:
    """What was found; positions are those of ``rows``.

    Attributes:
        rows, numbers, looks: the pictures, their row numbers in their table, and what was seen of them.
        leaks: what stands on more than one side; those with ``test`` decide the exit code.
        copies: duplicates, and the same of a model's embedding.
        labels: suspicious labels, or None when not asked for or not possible.
        rules: names, sizes and marks that predict labels.
        refused: rows of the table that could not be used.
        warnings: checks that were left out, and why; classes that are rare.
        model: what embedded the pictures, or empty.
    """

    rows: tuple[Row, ...]
    numbers: tuple[int, ...]
    looks: tuple[Look, ...]
    leaks: tuple[Leak, ...]
    copies: Copies
    labels: LabelCheck | None = None
    rules: tuple[Rule, ...] = ()
    refused: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    model: str = ""

    @property
    def leaking(self) -> bool:
        """Whether something stands on the test side and on another."""
        return any(leak.test for leak in self.leaks)

    @property
    def unreadable(self) -> list[int]:
        """Positions of the pictures that cannot be read."""
        return [i for i, seen in enumerate(self.looks) if seen.error is not None]

    @cached_property
    def _key(self) -> bytes:
        return sha256("\0".join(sorted({row.group for row in self.rows})).encode()).digest()

    def tag(self, group: str) -> str:
        """What a group is called outside: eight hexadecimal digits."""
        return hmac.new(self._key, group.encode(), "sha256").hexdigest()[:8]

    def refer(self, place: int, names: bool = False) -> dict[str, Any]:
        """One row, told without identifiers; ``names`` adds the file's name."""
        row = self.rows[place]
        told = {"dataset": row.dataset, "row": self.numbers[place], "split": row.split or None}
        told |= {"group": self.tag(row.group), "plane": row.plane}
        return {**told, "name": row.name} if names else told

    def to_dict(self, names: bool = False) -> dict[str, Any]:
        """The audit as plain data, schema ``fetalclip.audit/1``."""
        found, refer = self.copies, lambda places: [self.refer(i, names) for i in places]
        both: list[Any] = [*found.near, *found.alike]
        pairs = [
            {**p._asdict(), "first": self.refer(p.first, names), "second": self.refer(p.second, names)} for p in both
        ]
        near, alike = pairs[: len(found.near)], pairs[len(found.near) :]
        return {
            "schema": SCHEMA,
            "rows": len(self.rows),
            "read": len(self.rows) - len(self.unreadable),
            "leaking": self.leaking,
            "leaks": [{"kind": k.kind, "sides": k.sides, "test": k.test, "rows": refer(k.rows)} for k in self.leaks],
            "groups": {
                "across_datasets": [{"group": self.tag(group), "datasets": sets} for group, sets in self._sets()],
                "two_names": [{**told, "rows": refer(told["rows"])} for told in self._two_names()],
            },
            "duplicates": {
                "exact": [{"rows": refer(places), "labels_differ": self._differ(places)} for places in found.exact],
                "near": near,
                "embedding": alike if self.model else None,
                "blank": refer(found.blank),
            },
            "labels": self._labels(names),
            "overlay": self._overlay(),
            "shortcuts": [asdict(rule) for rule in self.rules],
            "unreadable": [{**self.refer(i, names), "error": self.looks[i].error} for i in self.unreadable],
            "refused": [
                {"row": p.row, "kind": p.kind, **({"what": p.what, "name": p.path} if names else {})}
                for p in self.refused
            ],
            "balance": balance(self.rows),
            "warnings": list(self.warnings),
            "provenance": {"version": __version__, "model": self.model or None},
        }

    def _sets(self) -> Iterator[tuple[str, dict[str, int]]]:
        """Groups that stand in more than one data set, with their pictures there."""
        sets: dict[str, Counter[str]] = {}
        for row in self.rows:
            sets.setdefault(row.group, Counter())[row.dataset] += 1
        return ((group, dict(sets[group])) for group in sorted(sets) if len(sets[group]) > 1)

    def _two_names(self) -> Iterator[dict[str, Any]]:
        """Copies that stand under different groups: one patient with two names, or one picture filed twice."""
        together = [("exact", places) for places in self.copies.exact]
        together += [("mirrored" if p.mirrored else "near", (p.first, p.second)) for p in self.copies.near]
        for kind, places in together:
            groups = sorted({self.tag(self.rows[i].group) for i in places})
            if len(groups) > 1:
                yield {"groups": groups, "kind": kind, "rows": places}

    def _differ(self, places: Iterable[int]) -> bool:
        return len({self.rows[i].plane for i in places} - {None}) > 1

    def _labels(self, names: bool) -> dict[str, Any] | None:
        if self.labels is None:
            return None
        suspects = [{**self.refer(s.row, names), **asdict(s), "row": self.numbers[s.row]} for s in self.labels.suspects]
        return {**asdict(self.labels), "suspects": suspects}

    def _overlay(self) -> dict[str, Any]:
        read = [seen for seen in self.looks if seen.error is None]
        kinds = Counter(mark for seen in read for mark in seen.kinds)
        covered = np.percentile([seen.covered for seen in read], [50, 95, 100]) if read else [0.0, 0.0, 0.0]
        return {
            "pictures": len(read),
            "with_marks": sum(bool(seen.kinds) for seen in read),
            "covered": {name: float(x) for name, x in zip(("median", "p95", "most"), covered, strict=True)},
            "kinds": [{"kind": kind, "place": place, "pictures": n} for (kind, place), n in kinds.most_common()],
        }


def audit(
    rows: Sequence[Row],
    numbers: Sequence[int] | None = None,
    embed: Embed | None = None,
    watch: Callable[[Iterator[Look]], Iterable[Look]] = iter,
    workers: int | None = None,
) -> Audit:
    """Run every check.

    Args:
        rows: the pictures.
        numbers: row number of each in its table; None counts in each data set from 1.
        embed: gives embeddings of readable pictures; without it labels and likeness are left out.
        watch: sees the looks pass by, for a progress bar.
        workers: processes that read pictures; None takes one for each core.

    Returns:
        The audit. A file that cannot be read is a finding, never an error.
    """
    looks = tuple(watch(look_all([row.path for row in rows], workers, [row.frame for row in rows])))
    vectors = None if embed is None else _embedded(rows, looks, embed)
    found = copies(rows, looks, vectors)
    warnings: list[str] = []
    rules = shortcuts(rows, looks)
    labels = None
    try:
        rules += overlay_rules(rows, looks)
    except MissingPackage as error:
        warnings.append(f"overlay marks were not tried as predictors. {error}")
    if vectors is not None:
        try:
            labels = check_labels(rows, vectors)
        except (MissingPackage, UsageError) as error:
            warnings.append(f"labels were not checked. {error}")
    warnings += balance_warnings(balance(rows))
    return Audit(
        rows=tuple(rows),
        numbers=_count(rows) if numbers is None else tuple(numbers),
        looks=looks,
        leaks=(*group_leaks(rows), *found.leaks),
        copies=found,
        labels=labels,
        rules=tuple(rules),
        warnings=tuple(warnings),
    )


def with_table(made: Audit, refused: Iterable[Problem], model: str) -> Audit:
    """The audit with what its caller knows: rows that the table's reader refused, and the model's name."""
    return replace(made, refused=tuple(refused), model=model)


def _count(rows: Sequence[Row]) -> tuple[int, ...]:
    """Row numbers, in each data set from 1."""
    seen: Counter[str] = Counter()
    numbers = []
    for row in rows:
        seen[row.dataset] += 1
        numbers.append(seen[row.dataset])
    return tuple(numbers)


def _embedded(rows: Sequence[Row], looks: Sequence[Look], embed: Embed) -> Array | None:
    """(n, d) embeddings, NaN for pictures that cannot be read."""
    read = [i for i, seen in enumerate(looks) if seen.error is None]
    if not read:
        return None
    some = embed([rows[i] for i in read])
    every = np.full((len(rows), some.shape[1]), np.nan, dtype=np.float32)
    every[read] = some
    return every
