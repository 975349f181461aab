"""The one frozen split, by patient or examination, used by every training and every benchmark.

Rule (`assign`), which ``assets/splits/split-v1.csv`` freezes for the pictures it lists:

* FETAL_PLANES_DB and the head structures share one key per patient, ``FPDB:<Patient_num>``. Patients on the
  published test side (``Train `` = 0) are test, fold -1. All others, among them head-structure patients
  without a row in the planes table, are dealt into folds 0 to 4 by hash: fold 1 is val, the rest train.
* HC18 is dealt by examination, ``HC18:<number before the underscore>``, by hash and never by number order
  (the numbers are sorted by head size): fold 0 is test, 1 is val, 2 to 4 are train.

The hash is sha256 of ``"<SEED>:<group>"`` as an integer, modulo 5. It needs no list of the other groups, so a
larger copy of a data set gets the same folds. The seed, 4, is the one of 0 to 9 whose folds hold the most
even numbers of pictures; it was chosen before anything was trained.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from hashlib import sha256
from importlib import resources
from typing import NamedTuple

SEED = 4
FOLDS = 5
COLUMNS = ("dataset", "file_name", "group", "fold", "split")


class Place(NamedTuple):
    """Where a group stands: fold 0 to 4, or -1 for the published test side; split train, val or test."""

    fold: int
    split: str


def fold_of(group: str) -> int:
    """Fold 0 to 4 of a group by the seeded hash."""
    return int(sha256(f"{SEED}:{group}".encode()).hexdigest(), 16) % FOLDS


def part_of(group: str, parts: int) -> int:
    """Part 0 to ``parts`` - 1 of a group, for a cross-validation of its own over all sides; by another hash."""
    return int(sha256(f"parts:{group}".encode()).hexdigest(), 16) % parts


def assign(group: str, official_train: int | None = None) -> Place:
    """Place of a group by the rule alone, without the frozen file.

    Args:
        group: ``FPDB:<patient>`` or ``HC18:<examination>``.
        official_train: the published ``Train `` flag of the patient, ``None`` where there is none.
    """
    fold = fold_of(group)
    if group.startswith("HC18:"):
        return Place(fold, {0: "test", 1: "val"}.get(fold, "train"))
    if official_train == 0:
        return Place(-1, "test")
    return Place(fold, "val" if fold == 1 else "train")


@lru_cache(maxsize=1)
def frozen() -> tuple[tuple[str, str, str, int, str], ...]:
    """Rows of the frozen file: data set, file name, group, fold, split."""
    table = resources.files("fetalclip").joinpath("assets", "splits", "split-v1.csv")
    lines = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return tuple(
        (line["dataset"], line["file_name"], line["group"], int(line["fold"]), line["split"]) for line in lines
    )


@lru_cache(maxsize=1)
def _by_file() -> dict[tuple[str, str], Place]:
    return {(dataset, name): Place(fold, split) for dataset, name, _, fold, split in frozen()}


@lru_cache(maxsize=1)
def _by_group() -> dict[str, Place]:
    return {group: Place(fold, split) for _, _, group, fold, split in frozen()}


def is_frozen(group: str) -> bool:
    """Whether the frozen file holds this group."""
    return group in _by_group()


def lookup(dataset: str, file_name: str, group: str, official_train: int | None = None) -> Place:
    """Place of a picture: its row of the frozen file, else its group's, else the rule.

    The group comes before the rule so that another picture of a known patient never crosses to another split.
    """
    place = _by_file().get((dataset, file_name)) or _by_group().get(group)
    return place if place is not None else assign(group, official_train)
