"""The open shards of a source: which samples each has and where, and the bytes of one of them. Only a few stay open."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

from fetalclip.data.shards import tar
from fetalclip.data.shards.index import Shard
from fetalclip.data.shards.places import Place
from fetalclip.errors import UnreadableInput

OPEN = 64  # shards at a time; a shuffle buffer draws from several at once
Chooser = Callable[[list[tar.Sample]], list[tar.Sample]]


class _Open(NamedTuple):
    stream: BinaryIO
    samples: list[tar.Sample]


class Shelf:
    """Shards by number; it can be pickled, and a process that was forked from another opens its own files.

    Args:
        place: where they lie.
        shards: all of them.
        choose: which samples of a shard count; None: all.
        most: shards that are open at a time.
    """

    def __init__(
        self, place: Place, shards: tuple[Shard, ...], choose: Chooser | None = None, most: int = OPEN
    ) -> None:
        self.place, self.shards, self._choose, self._most = place, shards, choose, most
        self.turns: list[int] = []  # the order in which an epoch opens them, for fetching ahead
        self._bad: dict[int, str] = {}
        self._begin()

    def _begin(self) -> None:
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._lock, self._process = threading.Lock(), os.getpid()

    def close(self) -> None:
        """Close the files; what is asked for after that opens them again."""
        for one in self._open.values():
            one.stream.close()
        self._open.clear()

    def __del__(self) -> None:
        if "_open" in vars(self):
            self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_open": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._begin()

    def sample(self, shard: int, place: int) -> dict[str, bytes]:
        """The files of one sample, by kind.

        Raises:
            UnreadableInput: the shard or the sample cannot be read.
            NotAvailable, OutputError: of the place.
        """
        if self._process != os.getpid():
            self.close()  # of its own copies: parent and child would share a file's place
            self._begin()  # and the parent's lock may be held for ever
        with self._lock:
            opened = self._opened(shard)
            return {kind: _bytes(opened.stream, kind, *span) for kind, span in opened.samples[place].parts.items()}

    def _opened(self, shard: int) -> _Open:
        found = self._open.get(shard)
        if found is not None:
            self._open.move_to_end(shard)
            return found
        if shard in self._bad:
            raise UnreadableInput(self._bad[shard])
        try:
            found = self._scan(shard)
        except UnreadableInput as error:
            self._bad[shard] = error.found
            raise
        while len(self._open) >= self._most:
            self._open.popitem(last=False)[1].stream.close()
        self._open[shard] = found
        if shard in self.turns and (after := self.turns.index(shard) + 1) < len(self.turns):
            self.place.ahead(self.shards[self.turns[after]])
        return found

    def _scan(self, shard: int) -> _Open:
        one = self.shards[shard]
        try:
            stream = self._stream(one)
        except OSError as error:
            raise UnreadableInput(f"a shard that cannot be read ({error.strerror})") from None
        try:
            samples = tar.scan(stream, one.size)
            samples = samples if self._choose is None else self._choose(samples)
            if len(samples) != one.count:
                raise UnreadableInput(f"a shard of {len(samples)} samples", f"{one.count}, as its index says")
        except OSError as error:
            stream.close()
            raise UnreadableInput(f"a shard that cannot be read ({error.strerror})") from None
        except UnreadableInput:
            stream.close()
            raise
        return _Open(stream, samples)

    def _stream(self, shard: Shard) -> BinaryIO:
        """The open file; one that another process removed to make room is fetched again."""
        for _ in range(3):
            try:
                return self.place.path(shard).open("rb")
            except FileNotFoundError:
                continue
        return self.place.path(shard).open("rb")


def _bytes(stream: BinaryIO, kind: str, offset: int, size: int) -> bytes:
    most = tar.MAX_WORDS if kind in tar.WORDS else tar.MAX_PICTURE
    if size > most:
        raise UnreadableInput(f"a .{kind} of {size} bytes", f"at most {most}")
    try:
        stream.seek(offset)
        data = stream.read(size)
    except OSError as error:
        raise UnreadableInput(f"a shard that cannot be read ({error.strerror})") from None
    if len(data) != size:
        raise UnreadableInput("a shard that has become shorter")
    return data
