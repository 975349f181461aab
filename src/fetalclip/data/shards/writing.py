"""Shards from a plan: prepared by several processes, written whole or not at all, gone on with after a stop.

The same plan makes the same bytes, so a stop leaves no trace in what comes out.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path

import fetalclip.io as io
from fetalclip.data.manifest import Problem, Row
from fetalclip.data.shards import index as indices
from fetalclip.data.shards import sample, tar
from fetalclip.data.shards.index import Index, Shard
from fetalclip.data.shards.journal import Journal, sha256
from fetalclip.data.shards.plan import Block, Plan
from fetalclip.disk import replacing
from fetalclip.errors import InputError, OutputError

_POOL_FROM = 64  # pictures; fewer are prepared in this process
_EARLIER = "left out by an earlier run of the same command"

Made = dict[str, bytes] | str
"""The files of a sample, or why there are none."""


@dataclass(frozen=True)
class _Job:
    row: Row
    group: int


class ShardWriter:
    """Writes the shards of a plan into a folder, which nobody else writes to while the block lasts.

    Args:
        plan: what is written.
        folder: where; made if it is not there.
        workers: processes that prepare pictures; None for one a core, at most 8.

    Attributes:
        total: pictures of the plan.
        done: those that an earlier run has been through.
        problems: pictures that were left out.
        index: what was written, once `run` has ended.

    Raises:
        OutputError: the folder holds shards of another plan, another run is at work, or it cannot be written.
    """

    def __init__(self, plan: Plan, folder: Path, workers: int | None = None) -> None:
        self.plan, self.folder, self.total, self.done = plan, folder, len(plan.rows), 0
        self.workers = min(8, os.cpu_count() or 1) if workers is None else workers
        self.problems: list[Problem] = []
        self.index: Index | None = None
        self._journal = Journal(folder, plan.digest)

    def __enter__(self) -> ShardWriter:
        with _plainly(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._journal.__enter__()
        for number, row in zip(self.plan.numbers, self.plan.rows, strict=True):
            if number in self._journal.left_out:
                self.problems.append(Problem(number, row.name, "unreadable picture", _EARLIER))
        self.done = sum(len(block.places) for block in self.plan.blocks if self._is_done(block))
        return self

    def __exit__(self, *error: object) -> None:
        self._journal.__exit__(*error)

    def run(self) -> Iterator[int]:
        """Write what is lacking; one for each picture gone through.

        Raises:
            OutputError: no room, or a process that prepared pictures was ended; what is whole stays.
            InputError: not one picture could be read.
        """
        with _plainly(self.folder):
            with ExitStack() as stack:
                lacking = [block for block in self.plan.blocks if not self._is_done(block)]
                for block, made in self._prepared(lacking, stack):
                    yield from self._write(block, made)
            have = self._journal.shards
            shards = [(block.split, have[block.name]) for block in self.plan.blocks if block.name in have]
            if not shards:
                self._journal.end()
                raise InputError(f"none of {self.total} pictures could be read: {self.problems[0]}", "pictures")
            self.index = self.plan.index(shards, self._journal.left_out)
            with replacing(self.folder / indices.NAME) as part:
                part.write_text(self.index.text(), encoding="ascii")
            self._journal.end()

    def _prepared(self, blocks: list[Block], stack: ExitStack) -> Iterator[tuple[Block, Iterable[Made]]]:
        """Each block with its samples; with processes, those of the next are begun before one is gone through."""
        options, groups = self.plan.options, self.plan.groups
        make = partial(_make, side=options.side, overlay=options.overlay)
        begin: Callable[[Iterable[_Job]], Iterable[Made]] = partial(map, make)
        if self.workers > 1 and sum(len(block.places) for block in blocks) >= _POOL_FROM:
            # spawn: a forked child of a process that has run torch may hang
            pool = ProcessPoolExecutor(self.workers, get_context("spawn"), initializer=_end_with_parent)
            stack.callback(pool.shutdown, wait=True, cancel_futures=True)
            begin = partial(pool.map, make, chunksize=8)
        begun: deque[tuple[Block, Iterable[Made]]] = deque()
        for block in blocks:
            rows = (self.plan.rows[i] for i in block.places)
            begun.append((block, begin([_Job(row, groups[row.group]) for row in rows])))
            if len(begun) > 1:
                yield begun.popleft()
        yield from begun

    def _write(self, block: Block, made: Iterable[Made]) -> Iterator[int]:
        """One shard and its line in the journal; no file where no picture of it could be read."""
        samples: list[tuple[str, dict[str, bytes]]] = []
        left_out: list[int] = []
        for place, files in zip(block.places, made, strict=True):
            number = self.plan.numbers[place]
            if isinstance(files, str):
                left_out.append(number)
                self.problems.append(Problem(number, self.plan.rows[place].name, "unreadable picture", files))
            else:
                samples.append((indices.key(block.name, len(samples)), files))
            yield 1
        shard = Shard(block.name, "", 0, 0)
        if samples:
            with replacing(self.folder / block.name) as part:
                tar.write(part, samples)
                with part.open("rb+") as stream:
                    os.fsync(stream.fileno())
                shard = Shard(block.name, sha256(part), part.stat().st_size, len(samples))
        self._journal.add(shard, left_out)

    def _is_done(self, block: Block) -> bool:
        numbers = {self.plan.numbers[i] for i in block.places}
        return block.name in self._journal.shards or numbers <= self._journal.left_out


def _make(job: _Job, side: int, overlay: str) -> Made:
    """The files of one sample, or why there are none."""
    from fetalclip.preprocess import prepare

    row = job.row
    try:
        frame = io.read_at(row.path, row.frame).with_spacing(row.mm_per_pixel)
        ready = prepare(frame, side, overlay)
        after = None if ready.mm_per_pixel is None else ready.mm_per_pixel[0]
        files = sample.encode(row, job.group, ready.pixels, after)
        sample.decode(files, side, side)  # what is written can be read
    except InputError as error:
        return error.found
    return files


def _end_with_parent() -> None:
    """A worker ends when the process that began it is gone, even one that was killed."""
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _plainly(folder: Path) -> Iterator[None]:
    """What the system and the pool raise as one readable error."""
    again = "the same command again: whole shards are kept"
    try:
        yield
    except OSError as error:
        found = f"'{folder}' cannot be written ({error.strerror or type(error).__name__})"
        raise OutputError(found, "a folder with enough space", again) from None
    except BrokenProcessPool:
        raise OutputError("a process that prepared pictures was ended", "enough memory", again) from None
