"""The table of a fine-tuning: its labels, and which patients are held out to choose by."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fetalclip.data.labelled import Labelled, check_classes, numbers_of, read_labelled
from fetalclip.errors import BadRecipe, NoCalibration
from fetalclip.fit.finetune_data import Squares, prepare_squares
from fetalclip.fit.finetune_recipe import FinetuneRecipe
from fetalclip.preprocess.augment import STORE

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """What is trained on and what is chosen by; the test side is left out.

    Attributes:
        train, held: rows of either side.
        classes: names in alphabetical order; empty of a number.
        label: name of the column.
        grouped: False where the table names no patients.
        split: whether the table's own split was followed.
    """

    train: tuple[Labelled, ...]
    held: tuple[Labelled, ...]
    classes: tuple[str, ...]
    label: str
    grouped: bool
    split: bool

    def told(self) -> str:
        """A line on what is learned from whom."""
        asked = f"{len(self.classes)} classes" if self.classes else "a number"
        line = f"{self.label}: {asked}; {len(self.train)} pictures to train on, {len(self.held)} to choose by"
        return line if self.grouped else line + "; no patients named, so one may stand on both sides"

    def counts(self) -> dict[str, int]:
        """Pictures and patients of either side."""
        sides = {"train": self.train, "held": self.held}
        found = {f"{name}_pictures": len(rows) for name, rows in sides.items()}
        return found | {f"{name}_patients": len({row.group for row in rows}) for name, rows in sides.items()}

    def targets(self, rows: Sequence[Labelled]) -> npt.NDArray[np.float64] | npt.NDArray[np.int64]:
        """What is to be said of rows: numbers of classes, or numbers."""
        if self.classes:
            return np.array([self.classes.index(row.label) for row in rows], np.int64)
        return np.array(numbers_of(rows), np.float64)


def read_table(recipe: FinetuneRecipe) -> Table:
    """Read a recipe's table and part it into two sides.

    Raises:
        BadRecipe, UsageError: no table, or columns that are not there.
        UnreadableInput, DataMissing: a table that cannot be used (see `fetalclip.data.labelled`); a class of one
            patient, or one that is only to choose by; labels that are no numbers.
        NoCalibration: a number that is to be told the spacing, and rows without one.
    """
    data = recipe.data
    table = read_labelled(recipe.check_table(), data.label or None, data.patient or None, root=data.root or None)
    rows = table.on("train", "val")
    if data.spacing and (bare := sum(row.mm_per_pixel is None for row in rows)):
        found = f"{bare} of {len(rows)} rows without mm_per_pixel"
        raise NoCalibration(found, "one in every row", "data.spacing=false")
    split = any(row.split == "val" for row in rows)
    classes = check_classes(rows, 2) if recipe.question == "classes" else ()
    if split:
        held = np.array([row.split == "val" for row in rows])
    else:
        labels = [row.label for row in rows] if classes else np.array(numbers_of(rows))
        held = held_out(labels, [row.group for row in rows], data.validate, recipe.seed)
    sides = [tuple(row for row, out in zip(rows, held, strict=True) if out == side) for side in (False, True)]
    if not sides[0]:
        raise BadRecipe("a table with no row to train on", "rows of the split train")
    if odd := sorted({row.label for row in sides[1]} - {row.label for row in sides[0]} if classes else ()):
        raise BadRecipe(f"the class {odd[0]!r:.60} on the split val only", "pictures of it to train on")
    return Table(sides[0], sides[1], classes, table.label, table.grouped, split)


def prepared_sides(table: Table, recipe: FinetuneRecipe, side: int, cache: Path) -> tuple[Squares, Squares]:
    """Both sides, read and prepared: larger than the tower sees them, and as it sees them.

    Args:
        table: the rows.
        recipe: what is done with burned-in text.
        side: of the picture the tower sees, pixels.
        cache: folder for the prepared pictures.

    Raises:
        InputError: a picture that cannot be read.
    """
    made = []
    for rows, stored in ((table.train, round(side * STORE)), (table.held, side)):
        spacings = [None if row.mm_per_pixel is None else (row.mm_per_pixel, row.mm_per_pixel) for row in rows]
        pictures = [(row.path, row.frame) for row in rows]
        made.append(prepare_squares(pictures, table.targets(rows), spacings, (stored, recipe.data.overlay), cache))
    return made[0], made[1]


def held_out(labels: Sequence[str] | Array, groups: Sequence[str], share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Which pictures are held out to choose by: whole groups, about the same share of every class or size.

    Args:
        labels: (n,) classes as texts, or numbers.
        groups: (n,) patients.
        share: of the pictures, 0 to 1.
        seed: another one holds out others.

    Raises:
        BadRecipe: fewer than two patients.
    """
    order = sorted(set(groups), key=lambda group: hashlib.sha256(f"{seed}:{group}".encode()).hexdigest())
    if len(order) < 2:
        raise BadRecipe(f"labelled pictures of {len(order)} patients", "two or more: one is held out to choose by")
    if isinstance(labels, np.ndarray):
        held = _spread(labels, groups, order, share)
    else:
        held = _stratified(labels, groups, order, share)
    return np.array([group in held for group in groups])


def _spread(numbers: Array, groups: Sequence[str], order: Sequence[str], share: float) -> set[str]:
    """One of every few groups along their mean number."""
    values: dict[str, list[float]] = defaultdict(list)
    for group, number in zip(groups, numbers, strict=True):
        values[group].append(float(number))
    rows = sorted(order, key=lambda group: float(np.mean(values[group])))
    size = min(max(2, round(1 / share)), len(rows))
    blocks = [rows[start : start + size] for start in range(0, len(rows) - size + 1, size)]
    return {min(block, key=order.index) for block in blocks}


def _stratified(labels: Sequence[str], groups: Sequence[str], order: Sequence[str], share: float) -> set[str]:
    """Groups until each class has its share, the rarest class first; the last group of a class is never held."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)  # class to pictures of each group
    for label, group in zip(labels, groups, strict=True):
        counts[label][group] += 1
    held: set[str] = set()
    for label in sorted(counts, key=lambda name: (sum(counts[name].values()), name)):
        mine = counts[label]
        for group in (group for group in order if group in mine and group not in held):
            have = sum(mine[one] for one in held)
            if have and have >= share * sum(mine.values()):
                break
            if all(set(found) - held - {group} for found in counts.values()):
                held.add(group)
    return held
