"""The order in which shards are drawn: through a shuffle buffer that is played on the numbers alone.

A shuffle buffer reads a stream and gives at each step a random one of those it holds. Because the index tells how many
pairs each shard has, the same can be played with their numbers before anything is read: the order of an epoch is then
known, and a run goes on at any place of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

_STEP = 2**16  # numbers that are drawn at a time; part of what an order is


def turns(shards: int, seed: int, epoch: int) -> Numbers:
    """The order in which the shards of an epoch are opened."""
    return np.random.default_rng((seed, epoch)).permutation(shards)


def drawn(counts: Sequence[int], buffer: int, seed: int, epoch: int) -> Numbers:
    """Numbers of all pairs in the order of an epoch.

    Args:
        counts: pairs of each shard; they are numbered through.
        buffer: pairs the buffer holds; 0 for all of them.
        seed, epoch: nothing else decides.
    """
    rng = np.random.default_rng((seed, epoch, 1))
    total = int(sum(counts))
    if buffer == 0 or buffer >= total:
        return rng.permutation(total)
    first = np.cumsum([0, *counts])
    order = turns(len(counts), seed, epoch)
    stream = np.concatenate([np.arange(first[shard], first[shard + 1]) for shard in order])
    held, out = stream[:buffer].tolist(), np.empty(total, np.int64)
    for start in range(buffer, total, _STEP):
        come = stream[start : start + _STEP].tolist()
        given = []
        for number, place in zip(come, rng.integers(buffer, size=len(come)).tolist(), strict=True):
            given.append(held[place])
            held[place] = number
        out[start - buffer : start - buffer + len(given)] = given
    out[total - buffer :] = rng.permutation(np.array(held, np.int64))
    return out
