"""Files of saved age scores, predicted ages or sizes and their truth, read as if their writer were hostile.

Row 1 is the first row, in messages too. Row i of the scores belongs to row i of the truth.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip.bench.ages import DAYS
from fetalclip.bench.saved import read_json
from fetalclip.clinical.age import LATEST
from fetalclip.data.columns import MAX_HC
from fetalclip.data.formats import read_cells
from fetalclip.data.readers.hc18 import HC, SPACING
from fetalclip.errors import FetalclipError, UnreadableInput
from fetalclip.metrics import Reals

MIN_SPACING, MAX_SPACING = 0.005, 2.0  # mm per native pixel that can be meant: a picture 300 px wide is 1.5 to 600 mm
_MAX_BYTES = 2 * 2**30
_TRUTH = f"a CSV table with the columns filename, {SPACING}, {HC}"
_SCORES = f"an .npz file with scores (n, {DAYS.size}) and days ({DAYS.size},)"
_AGES, _SIZES = (
    f'one JSON object {{"{name}": [...]}}, optionally "low", "high" and "filename", lists of one length; or a CSV '
    "table with these columns"
    for name in ("days", "hc_mm")
)


@dataclass(frozen=True, eq=False)
class Truth:
    """Measured heads, row by row; all of length n.

    Attributes:
        name: base name of the picture.
        group: examination: the name before its first ``_``.
        hc: head circumference, mm.
        spacing: mm per native pixel; None where the table has no such column.
        sha256: of the file.
    """

    name: tuple[str, ...]
    group: tuple[str, ...]
    hc: Reals
    spacing: Reals | None
    sha256: str

    def __len__(self) -> int:
        return len(self.name)


def read_truth(path: Path) -> Truth:
    """Read and check a table of measured heads, every row of it.

    Raises:
        UnreadableInput: no such table, a column is missing, a file is named twice, or a number cannot be meant.
    """
    header, lines, digest = _table(path, _TRUTH, "--truth")
    size = next((name for name in (HC, "hc_mm") if name in header), None)
    wide = next((name for name in (SPACING, "mm_per_pixel") if name in header), None)
    if size is None or "filename" not in header:
        missing = HC if "filename" in header else "filename"
        raise UnreadableInput(f"{path.name} has no column '{missing}'", _TRUTH, "--truth F.csv")
    if not lines:
        raise UnreadableInput(f"{path.name} has a header and no rows", _TRUTH, "--truth F.csv")
    names = tuple(Path(line["filename"].strip()).name for line in lines)
    _check_names(names, path)

    def column(wanted: str, least: float, most: float) -> Reals:
        places = [f"{path.name}, row {row} ({name:.80}): {wanted}" for row, name in enumerate(names, 1)]
        cells = [line[wanted] for line in lines]
        return np.array([_number(cell, at, least, most) for cell, at in zip(cells, places, strict=True)])

    spacing = None if wide is None else column(wide, MIN_SPACING, MAX_SPACING)
    groups = tuple(name.partition("_")[0] for name in names)
    return Truth(names, groups, column(size, 0.0, MAX_HC), spacing, digest)


def read_scores(path: Path, truth: Truth) -> tuple[Reals, str]:
    """Scores of every day, (n, 175), and the sha256 of the file.

    Raises:
        UnreadableInput: no such file, other days than the published 175, a score that is no number, or another number
            of rows than the truth has.
    """
    arrays, digest = _arrays(path)
    scores, days = arrays["scores"], arrays["days"]
    if days.ndim != 1 or not np.array_equal(days, DAYS):
        span = f" from {days.flat[0]:g} to {days.flat[-1]:g}" if days.size else ""
        wanted = f"the {DAYS.size} days {DAYS[0]} to {DAYS[-1]} (14w0d to 38w6d)"
        raise UnreadableInput(f"{path.name} has {days.size} days{span}", wanted, "--predictions for any other rule")
    if scores.ndim != 2 or scores.shape[1] != DAYS.size:
        raise UnreadableInput(f"{path.name} has scores of shape {scores.shape}", f"(n, {DAYS.size}), one for each day")
    _check_count(len(scores), path, truth)
    bad = np.argwhere(~np.isfinite(scores))
    if len(bad):
        row, day = (int(i) for i in bad[0])
        where = f"row {row + 1} ({truth.name[row]:.80}), day {DAYS[day]}"
        raise UnreadableInput(f"{path.name}, {where}: the score {scores[row, day]}", "a finite number")
    return scores.astype(np.float64), digest


def read_ages(path: Path, truth: Truth) -> tuple[Reals, Reals | None, Reals | None, str]:
    """Predicted days, low, high, (n,) each, in the order of the truth, and the sha256 of the file.

    An empty cell or null is no answer. With ``filename``, rows may come in any order and must name every file of the
    truth once; without it row i belongs to row i.

    Raises:
        UnreadableInput: no such file, another shape, a day that cannot be meant, or rows that do not fit the truth.
    """
    return _read_told(path, truth, ("days",), float(LATEST), _AGES)


def read_sizes(path: Path, truth: Truth) -> tuple[Reals, Reals | None, Reals | None, str]:
    """Measured head circumferences, low, high, mm, (n,) each, and the sha256 of the file; as `read_ages`.

    The column is ``hc_mm``, ``HC`` or HC18's own header.
    """
    return _read_told(path, truth, ("hc_mm", "HC", HC), MAX_HC, _SIZES)


def _read_told(
    path: Path, truth: Truth, names: Sequence[str], most: float, shape: str
) -> tuple[Reals, Reals | None, Reals | None, str]:
    """The column of one of the names, low and high, none above ``most``."""
    columns, digest = _columns(path, names, shape)
    wanted = next((name for name in names if name in columns), None)
    if wanted is None:
        raise UnreadableInput(f"{path.name} has no '{names[0]}'", shape, "--predictions F.csv")
    if ("low" in columns) != ("high" in columns):
        raise UnreadableInput(f"{path.name} has one of 'low' and 'high' without the other", shape)
    order = _order(columns.pop("filename", None), len(columns[wanted]), path, truth)
    told: dict[str, Reals] = {}
    for name in (wanted, "low", "high") if "low" in columns else (wanted,):
        values = [
            _number(value, f"{path.name}, row {row}: {name}", 0.0, most, empty=True)
            for row, value in enumerate(columns[name], 1)
        ]
        told[name] = np.array(values, dtype=np.float64)[order]
    low, high = told.get("low"), told.get("high")
    if low is not None and high is not None:
        crossed = np.flatnonzero((low > high) | (np.isfinite(low) != np.isfinite(high)))
        if crossed.size:
            at = int(crossed[0])
            where = f"{path.name}, row {order[at] + 1} ({truth.name[at]:.80})"
            raise UnreadableInput(f"{where}: an interval from {low[at]:g} to {high[at]:g}", "low at most high")
    return told[wanted], low, high, digest


def _check_names(names: Sequence[str], path: Path) -> None:
    first: dict[str, int] = {}
    for row, name in enumerate(names, 1):
        if not name:
            raise UnreadableInput(f"{path.name}, row {row} names no file", "a file name")
        if first.setdefault(name, row) != row:
            raise UnreadableInput(f"{path.name}, row {row}: {name:.80} is named in row {first[name]} too", "once")


def _check_count(rows: int, path: Path, truth: Truth) -> None:
    if rows == len(truth):
        return
    lacking = f"row {len(truth) + 1} has no truth"
    if rows < len(truth):
        lacking = f"row {rows + 1} of the truth ({truth.name[rows]:.80}) has none"
    found = f"{path.name} has {rows} rows and the truth {len(truth)}: {lacking}"
    raise UnreadableInput(found, "row i of the one for row i of the other, every row given")


def _order(names: Any, rows: int, path: Path, truth: Truth) -> Any:
    """For every row of the truth the row that predicts it, (n,)."""
    if names is None:
        _check_count(rows, path, truth)
        return np.arange(rows)
    names = [Path(str(name).strip()).name for name in names]
    _check_names(names, path)
    where = {name: row for row, name in enumerate(names)}
    for row, name in enumerate(truth.name, 1):
        if name not in where:
            raise UnreadableInput(f"{path.name} has no row for {name:.80} (row {row} of the truth)", "every file")
    known = set(truth.name)
    strange = next((name for name in names if name not in known), None)
    if strange is not None:
        raise UnreadableInput(f"{path.name}, row {where[strange] + 1}: {strange:.80} has no truth", "a file of --truth")
    return np.array([where[name] for name in truth.name])


def _number(value: Any, what: str, least: float, most: float, empty: bool = False) -> float:
    """A number from ``least`` (above it, if it is zero) to ``most``; NaN for an empty one where that may be."""
    text = "" if value is None else str(value).strip()
    if not text and empty:
        return math.nan
    try:
        found = math.nan if isinstance(value, bool) else float(text)
    except ValueError:
        found = math.nan
    if not (found <= most and (found > 0 if least == 0 else found >= least)):
        wanted = f"{least:g} to {most:g}" if least else f"above 0 and at most {most:g}"
        raise UnreadableInput(f"{what} is {text[:40]!r}" if text else f"{what} is missing", f"a number, {wanted}")
    return found


def _columns(path: Path, names: Sequence[str], shape: str) -> tuple[dict[str, list[Any]], str]:
    fix = "--predictions F.json"
    if path.suffix.lower() == ".csv":
        header, lines, digest = _table(path, shape, "--predictions")
        return {name: [line[name] for line in lines] for name in header}, digest
    data, digest = read_json(path, shape, fix)
    lists = {key: data[key] for key in (*names, "low", "high", "filename") if data.get(key) is not None}
    if not all(isinstance(values, list) for values in lists.values()):
        raise UnreadableInput(f"{path.name} has an unusable list", shape, fix)
    if len({len(values) for values in lists.values()}) > 1:
        said = ", ".join(f"{len(values)} of {name}" for name, values in lists.items())
        raise UnreadableInput(f"{path.name} has {said}", shape, fix)
    return lists, digest


def _table(path: Path, wanted: str, option: str) -> tuple[list[str], list[dict[str, str]], str]:
    """Header, rows and sha256 of a CSV table."""
    try:
        digest = sha256(path.read_bytes()).hexdigest()
        header, lines = read_cells(path)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no usable path"
        raise UnreadableInput(f"{path.name} could not be read ({why})", wanted, f"{option} F.csv") from None
    except FetalclipError as error:
        raise UnreadableInput(error.found, error.expected or wanted, f"{option} F.csv") from None
    return header, lines, digest


def _arrays(path: Path) -> tuple[dict[str, Any], str]:
    """``scores`` and ``days`` of an .npz file as they are, never unpickled; and its sha256."""
    fix = "--scores F.npz"
    try:
        digest = sha256(path.read_bytes()).hexdigest()
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > _MAX_BYTES:
            raise UnreadableInput(f"{path.name} unpacks to {size} bytes", f"at most {_MAX_BYTES}", fix)
        with np.load(path, allow_pickle=False) as file:
            found = {name: np.asarray(file[name]) for name in ("scores", "days") if name in file.files}
    except OSError as error:
        raise UnreadableInput(f"{path.name} could not be read ({error.strerror})", _SCORES, fix) from None
    except (ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile, NotImplementedError) as error:
        what = f"{path.name} is no .npz file of numbers ({type(error).__name__})"
        raise UnreadableInput(what, _SCORES, fix) from None
    for name in ("scores", "days"):
        if name not in found or found[name].dtype.kind not in "iuf":
            raise UnreadableInput(f"{path.name} has no array '{name}' of numbers", _SCORES, fix)
    return found, digest
