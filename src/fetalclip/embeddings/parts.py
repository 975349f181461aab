"""What is finished of a file of embeddings, kept in a hidden folder beside it until the whole can be written.

The folder holds the inputs, one on each line; the embeddings so far, as bare float32 rows; and a journal with one line
for each finished batch. A batch counts once its line is whole, and its rows are on the disk before the line is: a run
that was killed at any moment goes on after its last finished batch.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from fetalclip.disk import replacing
from fetalclip.errors import OutputError

Array = npt.NDArray[np.float32]
Failure = tuple[int, str]

SCHEMA = "fetalclip.parts/1"
_MANIFEST, _INPUTS, _ROWS, _JOURNAL, _LOCK = "manifest.json", "inputs.jsonl", "rows.f32", "journal.jsonl", "lock"
_AGAIN = "the same command with --restart, to begin anew"


def parts_folder(out: Path) -> Path:
    """The hidden folder beside the file: ``.F.npz.parts`` for ``F.npz``."""
    return out.with_name(f".{out.name}.parts")


class Parts:
    """The parts of one file.

    Args:
        folder: see `parts_folder`; made if it is not there.
        restart: begin anew, whatever is there.

    Attributes:
        inputs: how many there are.
        done: how many of them are finished, read or not.
        rows: how many embeddings there are.
        failed: how many inputs had none.

    Raises:
        OutputError: another run is at work in it, or it cannot be written.
    """

    def __init__(self, folder: Path, restart: bool = False) -> None:
        self.folder, self.inputs, self.done, self.rows, self.failed, self.width = folder, 0, 0, 0, 0, 0
        self._rows: IO[bytes] | None = None
        self._journal: IO[bytes] | None = None
        try:
            folder.mkdir(exist_ok=True)
            self._lock = _hold(folder)
            if restart:
                self._clear()
        except OSError as error:
            raise _unwritable(folder, error) from None

    def begin(self, inputs: Iterable[tuple[str, str]], facts: dict[str, Any]) -> None:
        """Take up the inputs: begin, or go on where an earlier run of the same call stopped.

        Args:
            inputs: each with a word that changes when it does (size and time of a file; empty for a text).
            facts: what the embeddings depend on besides; ``width`` is theirs.

        Raises:
            OutputError: the folder holds parts of another call, or damaged ones, or cannot be written.
        """
        try:
            self._begin(inputs, facts)
        except OSError as error:
            raise _unwritable(self.folder, error) from None

    def _begin(self, inputs: Iterable[tuple[str, str]], facts: dict[str, Any]) -> None:
        manifest = self.folder / _MANIFEST
        before = self._read(manifest) if manifest.exists() else None
        fresh = self.folder / (_INPUTS if before is None else f"{_INPUTS}.new")
        told = {"schema": SCHEMA, **facts, **_listed(inputs, fresh)}
        count, self.width = told["inputs"], int(told["width"])
        if before is None:
            for name in (_ROWS, _JOURNAL):
                (self.folder / name).unlink(missing_ok=True)
            with replacing(manifest) as part:
                part.write_text(json.dumps(told, indent=1), "utf-8")
        else:
            changed = sorted(name for name in {*told, *before} if told.get(name) != before.get(name))
            if changed:
                fresh.unlink()
                what = ", ".join(dict.fromkeys("inputs" if name == "inputs_sha256" else name for name in changed))
                found = f"{self.folder.name} holds the beginning of another call (it differs in {what})"
                raise OutputError(found, "the call that began it, which would go on", _AGAIN)
            fresh.replace(self.folder / _INPUTS)
            self._take_up(count)
        self.inputs = count
        self._rows = (self.folder / _ROWS).open("ab")
        self._journal = (self.folder / _JOURNAL).open("ab")

    def _read(self, manifest: Path) -> dict[str, Any]:
        try:
            told = json.loads(manifest.read_text("utf-8"))
            return dict(told)
        except (ValueError, TypeError):
            raise OutputError(f"{self.folder.name} is damaged", "parts that this program wrote", _AGAIN) from None

    def _take_up(self, count: int) -> None:
        """Count what the journal holds, and cut off what lies behind its last whole line."""
        journal, rows = self.folder / _JOURNAL, self.folder / _ROWS
        whole = 0  # bytes
        if journal.exists():
            with journal.open("rb") as lines:
                for line in lines:
                    try:
                        step = json.loads(line if line.endswith(b"\n") else b"{}")
                        inputs, failed = int(step["inputs"]), len(step["failed"])
                    except (ValueError, TypeError, KeyError):
                        break
                    whole += len(line)
                    self.done, self.failed = self.done + inputs, self.failed + failed
            os.truncate(journal, whole)
        self.rows = self.done - self.failed
        length = 4 * self.width * self.rows
        if (rows.stat().st_size if rows.exists() else 0) < length or self.done > count or self.rows < 0:
            raise OutputError(f"{self.folder.name} is damaged", "parts that this program wrote", _AGAIN)
        if rows.exists():
            os.truncate(rows, length)

    def waiting(self, size: int) -> Iterator[list[str]]:
        """The inputs that are not finished, in lists of ``size``; always cut at the same places."""
        with (self.folder / _INPUTS).open("rb") as lines:
            left = islice(lines, self.done, None)
            while batch := list(islice(left, size)):
                yield [str(json.loads(line)) for line in batch]

    def add(self, inputs: int, rows: Array, failed: Sequence[Failure]) -> None:
        """Finish the next batch.

        Args:
            inputs: how many inputs it has.
            rows: (inputs - failed, width), of the others in their order.
            failed: those that have no embedding, by their place in the batch, with the reason.

        Raises:
            OutputError: the disk takes no more.
        """
        assert self._rows is not None
        assert self._journal is not None
        if rows.shape != (inputs - len(failed), self.width):
            raise ValueError(f"{rows.shape} rows of {inputs} inputs, {len(failed)} of them failed")
        try:
            _put(self._rows, np.ascontiguousarray(rows, "<f4").tobytes())
            _put(self._journal, json.dumps({"inputs": inputs, "failed": list(failed)}).encode() + b"\n")
        except OSError as error:
            raise _unwritable(self.folder, error) from None
        self.done, self.rows, self.failed = self.done + inputs, self.rows + len(rows), self.failed + len(failed)

    def names(self) -> Iterator[str]:
        """The finished inputs that have an embedding, one for each row, in its order."""
        return (name for name, why in self._finished() if why is None)

    def failures(self) -> Iterator[tuple[str, str]]:
        """The finished inputs that have none, each with the reason."""
        return ((name, why) for name, why in self._finished() if why is not None)

    def _finished(self) -> Iterator[tuple[str, str | None]]:
        with (self.folder / _INPUTS).open("rb") as lines, (self.folder / _JOURNAL).open("rb") as journal:
            for line in journal:
                step = json.loads(line)
                failed = {int(place): str(why) for place, why in step["failed"]}
                for place, name in enumerate(islice(lines, int(step["inputs"]))):
                    yield str(json.loads(name)), failed.get(place)

    def vectors(self) -> IO[bytes]:
        """The rows as a stream of little-endian float32, to be read once and closed."""
        return (self.folder / _ROWS).open("rb")

    def close(self, remove: bool) -> None:
        """Let go of the folder, and remove it if asked or if nothing in it is finished."""
        for stream in (self._rows, self._journal):
            if stream is not None:
                stream.close()
        journal = self.folder / _JOURNAL
        if remove or not journal.exists() or not journal.stat().st_size:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    def _clear(self) -> None:
        for name in (_MANIFEST, _INPUTS, f"{_INPUTS}.new", _ROWS, _JOURNAL):
            (self.folder / name).unlink(missing_ok=True)


def _listed(inputs: Iterable[tuple[str, str]], path: Path) -> dict[str, Any]:
    """Write the inputs down, one JSON string on each line; how many there are, and their hash."""
    count, found = 0, hashlib.sha256()
    with path.open("wb") as stream:
        for name, mark in inputs:
            stream.write(json.dumps(name).encode("ascii") + b"\n")
            found.update(json.dumps([name, mark]).encode("ascii"))
            count += 1
    return {"inputs": count, "inputs_sha256": found.hexdigest()}


def _put(stream: IO[bytes], data: bytes) -> None:
    """Append, and wait until the disk has it."""
    stream.write(data)
    stream.flush()
    os.fsync(stream.fileno())


def _hold(folder: Path) -> IO[bytes]:
    """Keep others out until the stream is closed, where the system can do that."""
    stream = (folder / _LOCK).open("ab")
    try:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        raise OutputError(f"another run is writing {folder.name}", "one run for each file", "another -o") from None
    except (ImportError, OSError):  # Windows, or a disk far away that knows no locks
        pass
    return stream


def _unwritable(folder: Path, error: OSError) -> OutputError:
    found = f"{folder} cannot be written ({error.strerror or type(error).__name__})"
    return OutputError(found, "a folder that can be written to", "more room on the disk, or another -o")
