"""What is finished of a folder of shards, until its index can be written: one line for each shard, after the shard."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import ExitStack
from pathlib import Path

from fetalclip.data.shards import index as indices
from fetalclip.data.shards.index import Shard
from fetalclip.disk import holding
from fetalclip.errors import DataMissing, OutputError, UnreadableInput

NAME = ".shards.journal"


class Journal:
    """The journal of one folder; while the block lasts nobody else writes there.

    Args:
        folder: of the shards.
        plan: their plan's digest.

    Attributes:
        shards: by name, those that are whole: their bytes are those that were written.
        left_out: row numbers of pictures that could not be read.

    Raises:
        OutputError: another run is at work there, or the folder holds shards of another plan.
        OSError: it cannot be read or written.
    """

    def __init__(self, folder: Path, plan: str) -> None:
        self.folder, self.plan = folder, plan
        self.shards: dict[str, Shard] = {}
        self.left_out: set[int] = set()
        self._path, self._stack = folder / NAME, ExitStack()

    def __enter__(self) -> Journal:
        try:
            self._stack.enter_context(holding(self._path, wait=False))
        except BlockingIOError:
            found = f"another run is writing '{self.folder}'"
            raise OutputError(found, "one run for each folder", "another -o") from None
        try:
            for litter in self.folder.glob(".*.part.tar"):
                litter.unlink()
            self.shards = {shard.name: shard for shard in self._told() if self._is_whole(shard)}
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def add(self, shard: Shard, left_out: list[int]) -> None:
        """Write down a shard that stands in its place; one without samples says only what was left out."""
        if shard.count:
            self.shards[shard.name] = shard
        self.left_out |= set(left_out)
        self._put(json.dumps({**vars(shard), "left_out": left_out}))

    def end(self) -> None:
        """Remove it: the index says the same, or there is nothing to go on with."""
        self._path.unlink(missing_ok=True)

    def _told(self) -> list[Shard]:
        """What an index or the journal says is there."""
        try:
            index = indices.load(self.folder)
        except DataMissing:
            return self._lines()
        except UnreadableInput as error:
            raise OutputError(error.found, "a folder of its own", "another -o") from None
        if index.plan != self.plan:
            raise self._other()
        self.left_out = {row for split in index.splits.values() for row in split.left_out}
        return [shard for split in index.splits.values() for shard in split.shards]

    def _lines(self) -> list[Shard]:
        """The first line is the plan; a last line that was cut off counts for nothing."""
        data = self._path.read_bytes()
        data = data[: data.rfind(b"\n") + 1]
        with self._path.open("r+b") as stream:
            stream.truncate(len(data))
        if not data:
            self._put(self.plan)
            return []
        head, *lines = data.decode("ascii", "replace").splitlines()
        if head != self.plan:
            raise self._other()
        shards = []
        for line in lines:
            try:
                found = json.loads(line)
                self.left_out |= {int(row) for row in found.pop("left_out")}
                shards.append(Shard(**found))
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
        return [shard for shard in shards if shard.count]

    def _put(self, line: str) -> None:
        """Append, and wait until the disk has it."""
        with self._path.open("ab") as stream:
            stream.write(line.encode("ascii") + b"\n")
            stream.flush()
            os.fsync(stream.fileno())

    def _is_whole(self, shard: Shard) -> bool:
        path = self.folder / shard.name
        return path.is_file() and path.stat().st_size == shard.size and sha256(path) == shard.sha256

    def _other(self) -> OutputError:
        found = f"'{self.folder}' holds shards of another table, other options or another version"
        return OutputError(found, "a new folder, or the same command again", "another -o")


def sha256(path: Path) -> str:
    """SHA-256 of a file, hex digits.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
