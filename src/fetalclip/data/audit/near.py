"""Near duplicates among small grey squares: a perceptual hash finds candidates, likeness decides.

The hash is the sign of the lowest 12 x 12 coefficients of the cosine transform, 143 bits without the mean (after
Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010). Mirroring a picture flips the sign of
every odd column of coefficients, so mirrored copies are found with the same bits. Likeness is the cosine of the lowest
16 x 16 coefficients without the six that say where the sector lies: two heads in the same sector correlate at 0.97 as
they are, and at 0.92 without those. A copy stretched to another shape is compared without its borders. The thresholds
were set on 2.2 million pairs of different patients (docs/audit.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fetalclip.frame import Pixels

Bits = npt.NDArray[np.bool_]
Signs = npt.NDArray[np.float32]

ORDER = 12  # coefficients along each axis
BITS = ORDER * ORDER - 1
NEAR, ALIKE = 30, 0.95  # bits that may differ; likeness asked of such a pair
MOST = 20_000  # pairs given at most
_FINE = 16  # coefficients along each axis that likeness is made of
_BLOCK = 1024  # rows compared at a time


class Pair(NamedTuple):
    """Two pictures that look the same: row numbers, differing bits of 143, likeness up to 1, whether mirrored."""

    first: int
    second: int
    distance: int
    likeness: float
    mirrored: bool = False


def hashes(small: Pixels) -> Bits:
    """Hashes of squares, uint8 (n, S, S) to bool (n, 143)."""
    return np.asarray(_spectrum(small, ORDER).reshape(len(small), -1)[:, 1:] > 0)


def near_pairs(small: Pixels, filled: Pixels | None = None) -> Iterator[Pair]:
    """Pairs that look the same, first below second, at most ``MOST``.

    Args:
        small: uint8 (n, S, S), letterboxed; blank squares should be left out, they all look the same.
        filled: the same pictures stretched over the whole square; None compares the letterboxed ones only.
    """
    if len(small) < 2:
        return
    kinds = [small] if filled is None else [small, filled]
    signs = [np.where(hashes(pictures), np.float32(1), np.float32(-1)) for pictures in kinds]  # (n, 143) each
    shapes = [_shape(pictures) for pictures in kinds]
    odd = np.tile(np.arange(ORDER) % 2 == 1, ORDER)[1:]
    given = 0
    for mirrored in (False, True):
        others = [np.where(odd, -bits, bits) for bits in signs] if mirrored else signs
        against = [_shape(pictures[:, :, ::-1]) for pictures in kinds] if mirrored else shapes
        for first, second, distance in _candidates(signs, others):
            alike = max(float(a[first] @ b[second]) for a, b in zip(shapes, against, strict=True))
            if alike >= ALIKE:
                yield Pair(first, second, distance, round(alike, 4), mirrored)
                given += 1
                if given == MOST:
                    return


def _candidates(signs: list[Signs], others: list[Signs]) -> Iterator[tuple[int, int, int]]:
    """Pairs, first below second, whose hashes of either kind differ in few bits, and in how many."""
    count = len(signs[0])
    for start in range(0, count, _BLOCK):
        rows = slice(start, start + _BLOCK)
        agree = signs[0][rows] @ others[0][start:].T  # (block, n - start); 143 less twice the differing bits
        for mine, theirs in zip(signs[1:], others[1:], strict=True):
            np.maximum(agree, mine[rows] @ theirs[start:].T, out=agree)
        i, j = np.divmod(np.flatnonzero(agree >= BITS - 2 * NEAR), count - start)
        for a, b in zip(i.tolist(), j.tolist(), strict=True):
            if a < b:  # not itself, nor seen from the other side
                yield start + a, start + b, round((BITS - float(agree[a, b])) / 2)


def _spectrum(small: Pixels, order: int) -> Signs:
    """Lowest coefficients of the cosine transform, (n, order, order)."""
    side = small.shape[-1]
    k, x = np.arange(order)[:, None], np.arange(side)[None, :]
    waves = np.cos(np.pi * k * (2 * x + 1) / (2 * side)).astype(np.float32)  # (order, S)
    return np.asarray(waves @ small.astype(np.float32) @ waves.T, dtype=np.float32)


def _shape(small: Pixels) -> Signs:
    """Coefficients without the coarsest, as vectors of length 1: a product is a likeness."""
    steps = np.add.outer(np.arange(_FINE), np.arange(_FINE)).reshape(-1)
    kept = _spectrum(small, _FINE).reshape(len(small), -1)[:, steps > 2]
    return np.asarray(kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-6), dtype=np.float32)
