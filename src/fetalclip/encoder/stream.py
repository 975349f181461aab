"""Any number of inputs through the encoder: read ahead in threads, computed in batches, kept as they are finished.

At most two batches are in memory: the one that is computed and the one that is read meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fetalclip.embeddings import Parts
from fetalclip.errors import InputError

T = TypeVar("T")
Array = npt.NDArray[np.float32]

_READERS = min(4, os.cpu_count() or 1)  # threads; decoding and the search for marks let go of the interpreter


@dataclass(frozen=True)
class Step:
    """One finished batch.

    Attributes:
        inputs: how many inputs it had.
        failures: those that have no embedding, with the reason.
    """

    inputs: int
    failures: tuple[tuple[str, str], ...]


def stream(
    parts: Parts, prepare: Callable[[str], T], encode: Callable[[Sequence[T]], Array], batch: int
) -> Iterator[Step]:
    """Embed what is not finished yet.

    Args:
        parts: what to embed, and where it is kept.
        prepare: an input to what the encoder takes; called in threads, for the next batch while this one is computed.
        encode: n of those to (n, width).
        batch: inputs at a time.

    Returns:
        A step for each batch, once it is on the disk. An input that ``prepare`` refuses with an `InputError`, or whose
        embedding is not finite, is left out and told.
    """
    waiting = parts.waiting(batch)
    pool = ThreadPoolExecutor(_READERS)
    try:
        names = next(waiting, None)
        coming = _submit(pool, prepare, names)
        while names is not None:
            taken = [_taken(future) for future in coming]
            current, names = names, next(waiting, None)
            coming = _submit(pool, prepare, names)
            yield _finish(parts, current, taken, encode)
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(pool: ThreadPoolExecutor, prepare: Callable[[str], T], names: list[str] | None) -> list[Future[T]]:
    return [pool.submit(prepare, name) for name in names or []]


def _taken(future: Future[Any]) -> Any:
    """What was read, or the error that says why not."""
    try:
        return future.result()
    except InputError as error:
        return error


def _finish(parts: Parts, names: list[str], taken: list[Any], encode: Callable[[Sequence[Any]], Array]) -> Step:
    """Compute one batch and keep it."""
    failed = [(place, str(item)) for place, item in enumerate(taken) if isinstance(item, InputError)]
    good = [place for place, item in enumerate(taken) if not isinstance(item, InputError)]
    rows = encode([taken[place] for place in good]) if good else np.zeros((0, parts.width), np.float32)
    finite = np.isfinite(rows).all(axis=1)  # (good,)
    if not finite.all():
        bad = [good[i] for i in np.flatnonzero(~finite)]
        failed = sorted([*failed, *((place, f"{names[place]}: its embedding is not finite") for place in bad)])
    parts.add(len(names), rows[finite], failed)
    return Step(len(names), tuple((names[place], why) for place, why in failed))
