"""A public data set from its record to a folder a reader knows, and from there to a manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fetalclip.data import records, web
from fetalclip.data.manifest import Manifest, Problem, Row
from fetalclip.data.published import PicturesMissing
from fetalclip.data.readers import READERS, Reader
from fetalclip.data.unpack import is_archive, unpack
from fetalclip.errors import DataMissing, InputError, UsageError
from fetalclip.io import read_size

_DEPTH = 3  # folders below the data set's own in which its table is looked for


@dataclass(frozen=True)
class Found:
    """What a fetch would bring: the reader, the record as its API describes it, and the files asked for."""

    reader: Reader
    record: records.Record
    files: tuple[records.RecordFile, ...]

    @property
    def size(self) -> int:
        """Bytes of the files asked for."""
        return sum(file.size for file in self.files)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "name": self.reader.name,
            "license": self.reader.license.license,
            "citation": self.reader.license.citation,
            "url": self.reader.license.url,
            "record": self.record.number,
            "record_license": self.record.license or None,
            "doi": self.record.doi or None,
            "title": self.record.title,
            "files": [{"name": f.name, "bytes": f.size, "md5": f.md5} for f in self.files],
            "bytes": self.size,
        }


@dataclass(frozen=True)
class Obtained:
    """A data set that has been fetched: its folder, what was unpacked, where the reader finds it (or None)."""

    folder: Path
    unpacked: dict[str, int]
    readable: Path | None
    next: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"folder": self.folder, "unpacked": self.unpacked, "readable": self.readable}


def describe(reader: Reader, only: Sequence[str] = ()) -> Found:
    """Ask the record's API what there is; fetches no file.

    Raises:
        NotAvailable: no network, or no such record.
        UsageError: a file that is not in the record.
    """
    record = records.ask(reader.record)
    names = [file.name for file in record.files]
    if odd := [name for name in only if name not in names]:
        raise UsageError(f"no file {odd[0]!r:.200} in the record", ", ".join(names[:20]), "without --file for all")
    return Found(reader, record, tuple(file for file in record.files if not only or file.name in only))


def lines(found: Found) -> list[str]:
    """What would be fetched, for a person; a licence that changed is told."""
    told = [f"title    {found.record.title}", f"doi      {found.record.doi or 'none given'}"]
    ours = found.reader.license.license
    theirs = found.record.license
    if theirs and theirs.lower().replace(" ", "-") != ours.lower():
        told.append(f"Note: the record itself says licence {theirs!r:.60}, this package {ours}: the record holds.")
    told += [f"file     {file.name}, {file.size / 1e6:,.1f} MB, md5 {file.md5}" for file in found.files]
    return [line if line.isprintable() else ascii(line) for line in told]


def obtain(found: Found, root: Path, say: Callable[[str], None] = lambda line: None) -> Obtained:
    """Fetch, check, unpack.

    Args:
        found: of `describe`.
        root: gets a folder of the data set's name.
        say: told what is being done, a line at a time.

    Raises:
        NotAvailable, DataMissing, OutputError: see `records.fetch` and `unpack.unpack`.
    """
    folder = root / found.reader.name
    unpacked: dict[str, int] = {}
    for file in found.files:
        say(f"Fetching {file.name}, {file.size / 1e6:,.1f} MB")
        path = records.fetch(file, folder, _every_tenth(file, say))
        if is_archive(path):
            unpacked[file.name] = unpack(path, folder)
            say(f"Unpacked {unpacked[file.name]} files of {file.name}")
    readable = find(found.reader, folder)
    if readable is not None:
        after = f"Next: fetalclip data manifest {found.reader.name} --root '{readable}' -o manifest.csv"
    else:
        needed = " and ".join(found.reader.needed)
        after = (
            f"No folder with {needed} is in '{folder}': the reader knows that layout only. Put it together, or write "
            f"a table: fetalclip data manifest '{folder}' --table FILE -o manifest.csv"
        )
    return Obtained(folder, unpacked, readable, after)


def find(reader: Reader, folder: Path) -> Path | None:
    """The folder, at most three below, that has all the reader needs; record files may stand in several."""
    level = [folder]
    for _ in range(_DEPTH + 1):
        for place in level:
            if all((place / name).exists() for name in reader.needed):
                return place
        level = [below for place in level for below in sorted(place.iterdir()) if below.is_dir()][:1000]
    return None


def manifest_of(name: str, root: str | Path) -> Manifest:
    """A public data set as a manifest: sizes from the pictures' headers, missing or unreadable pictures as problems.

    Raises:
        DataMissing: the data set is not there, or its table cannot be used.
    """
    rows, absent = _read(READERS[name], root)
    good, numbers, problems = [], [], []
    for number, row in enumerate(rows, 1):
        try:
            good.append(_sized(row))
            numbers.append(number)
        except InputError as error:
            problems.append(Problem(number, row.name, "unreadable picture", error.found))
    return Manifest(tuple(good), tuple(numbers), (*problems, *absent))


def _sized(row: Row) -> Row:
    width, height = read_size(row.path)
    return replace(row, width=width, height=height)


def _read(reader: Reader, root: str | Path) -> tuple[list[Row], list[Problem]]:
    """Rows, and a problem for each picture that the table lists and the folder lacks or whatever else is incomplete."""
    try:
        return reader.read(root, True), []
    except PicturesMissing as error:
        absent = [Problem(0, name, "missing file", "in the table, not in the folder") for name in error.names]
    except DataMissing as error:
        absent = [Problem(0, "", "incomplete data set", error.found)]
    return reader.read(root, False), absent


def _every_tenth(file: records.RecordFile, say: Callable[[str], None]) -> web.Progress:
    """A line at each tenth of a large file."""
    said = [0]

    def progress(have: int) -> None:
        tenth = 10 * have // max(file.size, 1)
        if file.size > 50_000_000 and tenth > said[0]:
            said[0] = tenth
            say(f"{file.name}: {10 * tenth} %")

    return progress
