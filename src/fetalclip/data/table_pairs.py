"""Pairs of a table: each picture is read and prepared when it is asked for."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.clinical.factory import Record
from fetalclip.data.manifest import Manifest, Row
from fetalclip.data.pairs import Pair
from fetalclip.data.table import read_folder
from fetalclip.errors import DataMissing, InputError, UnreadableInput
from fetalclip.io import read_at
from fetalclip.io.source import shown

_FORMAT = 1  # raise when what is read of a row changes


class TablePairs:
    """Rows of one side of a manifest's split, those with a plane or a text.

    Args:
        manifest: rows that can be used.
        table: what a message calls it.
        split: ``train``, ``val`` or ``test``.
        side: of the squares that pictures are prepared to, pixels.
        overlay: ``mask`` or ``keep``.

    Attributes:
        rows: in the order of the table.
        numbers: their row numbers.

    Raises:
        DataMissing: no such row.
    """

    def __init__(self, manifest: Manifest, table: str, split: str, side: int, overlay: str) -> None:
        kept = [
            (row, number)
            for row, number in zip(manifest.rows, manifest.numbers, strict=True)
            if row.split == split and (row.views or row.text)
        ]
        if not kept:
            there = ", ".join(sorted({row.split or "none" for row in manifest.rows})) or "nothing"
            found = f"'{table}' has no row of the split {split} with a plane or a text (its splits: {there})"
            raise DataMissing(found, "such rows", "fetalclip data manifest FOLDER -o m.csv deals a split")
        self.rows: tuple[Row, ...] = tuple(row for row, _ in kept)
        self.numbers = tuple(number for _, number in kept)
        self.side, self._table, self._overlay = side, table, overlay

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the rows' facts, the sizes of the pictures' files, and how they are prepared."""
        made = hashlib.sha256(repr((_FORMAT, self.side, self._overlay)).encode())
        for row in self.rows:
            made.update(repr((row_facts(row), _size(row.path))).encode())
        return made.hexdigest()

    def __len__(self) -> int:
        return len(self.rows)

    def order(self, seed: int, epoch: int) -> npt.NDArray[np.int64]:
        """A permutation."""
        return np.random.default_rng((seed, epoch, 1)).permutation(len(self.rows))

    def name(self, number: int) -> str:
        """The table and the row's number in it, 1 being the first below the header."""
        return f"{self._table} row {self.numbers[number]}"

    def load(self, number: int) -> Pair:
        """Read and prepare one picture.

        Raises:
            InputError: it cannot be read.
        """
        from fetalclip.preprocess import prepare

        row = self.rows[number]
        try:  # the table alone tells the spacing: what a file tells besides need not be of square pixels
            frame = read_at(row.path, row.frame).with_spacing(row.mm_per_pixel)
            ready = prepare(frame, self.side, self._overlay)
        except InputError as error:
            # A file's name can hold a patient's: the row's number is enough.
            found = error.found.replace(shown(os.fspath(row.path)), "the picture")
            raise UnreadableInput(f"{self.name(number)}: {found}", error.expected) from None
        after = None if ready.mm_per_pixel is None else ready.mm_per_pixel[0]
        record = Record(row.views, row.subplane, row.age_days, after, row.machine, row.findings, row.text)
        return Pair(ready.pixels, record)


def read_source(source: str | Path) -> Manifest:
    """A manifest, or a folder with one table; only rows that can be used, and all problems.

    Raises:
        InputError: no row can be used; the first problems are named.
        UsageError, DataMissing: the table cannot be read.
    """
    path = Path(source)
    manifest = read_folder(path) if path.is_dir() else Manifest.read(path)
    usable = manifest.usable()
    if not usable.rows:
        manifest.require()
    return usable


def row_facts(row: Row) -> tuple[Any, ...]:
    """All of a row that decides what is read of it; no folder, so that data may be moved."""
    known = (row.views, row.subplane, row.age_days, row.mm_per_pixel, row.machine, row.findings, row.text)
    place = () if row.frame is None else (row.frame,)
    return (row.dataset, row.name, row.group, row.split, *known, *place)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
