"""Tables of labelled pictures for probes and fine-tuning: a path, a label, and which pictures belong together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fetalclip.data.columns import NO_FOLD, SPLITS, Flaw, read_frame
from fetalclip.data.splits import fold_of
from fetalclip.data.table import named_cells
from fetalclip.errors import DataMissing, UnreadableInput, UsageError

GROUP_WORDS = ("patient", "group", "examination", "exam", "patient_num", "study")
LABEL_WORDS = ("label", "class", "target", "plane", "y")
SPLIT_NAMES = ("train", "val", "test")
FIX = "fetalclip probe TABLE.csv --label COLUMN --patient COLUMN -o head/"
_SHOWN = 5  # rows or names told in a message


@dataclass(frozen=True)
class Labelled:
    """One labelled picture.

    Attributes:
        path: the picture.
        label: as the table words it.
        group: patient or examination.
        split: ``train``, ``val``, ``test``, or empty where the table has none.
        fold: 0 to 4, dealt from the group where the table has none.
        mm_per_pixel: per native pixel, or None.
        frame: which picture of a clip, from 0; None of a still.
    """

    path: Path
    label: str
    group: str
    split: str = ""
    fold: int = NO_FOLD
    mm_per_pixel: float | None = None
    frame: int | None = None


@dataclass(frozen=True)
class LabelledTable:
    """The rows of a table.

    Attributes:
        rows: those with a label.
        label: name of its column.
        grouped: False where the table names no patients and every picture stands for itself.
        skipped: rows without a label.
    """

    rows: tuple[Labelled, ...]
    label: str
    grouped: bool
    skipped: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        """Of each row."""
        return tuple(row.label for row in self.rows)

    @property
    def groups(self) -> tuple[str, ...]:
        """Of each row."""
        return tuple(row.group for row in self.rows)

    def on(self, *splits: str) -> tuple[Labelled, ...]:
        """Rows of some splits; a row without one counts as ``train``."""
        return tuple(row for row in self.rows if (row.split or "train") in splits)


def read_labelled(
    path: str | Path, label: str | None = None, patient: str | None = None, *, root: str | Path | None = None
) -> LabelledTable:
    """Read a CSV or Parquet table of labelled pictures.

    Args:
        path: the table, with a column ``path`` (or ``filename``, ``image``), one of labels, optionally one of patients,
            ``split``, ``fold``, ``frame`` and ``mm_per_pixel``; a manifest is one too.
        label: the column of labels; None takes the first of ``LABEL_WORDS`` that is there.
        patient: the column of patients; None takes the first of ``GROUP_WORDS``, or none.
        root: folder of relative paths; None takes the table's.

    Raises:
        UnreadableInput: a table that cannot be used: no rows, no path, one patient in two splits.
        UsageError: a column that is not there.
        DataMissing: no such table, or pictures that are not there.
    """
    path = Path(path)
    header, lines = named_cells(path)
    names = {name.strip().lower(): name for name in reversed(header)}
    if "path" not in header:
        raise UnreadableInput(f"'{path.name}' has no column path or filename", "one with the pictures", FIX)
    wanted = _column(names, label, LABEL_WORDS, "--label", path)
    if wanted is None:
        raise UsageError(f"'{path.name}' without a column of labels", "one of " + ", ".join(header)[:300], FIX)
    grouped = _column(names, patient, GROUP_WORDS, "--patient", path)
    base = path.parent if root is None else Path(root)
    rows, skipped = [], 0
    for number, line in enumerate(lines, 2):
        cells = {name: (value or "").strip() for name, value in line.items()}
        if not cells[wanted]:
            skipped += 1
            continue
        rows.append(_row(cells, (wanted, grouped), names, base, (path.name, number)))
    if not rows:
        raise UnreadableInput(f"'{path.name}' has no row with a {wanted}", "one or more", FIX)
    _check_there(rows, path)
    _check_apart(rows, path)
    return LabelledTable(tuple(rows), wanted, grouped is not None, skipped)


def check_classes(rows: Sequence[Labelled], least: int = 2) -> tuple[str, ...]:
    """The classes of rows, in alphabetical order.

    Raises:
        UnreadableInput: fewer than two classes, or one with fewer patients than ``least``; the message names it.
    """
    patients: dict[str, set[str]] = {}
    for row in rows:
        patients.setdefault(row.label, set()).add(row.group)
    if len(patients) < 2:
        raise UnreadableInput(f"one class only ({', '.join(patients)[:100]})", "two or more", FIX)
    if few := sorted(name for name, found in patients.items() if len(found) < least):
        told = ", ".join(f"{name:.40} ({len(patients[name])})" for name in few[:_SHOWN])
        raise UnreadableInput(
            f"{len(few)} classes with fewer than {least} patients: {told}",
            f"at least {least} patients a class, or their rows without a label",
        )
    return tuple(sorted(patients))


def numbers_of(rows: Sequence[Labelled]) -> list[float]:
    """The labels of rows as numbers.

    Raises:
        UnreadableInput: a label that is no finite number.
    """
    found = []
    for row in rows:
        try:
            value = float(row.label)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UnreadableInput(f"a label {row.label!r:.40}", "a number", "leave out --number for classes")
        found.append(value)
    return found


def _column(names: Mapping[str, str], given: str | None, words: Sequence[str], option: str, path: Path) -> str | None:
    if given is not None:
        if given.strip().lower() not in names:
            known = ", ".join(reversed(list(names.values())))[:300]
            raise UsageError(f"{option} {given!r:.60} in '{path.name}'", f"one of its columns: {known}")
        return names[given.strip().lower()]
    return next((names[word] for word in words if word in names), None)


def _row(
    cells: Mapping[str, str],
    columns: tuple[str, str | None],
    names: Mapping[str, str],
    base: Path,
    where: tuple[str, int],
) -> Labelled:
    """One row; ``where`` is the table's name and the row's number, the header being 1."""
    table, number = where

    def cell(word: str) -> str:
        return cells.get(names.get(word, ""), "")

    place = cells.get("path", "")
    if not place or "\0" in place:
        raise UnreadableInput(f"row {number} of '{table}' has no path", "a picture's")
    group = cells[columns[1]] if columns[1] else place
    if not group:
        raise UnreadableInput(f"row {number} of '{table}' has no {columns[1]}", "whose picture it is")
    split = SPLITS.get(cell("split").lower(), cell("split").lower())
    if split not in ("", *SPLIT_NAMES):
        raise UnreadableInput(f"row {number} of '{table}' with the split {split!r:.40}", ", ".join(SPLIT_NAMES))
    fold = cell("fold")
    if fold and fold not in ("-1", "0", "1", "2", "3", "4"):
        raise UnreadableInput(
            f"row {number} of '{table}' with the fold {fold!r:.40}", "0 to 4, or -1 for the test side"
        )
    dealt = int(fold) if fold else fold_of(group)
    side = "test" if fold == "-1" else split
    known = _spacing(cell("mm_per_pixel"), where), _frame(cell("frame"), where)
    return Labelled(base / place, cells[columns[0]], group, side, dealt, *known)


def _spacing(text: str, where: tuple[str, int]) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 100:
        raise UnreadableInput(f"row {where[1]} of '{where[0]}' with mm_per_pixel {text!r:.40}", "mm, above 0")
    return value


def _frame(text: str, where: tuple[str, int]) -> int | None:
    flaws: list[Flaw] = []
    found = read_frame(text, flaws) if text else None
    if flaws:
        raise UnreadableInput(f"row {where[1]} of '{where[0]}' with a {flaws[0].what}", "which picture of a clip")
    return found


def _check_there(rows: Sequence[Labelled], path: Path) -> None:
    missing = [row.path.name for row in rows if not row.path.is_file()]
    if missing:
        shown = ", ".join(missing[:3])
        found = f"{len(missing)} of {len(rows)} pictures of '{path.name}' are not there ({shown:.200})"
        raise DataMissing(found, "paths beside the table, or absolute", "--root DIR for another folder")
    twice = [name for name, count in Counter((row.path, row.frame) for row in rows).items() if count > 1]
    if twice:
        found = f"{len(twice)} pictures stand twice in '{path.name}' ({twice[0][0].name:.100})"
        raise UnreadableInput(found, "each picture once")


def _check_apart(rows: Sequence[Labelled], path: Path) -> None:
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row.group, set()).add(row.split)
    both = sum(1 for found in sides.values() if len(found) > 1)
    if both:
        found = f"{both} patients of '{path.name}' stand in two splits"
        raise UnreadableInput(found, "each patient in one", "fetalclip data audit")
