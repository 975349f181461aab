"""What must not be on two sides of a split: a group, or a file. Cheap enough to run before every training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from fetalclip.data.manifest import Row


@dataclass(frozen=True)
class Leak:
    """Something that stands on more than one side.

    Attributes:
        kind: ``group``, ``file`` (same bytes), ``exact`` (same pixels), ``near`` or ``mirrored``.
        sides: the splits, sorted.
        rows: positions in the rows that were given.
    """

    kind: str
    sides: tuple[str, ...]
    rows: tuple[int, ...]

    @property
    def test(self) -> bool:
        """Whether the test side is touched; otherwise training and validation are mixed."""
        return "test" in self.sides


def leaks(rows: Sequence[Row]) -> list[Leak]:
    """Groups and files on more than one side of the split.

    Only files of the same length are read. Rows without a split stand on no side; a file that cannot be read leaks
    nothing here.
    """
    return group_leaks(rows) + _file_leaks(rows)


def group_leaks(rows: Sequence[Row]) -> list[Leak]:
    """Groups on more than one side."""
    groups: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        groups[row.group].append(i)
    return crossing("group", rows, groups.values())


def crossing(kind: str, rows: Sequence[Row], together: Iterable[Sequence[int]]) -> list[Leak]:
    """A leak for each set of rows that must stand together and does not."""
    found = []
    for places in together:
        sides = {rows[i].split for i in places} - {""}
        if len(sides) > 1:
            found.append(Leak(kind, tuple(sorted(sides)), tuple(i for i in places if rows[i].split)))
    return found


def _file_leaks(rows: Sequence[Row]) -> list[Leak]:
    lengths: dict[int, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        try:
            lengths[row.path.stat().st_size].append(i)
        except (OSError, ValueError):
            continue
    same: dict[str, list[int]] = defaultdict(list)
    digests: dict[Path, str] = {}  # pictures of a clip are of one file
    for places in lengths.values():
        if len({rows[i].split for i in places} - {""}) < 2:
            continue
        for i in places:
            path = rows[i].path
            digest = digests.get(path) or digests.setdefault(path, _digest(path))
            if digest:
                same[digest].append(i)
    return crossing("file", rows, same.values())


def _digest(path: Path) -> str:
    """SHA-256 of a file, empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
