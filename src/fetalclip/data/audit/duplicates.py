"""Copies of one picture: of the same pixels, nearly the same, or close in a model's embedding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fetalclip.data.audit.leaks import Leak, crossing
from fetalclip.data.audit.look import Look
from fetalclip.data.audit.near import Pair, near_pairs
from fetalclip.data.manifest import Row

Array = npt.NDArray[np.float32]

SHOWN = 50  # closest pairs by embedding
_BLOCK = 1024  # rows compared at a time
_CLOSEST = 4  # neighbours of a picture looked at


class Alike(NamedTuple):
    """Two pictures of different groups that a model finds alike: row numbers and cosine."""

    first: int
    second: int
    cosine: float


class Copies(NamedTuple):
    """What was found.

    Attributes:
        exact: rows of the same pixels, at least two each.
        near: pairs that look the same; of rows in ``exact`` only the first one is compared.
        alike: pairs of different groups, closest first, that no other check found; suspicions, never leaks.
        blank: rows that show next to nothing.
        leaks: ``exact``, ``near`` and ``mirrored`` copies on more than one side.
    """

    exact: tuple[tuple[int, ...], ...]
    near: tuple[Pair, ...]
    alike: tuple[Alike, ...]
    blank: tuple[int, ...]
    leaks: tuple[Leak, ...]


def copies(rows: Sequence[Row], looks: Sequence[Look], embeddings: Array | None = None) -> Copies:
    """All copies among the readable rows.

    Args:
        rows, looks: one for each picture.
        embeddings: (n, d) unit vectors, NaN where there is none; None leaves out ``alike``.
    """
    same: dict[str, list[int]] = defaultdict(list)
    blank = []
    for i, seen in enumerate(looks):
        if seen.error is None:
            same[seen.pixels].append(i)
            if seen.blank:
                blank.append(i)
    exact = tuple(tuple(places) for places in same.values() if len(places) > 1)
    first = [places[0] for places in same.values() if not looks[places[0]].blank]
    near = []
    if first:
        small = np.stack([s for i in first if (s := looks[i].small) is not None])
        found_near = near_pairs(small, np.stack([looks[i].filled for i in first]))
        near = [p._replace(first=first[p.first], second=first[p.second]) for p in found_near]
    near.sort(key=lambda p: (p.distance, -p.likeness, p.first, p.second))
    found = crossing("exact", rows, exact)
    for pair in near:
        both = [*same[looks[pair.first].pixels], *same[looks[pair.second].pixels]]
        found += crossing("mirrored" if pair.mirrored else "near", rows, [both])
    known = {(p.first, p.second) for p in near}
    alike = () if embeddings is None else _alike(rows, first, embeddings, known)
    return Copies(exact, tuple(near), alike, tuple(blank), tuple(found))


def _alike(rows: Sequence[Row], places: list[int], embeddings: Array, known: set[tuple[int, int]]) -> tuple[Alike, ...]:
    """The closest pairs of different groups among ``places``."""
    kept = np.array([i for i in places if np.isfinite(embeddings[i]).all()], dtype=np.int64)
    if kept.size < 2:
        return ()
    vectors = embeddings[kept]
    numbers: dict[str, int] = {}
    group = np.array([numbers.setdefault(rows[i].group, len(numbers)) for i in kept])
    found: dict[tuple[int, int], float] = {}
    for start in range(0, kept.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        cosine = vectors[block] @ vectors.T  # (block, n)
        cosine[group[block, None] == group[None, :]] = -2.0
        best = np.argpartition(-cosine, min(_CLOSEST, kept.size - 1), axis=1)[:, :_CLOSEST]
        for a, others in enumerate(best):
            for b in others:
                pair = tuple(sorted((int(kept[start + a]), int(kept[b]))))
                if cosine[a, b] > -1.5 and pair not in known:
                    found[pair[0], pair[1]] = float(cosine[a, b])
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]
    return tuple(Alike(a, b, round(cosine, 5)) for (a, b), cosine in ranked)
