"""What shards are to be written: which picture goes into which, decided before anything is read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fetalclip.data import LICENSES
from fetalclip.data.audit import leaks
from fetalclip.data.manifest import Manifest, Row
from fetalclip.data.shards.index import MAX_COUNT, MAX_SIDE, SPLITS, Index, Shard, ShardedSplit
from fetalclip.data.table_pairs import row_facts
from fetalclip.errors import DataMissing, InputError, UsageError

_FORMAT = 1  # raise when what is written of a picture changes


@dataclass(frozen=True)
class Options:
    """How shards are written.

    Attributes:
        side: of the stored squares, pixels.
        overlay: ``mask`` or ``keep``.
        per_shard: pictures of a shard.
        splits: which sides.
        seed: another one deals the pictures otherwise.
    """

    side: int
    overlay: str = "mask"
    per_shard: int = 1000
    splits: tuple[str, ...] = ("train", "val")
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.side <= MAX_SIDE:
            raise UsageError(f"pictures of {self.side} pixels a side", f"1 to {MAX_SIDE}", "--image-size 224")
        if self.overlay not in ("mask", "keep"):
            raise UsageError(f"--overlay {self.overlay!r:.60}", "mask or keep")
        if not 1 <= self.per_shard <= MAX_COUNT:
            raise UsageError(f"--per-shard {self.per_shard}", f"1 to {MAX_COUNT}")
        if not self.splits or (odd := [name for name in self.splits if name not in SPLITS]):
            raise UsageError(f"--split {odd[0]!r:.60}" if self.splits else "no split", " or ".join(SPLITS))
        object.__setattr__(self, "splits", tuple(name for name in SPLITS if name in self.splits))


@dataclass(frozen=True)
class Block:
    """The pictures of one shard: its split, its file name, and places in the plan's rows."""

    split: str
    name: str
    places: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Rows and options, and what follows from them.

    Attributes:
        rows: all that can be written, of the splits asked for.
        numbers: their row numbers in the table.
        options: how.
        silent: rows that were passed over because nothing is known of them.
    """

    rows: tuple[Row, ...]
    numbers: tuple[int, ...]
    options: Options
    silent: int = 0

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The shards, side after side; a side's pictures are dealt by a hash of their row numbers and the seed."""
        made = []
        for split in self.options.splits:
            mine = sorted((i for i, row in enumerate(self.rows) if row.split == split), key=self._lot)
            for count, start in enumerate(range(0, len(mine), self.options.per_shard)):
                places = tuple(mine[start : start + self.options.per_shard])
                made.append(Block(split, f"{split}-{count:06d}.tar", places))
        return tuple(made)

    @cached_property
    def groups(self) -> dict[str, int]:
        """A number for each group, in the order in which they are written first."""
        order = (self.rows[i].group for block in self.blocks for i in block.places)
        return {group: number for number, group in enumerate(dict.fromkeys(order))}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all that decides what is written, the pictures by their sizes."""
        from fetalclip import __version__

        made = hashlib.sha256(repr((_FORMAT, __version__, self.options)).encode())
        for number, row in zip(self.numbers, self.rows, strict=True):
            made.update(repr((number, row_facts(row), row.path.stat().st_size)).encode())
        return made.hexdigest()

    def index(self, shards: Sequence[tuple[str, Shard]], left_out: set[int]) -> Index:
        """The index of what was written.

        Args:
            shards: split and shard.
            left_out: row numbers of the pictures that could not be read.
        """
        from fetalclip import __version__

        kept = [row for number, row in zip(self.numbers, self.rows, strict=True) if number not in left_out]
        splits = {}
        for split in self.options.splits:
            mine = [row for row in kept if row.split == split]
            gone = [n for n, row in zip(self.numbers, self.rows, strict=True) if row.split == split and n in left_out]
            splits[split] = ShardedSplit(
                tuple(shard for name, shard in shards if name == split),
                tuple(gone),
                dict(sorted(Counter(view for row in mine for view in (row.views or ("none",))).items())),
                len({row.group for row in mine}),
            )
        about = {"seed": self.options.seed, "per_shard": self.options.per_shard, "version": __version__}
        about["datasets"] = _datasets(kept)
        return Index(self.options.side, self.options.overlay, splits, self.digest, about)

    def _lot(self, place: int) -> bytes:
        return hashlib.sha256(f"{self.options.seed}:{self.numbers[place]}".encode()).digest()


def make_plan(manifest: Manifest, options: Options) -> Plan:
    """A plan of the rows that can be used.

    Args:
        manifest: of `Manifest.usable`; rows of mixed groups are not in it.
        options: how.

    Raises:
        InputError: a file stands on the test side and on another.
        DataMissing: a side has no row with a plane or a text.
    """
    _refuse_leaks(manifest.rows)
    wanted = [(row, n) for row, n in zip(manifest.rows, manifest.numbers, strict=True) if row.split in options.splits]
    known = [(row, n) for row, n in wanted if row.views or row.text]
    for split in options.splits:
        if not any(row.split == split for row, _ in known):
            there = ", ".join(sorted({row.split or "none" for row in manifest.rows})) or "nothing"
            found = f"no picture of the split {split} with a plane or a text (splits of the table: {there})"
            fix = "fetalclip data manifest FOLDER -o m.csv deals a split"
            raise DataMissing(found, "rows of every --split", fix if there == "none" else "--split " + there)
    rows, numbers = tuple(row for row, _ in known), tuple(n for _, n in known)
    return Plan(rows, numbers, options, len(wanted) - len(known))


def _refuse_leaks(rows: Sequence[Row]) -> None:
    found = sum(leak.test for leak in leaks(rows))
    if found:
        raise InputError(
            f"{found} groups or files stand on the test side and on another",
            "a split without leaks",
            "fetalclip data audit MANIFEST, to see them",
        )


def _datasets(rows: Sequence[Row]) -> dict[str, Any]:
    """Licence, citation and number of pictures of each data set, as far as they are known."""
    told = {}
    for name, count in sorted(Counter(row.dataset for row in rows).items()):
        known = LICENSES[name]._asdict() if name in LICENSES else {"license": None}
        told[name] = {**known, "pictures": count}
    return told
