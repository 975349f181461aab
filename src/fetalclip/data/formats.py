"""Tables as cells of text: CSV by itself, Parquet through pyarrow. Both are read as if their writer were hostile."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fetalclip.disk import replacing
from fetalclip.errors import DataMissing, OutputError, UnreadableInput, UsageError
from fetalclip.optional import require

MAX_ROWS = 5_000_000
_MAX_CELL = 1_000_000  # characters
_MAX_BYTES = 2 * 2**30
_NUMBERS = {"frame": "int32", "age_days": "int32", "fold": "int32", "width": "int32", "height": "int32"}
_FLOATS = ("mm_per_pixel", "hc_mm")

Table = tuple[list[str], list[dict[str, str]]]


def read_cells(path: Path, separators: str = ",") -> Table:
    """Header and rows of a ``.csv`` or ``.parquet`` file, each cell as text, empty for a null.

    Args:
        path: the file.
        separators: what may stand between the columns of a CSV; of several, the one its header has most.

    Raises:
        UsageError: another suffix.
        DataMissing: no such file, or the package for Parquet is not installed.
        UnreadableInput: too large, cut short, not text, or a column twice.
    """
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise UsageError(f"the table '{path}'", "a file that ends in .csv or .parquet")
    try:
        if not path.is_file():
            raise DataMissing(f"no table '{path}'", "a manifest", "fetalclip data manifest NAME --root DIR -o m.csv")
        if path.stat().st_size > _MAX_BYTES:
            raise UnreadableInput(f"'{path}' of {path.stat().st_size} bytes", f"at most {_MAX_BYTES}")
    except ValueError:
        raise UsageError("a table's name with a zero byte", "a file name") from None
    header, rows = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path, separators)
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise UnreadableInput(f"'{path}' has two columns '{twice:.60}'", "each column once")
    return header, rows


def write_cells(path: Path, header: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    """Write a ``.csv`` or ``.parquet`` file, whole or not at all.

    Raises:
        UsageError: another suffix.
        MissingPackage: Parquet without pyarrow.
        OutputError: it could not be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise UsageError(f"the table '{path}'", "a file that ends in .csv or .parquet", "-o manifest.csv")
    try:
        with replacing(path) as part:
            _write_csv(part, header, rows) if suffix == ".csv" else _write_parquet(part, header, rows)
    except OSError as error:
        raise OutputError(f"'{path}' cannot be written ({error.strerror})", "a folder that can be written to") from None


def _read_csv(path: Path, separators: str) -> Table:
    before = csv.field_size_limit(_MAX_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            start = handle.readline(_MAX_CELL)
            handle.seek(0)
            lines = csv.reader(handle, strict=True, delimiter=max(separators, key=start.count))
            header = [cell.strip() for cell in next(lines, [])]
            if len(header) == 1 and ";" in header[0] and ";" not in separators:
                raise UnreadableInput(f"'{path}' has ; between its columns", "commas")
            return header, [_row(path, header, line, lines.line_num) for line in lines if line]
    except OSError as error:
        raise DataMissing(f"'{path}' could not be read ({error.strerror})", "a CSV file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableInput(f"'{path}' is not CSV ({type(error).__name__})", "UTF-8 text, commas between") from None
    finally:
        csv.field_size_limit(before)


def _row(path: Path, header: list[str], line: list[str], number: int) -> dict[str, str]:
    if len(line) != len(header):
        raise UnreadableInput(f"'{path}' has {len(line)} cells in line {number}", f"{len(header)}, as its header has")
    return dict(zip(header, line, strict=True))


def _read_parquet(path: Path) -> Table:
    parquet = require("pyarrow.parquet", "reading Parquet tables", "parquet")
    try:
        file = parquet.ParquetFile(path)
        if file.metadata.num_rows > MAX_ROWS:
            raise UnreadableInput(f"'{path}' has {file.metadata.num_rows} rows", f"at most {MAX_ROWS}")
        table = file.read()
        header = [str(name) for name in table.column_names]
        columns = [[_text(value) for value in column.to_pylist()] for column in table.columns]
    except UnreadableInput:
        raise
    except Exception as error:  # pyarrow's own kinds, OSError and ValueError, for every damaged file another
        raise UnreadableInput(f"'{path}' cannot be read ({type(error).__name__})", "a Parquet file") from None
    return header, [dict(zip(header, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        plain, quoted = (
            csv.writer(handle, lineterminator="\n", quoting=how) for how in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
        )
        plain.writerow(header)
        for row in rows:
            cells = [row.get(name, "") for name in header]
            # csv quotes the line break that it writes itself; a reader ends a line at a bare carriage return too
            (quoted if any("\r" in cell for cell in cells) else plain).writerow(cells)


def _write_parquet(path: Path, header: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    arrow = require("pyarrow", "writing Parquet tables", "parquet")
    parquet = require("pyarrow.parquet", "writing Parquet tables", "parquet")
    columns = {}
    for name in header:
        cells = [row.get(name, "") or None for row in rows]
        if name in _NUMBERS:
            columns[name] = arrow.array([None if cell is None else int(cell) for cell in cells], arrow.int32())
        elif name in _FLOATS:
            columns[name] = arrow.array([None if cell is None else float(cell) for cell in cells], arrow.float64())
        else:
            columns[name] = arrow.array(cells, arrow.string())
    parquet.write_table(arrow.table(columns), path)


def _text(value: Any) -> str:
    """A cell as CSV would hold it; a list or a struct is no cell."""
    if value is None:
        return ""
    if isinstance(value, (str, int, float)):
        return str(value)
    raise ValueError(type(value).__name__)
