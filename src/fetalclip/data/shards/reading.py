"""Pairs of shards, by number: their order through a shuffle buffer, and each read by its place in its tar file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fetalclip.data import web
from fetalclip.data.pairs import Pair
from fetalclip.data.shards import index as indices
from fetalclip.data.shards import order, sample
from fetalclip.data.shards.index import Index, Shard
from fetalclip.data.shards.places import CACHE_BYTES, LocalPlace, Place, RemotePlace
from fetalclip.data.shards.shelf import Shelf
from fetalclip.errors import BadRecipe, InputError, UnreadableInput

Decode = Callable[[Mapping[str, bytes]], Pair]
Naming = Callable[[str, int], str]


class ShardPairs:
    """The pairs of one side of a source of shards.

    Args:
        shelf: the shards.
        side: of every pair's pixels.
        fingerprint: SHA-256 over all that decides what is read.
        buffer: pairs of the shuffle buffer; 0 for all.
        decode: a sample's files to a pair.
        naming: what a message calls a sample, by its shard's name and its place there.
    """

    def __init__(self, shelf: Shelf, side: int, fingerprint: str, buffer: int, decode: Decode, naming: Naming) -> None:
        self.side, self.fingerprint = side, fingerprint
        self._shelf, self._buffer, self._decode, self._naming = shelf, buffer, decode, naming
        self._first = np.cumsum([0, *(shard.count for shard in shelf.shards)])

    def __len__(self) -> int:
        return int(self._first[-1])

    def order(self, seed: int, epoch: int) -> npt.NDArray[np.int64]:
        """Numbers of all pairs in the order of an epoch: nothing but seed and epoch decides it.

        What is pickled after this call knows which shard to fetch ahead.
        """
        self._shelf.turns = order.turns(len(self._shelf.shards), seed, epoch).tolist()
        return order.drawn([shard.count for shard in self._shelf.shards], self._buffer, seed, epoch)

    def name(self, number: int) -> str:
        """The shard, and the sample's key or place in it."""
        shard, place = self._place(number)
        return self._naming(self._shelf.shards[shard].name, place)

    def load(self, number: int) -> Pair:
        """Read one pair.

        Raises:
            InputError: its shard or its files cannot be read.
            NotAvailable: a server cannot be reached.
            OutputError: a shard that was fetched cannot be written.
        """
        shard, place = self._place(number)
        try:
            return self._decode(self._shelf.sample(shard, place))
        except InputError as error:
            found = error.found.replace("the given bytes", "a picture that")
            raise UnreadableInput(f"{self.name(number)}: {found}", error.expected) from None

    def _place(self, number: int) -> tuple[int, int]:
        if not 0 <= number < len(self):
            raise IndexError(number)
        shard = int(np.searchsorted(self._first, number, side="right")) - 1
        return shard, int(number - self._first[shard])


def open_folder(folder: Path, split: str, side: int, overlay: str, buffer: int) -> ShardPairs:
    """Shards in a folder with an index.

    Raises:
        DataMissing: no index, or no pairs of that split.
        UnreadableInput: the index is damaged.
        BadRecipe: the shards were prepared otherwise.
    """
    return _opened(indices.load(folder), LocalPlace(folder), str(folder), split, (side, overlay, buffer))


def open_address(
    url: str, split: str, side: int, overlay: str, buffer: int, cache: Path, limit: int = CACHE_BYTES
) -> ShardPairs:
    """Shards at a web address: of their ``index.json``, or of their folder with a / at its end.

    Raises:
        NotAvailable: the server cannot be reached.
        DataMissing, UnreadableInput, BadRecipe: as `open_folder`.
    """
    base = url if url.endswith("/") else url.rpartition("/")[0] + "/"
    data = web.ask(f"{base}{indices.NAME}", "the index of shards", indices.MAX_BYTES, "index")
    index = indices.parse(data, url)
    index.require(split, url)
    place = RemotePlace(base, cache / f"shards-{index.fingerprint(split)[:16]}", limit)
    return _opened(index, place, url, split, (side, overlay, buffer))


def _opened(index: Index, place: Place, source: str, split: str, asked: tuple[int, str, int]) -> ShardPairs:
    side, overlay, buffer = asked
    shards: tuple[Shard, ...] = index.require(split, source).shards
    if index.overlay != overlay:
        found = f"shards whose overlay was treated by {index.overlay}, and a recipe that asks for {overlay}"
        fix = f"data.overlay={index.overlay}"
        raise BadRecipe(found, "the same", f"{fix}, or fetalclip data shards … --overlay {overlay}")
    if index.side < side:
        found = f"shards of {index.side} pixels a side, and a recipe that asks for {side}"
        raise BadRecipe(found, "as many or more", f"fetalclip data shards … --image-size {-(-side * 6 // 7)}")
    decode = partial(_decode, stored=index.side, side=side)
    made = hashlib.sha256(f"{index.fingerprint(split)}/{side}".encode()).hexdigest()
    return ShardPairs(Shelf(place, shards), side, made, buffer, decode, _named)


def _named(shard: str, place: int) -> str:
    return f"{shard} {indices.key(shard, place)}"


def _decode(parts: Mapping[str, bytes], stored: int, side: int) -> Pair:
    return sample.decode(parts, stored, side)
