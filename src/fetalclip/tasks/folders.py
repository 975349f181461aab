"""Where a model's heads lie: folders within its own by name, or a folder anywhere."""

from __future__ import annotations

from pathlib import Path


def folders_within(model: Path | None, name: str) -> dict[str, Path]:
    """The folders in a folder of a model folder by name, in order; hidden ones are unfinished.

    Args:
        model: the model folder; None for a model without one.
        name: of the folder looked into.
    """
    within = None if model is None else model / name
    there = sorted(path for path in within.iterdir() if path.is_dir()) if within and within.is_dir() else []
    return {path.name: path for path in there if not path.name.startswith(".")}


def named_folder(head: str | Path, known: dict[str, Path]) -> Path | None:
    """The folder of a head by its name among those known, or by a path; None where there is none."""
    if isinstance(head, str) and head in known:
        return known[head]
    try:
        return Path(head) if Path(head).is_dir() else None
    except (OSError, ValueError):  # a name too long for a path, or with a zero byte
        return None
