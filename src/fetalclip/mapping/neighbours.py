"""Nearest neighbours in blocks of rows: never a table of n x n."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fetalclip.metrics import Index, Reals

K = 10  # neighbours of every number here
MOST_ASKED = 5000  # rows that are asked for their neighbours, drawn where there are more; among all rows
_BLOCK = 256  # rows at a time

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Votes:
    """What the neighbours of some rows say.

    Attributes:
        rows: those that were asked and have a neighbour that may vote, rising, (q,).
        purity: share of their neighbours that have their label, (q,).
        right: whether the neighbours' vote is their label, (q,).
    """

    rows: Index
    purity: Reals
    right: npt.NDArray[np.bool_]


def votes(
    points: Array, codes: Index, groups: Sequence[Hashable] | None, cosine: bool = True, seed: int = 0, k: int = K
) -> Votes:
    """Let the k nearest neighbours of each row vote on its label.

    Args:
        points: (n, d); unit rows for cosine.
        codes: label of each row as a number from 0, (n,).
        groups: patient of each row; neighbours of a row's own patient do not vote. None: every other row may.
        cosine: by cosine; else by Euclidean distance.
        seed: of the rows that are asked, where there are more than `MOST_ASKED`.
        k: neighbours; fewer where there are fewer. Of equally many votes the nearest one's label wins.
    """
    n, classes = len(points), int(codes.max()) + 1
    who = _numbers(groups) if groups is not None else np.arange(n)
    asked = _asked(n, seed)
    purity, right = np.full(len(asked), np.nan), np.zeros(len(asked), bool)
    for start, rows, far in _distances(points, asked, cosine):
        far[who[rows][:, None] == who[None, :]] = np.inf
        near = _nearest(far, min(k, n - 1))
        there = np.isfinite(np.take_along_axis(far, near, axis=1))  # (b, k): fewer where a patient has many
        same = (codes[near] == codes[rows][:, None]) & there
        some = there.any(axis=1)
        place = start + np.flatnonzero(some)
        purity[place] = same[some].sum(axis=1) / there[some].sum(axis=1)
        for i in np.flatnonzero(some):
            named = codes[near[i][there[i]]]
            counts = np.bincount(named, minlength=classes)
            winner = next(code for code in named if counts[code] == counts.max())
            right[start + i] = winner == codes[rows[i]]
    voted = np.isfinite(purity)
    return Votes(asked[voted], purity[voted], right[voted])


def trustworthiness(unit: Array, places: Array, seed: int = 0, k: int = K) -> float:
    """Whether neighbours on a map are neighbours in the embedding: 1 if all are.

    1 - 2 / (n k (2 n - 3 k - 1)) times the sum, over rows and those of their k neighbours on the map that are not among
    their k neighbours in the embedding, of how far beyond k they rank there.
    Source: Venna & Kaski, Neural networks 2006;19:889-899.

    Args:
        unit: (n, d) unit rows; ranked by cosine.
        places: (n, 2); by Euclidean distance.
        seed: of the rows that are asked, where there are more than `MOST_ASKED`: the sum is then scaled up.
        k: neighbours; fewer than n / 2, less where there are few rows.
    """
    n = len(unit)
    k = min(k, max(1, (n - 1) // 2))
    asked = _asked(n, seed)
    beyond = 0.0
    shown = _distances(places, asked, False)
    for (_, rows, far), (_, _, drawn) in zip(_distances(unit, asked, True), shown, strict=True):
        own = np.arange(len(rows))
        far[own, rows] = drawn[own, rows] = np.inf
        rank = np.empty(far.shape, np.int64)
        np.put_along_axis(rank, np.argsort(far, axis=1, kind="stable"), np.arange(1, n + 1)[None, :], axis=1)
        beyond += float(np.maximum(0, np.take_along_axis(rank, _nearest(drawn, k), axis=1) - k).sum())
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * beyond * n / len(asked)


def _distances(points: Array, asked: Index, cosine: bool) -> Iterator[tuple[int, Index, Reals]]:
    """(start, rows, (b, n) distances) of some rows to all, block by block."""
    squares = (points.astype(np.float64) ** 2).sum(axis=1)
    for start in range(0, len(asked), _BLOCK):
        rows = asked[start : start + _BLOCK]
        inner = points[rows].astype(np.float64) @ points.T.astype(np.float64)
        far = 1 - inner if cosine else np.maximum(squares[rows][:, None] + squares[None, :] - 2 * inner, 0)
        yield start, rows, far


def _nearest(far: Reals, k: int) -> Index:
    """The k smallest of each row, in rising order, (b, k)."""
    near: Index = np.argsort(far, axis=1, kind="stable")[:, :k]
    return near


def _asked(n: int, seed: int) -> Index:
    if n <= MOST_ASKED:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, MOST_ASKED, replace=False))


def _numbers(groups: Sequence[Hashable]) -> Index:
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(group, len(seen)) for group in groups], np.int64)
