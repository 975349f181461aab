"""What the protocols share: overlays, options, rows of a data set, provenance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fetalclip.bench.refusals import spread
from fetalclip.data import LICENSES, Row, read_dataset
from fetalclip.errors import DataMissing, UsageError

OVERLAYS = {"mask": "overlay masked", "keep": "as is", "only": "overlay alone, anatomy blanked"}
INTERVAL = "95 % percentile bootstrap over patients; Wilson over patients where a rate is 0 or 1"


def check(split: str, limit: int | None) -> None:
    """Refuse options out of range.

    Raises:
        UsageError: no such split, or fewer than one picture.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"a limit of {limit} pictures", "1 or more", "--n 40")
    if split not in ("train", "val", "test"):
        raise UsageError(f"a split named {split!r}", "train, val or test")


def cautions(split: str, limit: int | None) -> list[str]:
    """Notes of a measurement that is no result to report."""
    notes = []
    if limit is not None:
        notes.append(f"a quick look at no more than {limit} pictures of each set: not a result to report")
    if split != "test":
        notes.append(f"measured on the {split} side: for choosing, not a result to report")
    return notes


def plane_rows(root: str | Path, split: str, limit: int | None, wanted: Callable[[Row], bool], what: str) -> list[Row]:
    """Rows of FETAL_PLANES_DB on one side of the split.

    Args:
        root: folder that holds the data set.
        split: side of the split.
        limit: at most so many, of all sorts; None takes all.
        wanted: whether a row is of the protocol.
        what: how a message names such rows.

    Raises:
        DataMissing: the data set is absent or incomplete, or has no such row.
    """
    rows = [row for row in read_dataset("fetal-planes-db", root) if row.split == split and wanted(row)]
    if not rows:
        raise DataMissing(f"'{root}' has no {what} picture in the {split} split", "one or more")
    return spread(rows, limit)


def named(model: Any) -> dict[str, Any]:
    """Which model was measured, for the provenance; None for what a stand-in does not say."""
    card, encoder = getattr(model, "card", None), getattr(model, "encoder", None)
    return {
        "model": getattr(card, "name", None),
        "model_sha256": getattr(card, "sha256", None),
        "license": getattr(card, "license", None),
        "engine": getattr(encoder, "engine", None),
    }


def sources(*names: str) -> list[dict[str, str]]:
    """Name, licence and citation of the data sets that were measured on, for the provenance."""
    return [{"name": name, "license": LICENSES[name].license, "citation": LICENSES[name].citation} for name in names]
