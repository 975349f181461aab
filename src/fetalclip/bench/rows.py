"""Tables of the card about other models than the card's own: what each part of the recipe is worth, on the same split.

A block is ``{"command", "note", "rows": [{"name", "changes", METRIC: {"value", "low", "high", "n"} or null, ...}]}``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fetalclip.errors import UnreadableInput, UsageError

BLOCKS = {"ablations": "### Ablations", "language": "### What the language side buys"}
_TITLES = {
    "macro_f1": "planes: macro F1",
    "subplanes_macro_f1": "sub-planes: macro F1",
    "subplanes_ece": "sub-planes: calibration error",
}
_WORDS = ("name", "changes")
_METRIC = '{"value", "low", "high", "n"} or null'
_MAX_BYTES = 1_000_000


def read(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        UnreadableInput: it is missing, larger than 1 MB or no JSON.
    """
    try:
        raw = path.read_bytes() if path.stat().st_size <= _MAX_BYTES else None
        if raw is None:
            raise UnreadableInput(f"{path.name} is larger than {_MAX_BYTES} bytes", "a small JSON file")
        return json.loads(raw.decode("utf-8"))
    except OSError as error:
        raise UnreadableInput(f"{path} could not be read ({error.strerror})", "a JSON file") from error
    except (ValueError, RecursionError) as error:
        raise UnreadableInput(f"{path.name} is not JSON", "one JSON object with rows") from error


def check(key: str, block: Any) -> None:
    """Hold a block against its shape.

    Raises:
        UsageError: an unknown key, or the first row that is of another shape.
    """
    if key not in BLOCKS:
        raise UsageError(f"no part {key!r:.60} of a card", " or ".join(BLOCKS), f"--card {next(iter(BLOCKS))}")
    if not isinstance(block, Mapping) or not isinstance(block.get("rows"), list) or not block["rows"]:
        raise UsageError(f"{key} without rows", '{"command": ..., "note": ..., "rows": [...]}')
    for name in ("command", "note"):
        if not isinstance(block.get(name, ""), str):
            raise UsageError(f"{name!r} of {key} is a {type(block[name]).__name__}", "text")
    for number, row in enumerate(block["rows"], 1):
        _check_row(row, f"row {number} of {key}")
    if not _columns(block["rows"]):
        raise UsageError(f"{key} measure nothing", f"rows with a measure: {_METRIC}")


def section(key: str, block: Mapping[str, Any]) -> list[str]:
    """A block as lines of Markdown: heading, note, command, table."""
    columns = _columns(block["rows"])
    words = [name for name in _WORDS if any(row.get(name) for row in block["rows"])]
    head = ["what", "change"][: len(words)] + [_TITLES.get(name, name.replace("_", " ")) for name in columns]
    told = [BLOCKS[key], ""]
    if note := block.get("note"):
        told += [note, ""]
    if command := block.get("command"):
        told += [f"Measured by `{command}`; 95 % intervals.", ""]
    lines = [[*(row.get(word, "") for word in words), *(_cell(row.get(c)) for c in columns)] for row in block["rows"]]
    return [*told, _row(head), "|" + "---|" * len(head), *map(_row, lines), ""]


def _check_row(row: Any, where: str) -> None:
    if not isinstance(row, Mapping) or not isinstance(row.get("name"), str) or not row["name"].strip():
        raise UsageError(f"{where} has no name", '"name": what was changed, in words')
    if not isinstance(row.get("changes", ""), str):
        raise UsageError(f"'changes' in {where} is a {type(row['changes']).__name__}", "text such as key=value")
    for name, found in row.items():
        if name not in _WORDS and found is not None:
            _check_metric(found, f"{name!r} in {where}")


def _check_metric(found: Any, what: str) -> None:
    if not isinstance(found, Mapping):
        raise UsageError(f"{what} is a {type(found).__name__}", _METRIC)
    for key in ("value", "low", "high"):
        number = found.get(key)
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
            raise UsageError(f"{key} of {what} is {number!r:.40}", "a number")
    if found["low"] > found["high"]:
        raise UsageError(f"{what} runs from {found['low']} to {found['high']}", "low before high")
    if type(found.get("n")) is not int or found["n"] < 1:
        raise UsageError(f"n of {what} is {found.get('n')!r:.40}", "a whole number above zero")


def _columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the measures, in the order in which they first have a value."""
    return list(dict.fromkeys(name for row in rows for name, found in row.items() if isinstance(found, Mapping)))


def _cell(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f}), n = {found['n']}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"
