"""What the points of a map are coloured by: a column of a table, or the folder a picture lies in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from fetalclip.data.formats import read_cells
from fetalclip.data.table import PATH_WORDS
from fetalclip.errors import UsageError

MOST = 40  # labels that colours can still tell apart
NAME_WORDS = (*PATH_WORDS, "image_name", "text")
LABEL_WORDS = ("label", "plane", "class")
GROUP_WORDS = ("group", "patient")
_SEPARATORS = ",;\t"


@dataclass(frozen=True)
class Labels:
    """Labels and groups of the rows of a file of embeddings.

    Attributes:
        rows: positions of the embeddings that are shown, rising.
        labels: of each shown row; empty where the table gives it none. Empty as a whole when there are none.
        groups: patient or examination of each shown row; empty as a whole when none are known.
        name: the column, or ``folder``; empty without labels.
        unmatched: embeddings that the table does not name.
        patients: how many the shown rows have, those without one left out.
    """

    rows: tuple[int, ...]
    labels: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    name: str = ""
    unmatched: int = 0
    patients: int = 0


def read_labels(
    table: Path, names: Sequence[str], label: str = "", group: str = "", where: Mapping[str, str] | None = None
) -> Labels:
    """Labels of a table for embeddings, matched by path, else by base name, else by base name without its suffix.

    Args:
        table: ``.csv`` (comma, semicolon or tab) or ``.parquet``, with a header; names stand in one of `NAME_WORDS`.
        names: paths (or texts) of the embeddings.
        label: the column; empty takes the first of `LABEL_WORDS` that is there.
        group: the column that holds patient or examination; empty takes the first of `GROUP_WORDS`, if any.
        where: only rows of the table with these cells; embeddings of the others are not shown.

    Returns:
        Labels. With ``where``, an embedding the table does not name is not shown; else it is, without a label.

    Raises:
        UsageError: a column is missing, no embedding is in the table, one base name has two labels, too many labels.
        DataMissing, UnreadableInput: the table cannot be read.
    """
    header, lines = read_cells(table, _SEPARATORS)
    header = [name.strip() for name in header]
    cells = [dict(zip(header, (cell.strip() for cell in line.values()), strict=True)) for line in lines]
    names_in = _column(header, "", NAME_WORDS, table)
    label_in = _column(header, label, LABEL_WORDS, table)
    groups_in = group or next((name for name in header if name.lower() in GROUP_WORDS), "")
    if group or groups_in:
        groups_in = _column(header, groups_in, (), table)
    for column in where or {}:
        _column(header, column, (), table)
    kept = {i for i, line in enumerate(cells) if all(line[k] == v for k, v in (where or {}).items())}
    meant = [(line[label_in], _cell(line, groups_in)) for line in cells]
    found = _match(names, [line[names_in] for line in cells], meant)
    rows = [i for i, place in enumerate(found) if (place in kept if where else True)]
    if all(found[i] is None for i in rows):
        asked = " with " + ", ".join(f"{k}={v}" for k, v in where.items()) if where else ""
        raise UsageError(
            f"none of the {len(names)} embeddings is named in column {names_in} of {table.name}{asked}",
            "paths or base names as they were embedded",
        )
    told = [("", "") if (at := found[i]) is None else (cells[at][label_in], _cell(cells[at], groups_in)) for i in rows]
    labels = tuple(one for one, _ in told)
    _few(labels, label_in)
    # A row without a group is one of its own: it must not be taken for one patient with the others.
    groups = tuple(one or f"row {i}" for i, (_, one) in zip(rows, told, strict=True)) if groups_in else ()
    patients = len({one for _, one in told if one})
    return Labels(tuple(rows), labels, groups, label_in, sum(found[i] is None for i in rows), patients)


def folder_labels(names: Sequence[str]) -> Labels:
    """The folder of each path as its label, where there are two or more and not too many; else no labels."""
    folders = tuple(PurePath(name).parent.name for name in names)
    if 2 <= len(set(folders)) <= MOST:
        return Labels(tuple(range(len(names))), folders, (), "folder")
    return Labels(tuple(range(len(names))))


def _column(header: Sequence[str], asked: str, words: Sequence[str], table: Path) -> str:
    """The column asked for, or the first of the words that is there; upper and lower case are alike."""
    known = {name.lower(): name for name in reversed(header)}
    for word in (asked,) if asked else words:
        if word.lower() in known:
            return known[word.lower()]
    wanted = f"a column {asked}" if asked else "a column " + " or ".join(words)
    there = ", ".join(header[:20]) or "none"
    option = (
        "" if words is NAME_WORDS else "--label COLUMN, or --group COLUMN, or --where COLUMN=VALUE, with one of these"
    )
    raise UsageError(f"{table.name} has the columns {there:.300}", wanted, option)


def _match(names: Sequence[str], listed: Sequence[str], meant: Sequence[tuple[str, str]]) -> list[int | None]:
    """The line of each name, or None; ``meant`` are label and group of each line."""
    places: list[dict[str, list[int]]] = [{}, {}, {}]
    for i, name in enumerate(listed):
        for known, key in zip(places, _keys(name), strict=True):
            if key:
                known.setdefault(key, []).append(i)
    bases = Counter(_keys(name)[1] for name in names)
    return [_place((name, bases[_keys(name)[1]] == 1), places, listed, meant) for name in names]


def _keys(name: str) -> tuple[str, str, str]:
    """Path, base name, base name without suffix."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    return name, base, base.rsplit(".", 1)[0] if "." in base[1:] else base


def _place(
    named: tuple[str, bool],
    places: Sequence[dict[str, list[int]]],
    listed: Sequence[str],
    meant: Sequence[tuple[str, str]],
) -> int | None:
    """The line of a name; ``named`` tells too whether no other embedding has its base name."""
    name, alone = named
    for known, key in zip(places, _keys(name), strict=True):
        lines = [i for i in known.get(key, []) if alone or _fits(name, listed[i])]
        if len({meant[i] for i in lines}) > 1:
            raise UsageError(
                f"{len(lines)} lines of the table have the base name of one embedding (line {lines[0] + 2} first)",
                "paths in the table as they were embedded, or base names that stand there once",
            )
        if lines:
            return lines[0]
    return None


def _fits(name: str, listed: str) -> bool:
    """Whether a path may be the listed one: one of them ends in the other's folders, where both have some."""
    ours, theirs = (word.replace("\\", "/").split("/")[:-1] for word in (name, listed))
    shared = min(len(ours), len(theirs))
    return shared == 0 or ours[-shared:] == theirs[-shared:]


def _cell(line: Mapping[str, str], column: str) -> str:
    return line[column] if column else ""


def _few(labels: Sequence[str], column: str) -> None:
    count = len(Counter(label for label in labels if label))
    if count > MOST:
        found = f"column {column} has {count} different values"
        raise UsageError(found, f"a label of at most {MOST}", "--label COLUMN with another column")
    if not count:
        raise UsageError(
            f"column {column} is empty for every embedding", "labels", "--label COLUMN with another column"
        )
