"""What the protocols on probes share: rows of FETAL_PLANES_DB with a label, their embeddings, and who has seen them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fetalclip.bench.protocol import plane_rows
from fetalclip.cards import labels_seen
from fetalclip.clinical.vocabulary import KNOWN, SUBPLANES
from fetalclip.data import Row, read_dataset
from fetalclip.encoder.engine import Array
from fetalclip.errors import DataMissing, UsageError
from fetalclip.fit.embedded import embed_paths

DATA = "fetal-planes-db"
TARGETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "planes": ("plane", KNOWN),
    "subplanes": ("subplane", tuple(SUBPLANES)),
}
"""Question to the label it asks for and its classes."""


@dataclass(frozen=True)
class Sides:
    """Rows to learn from and rows held, both with their planes."""

    learn: tuple[Row, ...]
    held: tuple[Row, ...]


def sides(root: str | Path, split: str, limit: int | None) -> Sides:
    """Rows of the two sides: the test side against all others, or while choosing fold 1 against the training folds.

    Raises:
        DataMissing: the data set is absent, or a side is empty.
        UsageError: the training side was asked for: nothing would be left to learn from.
    """
    if split == "train":
        raise UsageError("--split train", "test, or val while choosing something")
    held = plane_rows(root, split, limit, lambda row: row.plane in KNOWN, ", ".join(KNOWN))
    learn = [row for row in read_dataset(DATA, root) if row.plane in KNOWN and row.split not in ("test", split)]
    if not learn:
        raise DataMissing(f"'{root}' has no picture to learn from", "the training side of FETAL_PLANES_DB")
    return Sides(tuple(learn), tuple(held))


def label_of(row: Row, target: str) -> str:
    """The label of a row; empty where it has none of the target's classes."""
    name, classes = TARGETS[target]
    value = getattr(row, name) or ""
    return value if value in classes else ""


def embedded(model: Any, rows: tuple[Row, ...], step: Callable[[int], None] = lambda done: None) -> Array:
    """Raw embeddings of rows, burned-in text masked; (n, d)."""
    return embed_paths(model, [row.path for row in rows], "mask", step)[0]


def mark(model: Any, target: str) -> str:
    """Whether a model was told these labels in its own training, in words."""
    seen = labels_seen(model.card, DATA)
    if seen is None:
        return "not known whether it has seen these labels"
    return "has seen these labels" if TARGETS[target][0] in seen else "never saw these labels"


def slug(name: str) -> str:
    """A model's name as part of a metric's."""
    return "".join(c if c.isalnum() else "_" for c in name.lower()).strip("_")[:60] or "model"
