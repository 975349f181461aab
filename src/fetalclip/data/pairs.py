"""Pictures with what is known of them, as pretraining reads them: one word for a folder, a table and shards.

A source gives its pairs by number, prepared as at inference, and an order for each epoch that depends on nothing but
the seed and the epoch: so a run that was stopped goes on at any place of an epoch without having read what came before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fetalclip.clinical.factory import Record
from fetalclip.frame import Pixels


@dataclass(frozen=True, eq=False)
class Pair:
    """A picture as training stores it, and what is known of it.

    Attributes:
        pixels: grey uint8 (S, S), overlay treated and letterboxed as at inference.
        record: facts for the caption factory; its spacing is mm per pixel of ``pixels``.
        caption: the source's own caption, where it has one; it is said as it stands.
    """

    pixels: Pixels
    record: Record
    caption: str | None = None


class Pairs(Protocol):
    """A source of pairs; it can be pickled and sent to workers."""

    @property
    def side(self) -> int:
        """S of every pair's pixels."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that decides what is read: another one is other data."""
        ...

    def __len__(self) -> int: ...

    def order(self, seed: int, epoch: int) -> npt.NDArray[np.int64]:
        """Numbers of all pairs in the order an epoch draws them."""
        ...

    def name(self, number: int) -> str:
        """What a message calls a pair: the place in its source, no patient's name."""
        ...

    def load(self, number: int) -> Pair:
        """Read one pair.

        Raises:
            InputError: it cannot be read; the message names it as `name` does.
        """
        ...
