"""One picture of a data set as a `Row`, the licences, and the small helpers every reader uses."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fetalclip.errors import DataMissing


class License(NamedTuple):
    """Licence and citation of a data set."""

    license: str
    citation: str
    url: str


LICENSES: dict[str, License] = {
    "fetal-planes-db": License(
        "CC-BY-4.0",
        "Burgos-Artizzu XP, et al. FETAL_PLANES_DB: Common maternal-fetal ultrasound images. Zenodo 2020. "
        "doi:10.5281/zenodo.3904280; Sci Rep 2020;10:10200",
        "https://zenodo.org/records/3904280",
    ),
    "hc18": License(
        "CC-BY-4.0",
        "van den Heuvel TLA, et al. Automated measurement of fetal head circumference using 2D ultrasound "
        "images. Zenodo 2018. doi:10.5281/zenodo.1327317; PLoS ONE 2018;13:e0200412",
        "https://zenodo.org/records/1327317",
    ),
    "head-structures": License(
        "CC-BY-4.0",
        "Alzubaidi M, et al. Large-scale annotation dataset for fetal head biometry in ultrasound images. "
        "Zenodo 2023. doi:10.5281/zenodo.8265464; Data Brief 2023;51:109708",
        "https://zenodo.org/records/8265464",
    ),
}


@dataclass(frozen=True)
class Row:
    """One picture: where it is, what is known about it, and on which side of the frozen split it stands.

    ``group`` is the split key: pictures of one group are never in two splits. ``fold`` is 0 to 4, or -1 for
    the published test side of FETAL_PLANES_DB. ``mm_per_pixel`` is per native pixel; ``age_days`` of HC18 is
    the day whose WHO median is that head (`fetalclip.clinical.growth`).
    """

    dataset: str
    path: Path
    name: str  # plain file name; of HC18 it betrays the size: never a feature, never a sort order
    group: str  # FPDB:<patient> or HC18:<examination>
    fold: int
    split: str  # train, val, test
    plane: str | None = None
    subplane: str | None = None
    machine: str | None = None
    mm_per_pixel: float | None = None
    hc_mm: float | None = None
    age_days: int | None = None


def locate(dataset: str, root: str | Path, folders: Sequence[str], needed: Sequence[str]) -> Path:
    """Folder of a data set: ``root`` itself or one of ``folders`` in it, whichever holds all of ``needed``.

    Raises:
        DataMissing: neither does; the message says what was found and where to get the data.
    """
    root = Path(root)
    candidates = [root, *(root / folder for folder in folders)]
    for folder in candidates:
        if all((folder / name).exists() for name in needed):
            return folder
    if not root.is_dir():
        found = f"'{root}' is not a folder"
    else:
        near = next((folder for folder in candidates[1:] if folder.is_dir()), root)
        lacking = ", ".join(name for name in needed if not (near / name).exists())
        found = f"'{near}' has no {lacking}"
    raise DataMissing(
        f"{dataset}: {found}",
        f"a folder '{folders[0]}' with {' and '.join(needed)}, as published",
        f"download it from {LICENSES[dataset].url}, unpack it, and name the folder that holds it",
    )


def read_table(dataset: str, path: Path, columns: Sequence[str], delimiter: str = ",") -> list[dict[str, str]]:
    """Rows of a CSV file, header and values stripped of blanks (the published ``Train `` has one).

    Raises:
        DataMissing: the file cannot be read, has no rows or lacks one of ``columns``.
    """
    fix = f"download it again from {LICENSES[dataset].url}"
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            lines = [[cell.strip() for cell in line] for line in csv.reader(handle, delimiter=delimiter) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataMissing(f"{dataset}: '{path}' could not be read ({type(error).__name__})", "", fix) from error
    header = lines[0] if lines else []
    lacking = [name for name in columns if name not in header]
    if lacking:
        wanted = f"columns {', '.join(columns)} separated by '{delimiter}'"
        raise DataMissing(f"{dataset}: '{path}' has no column {', '.join(lacking)}", wanted, fix)
    short = next((number for number, line in enumerate(lines, 1) if len(line) < len(header)), None)
    if short is not None:
        raise DataMissing(f"{dataset}: '{path}' is cut short in row {short}", f"{len(header)} cells", fix)
    if len(lines) == 1:
        raise DataMissing(f"{dataset}: '{path}' has a header and no rows", "", fix)
    return [dict(zip(header, line, strict=False)) for line in lines[1:]]


def number(dataset: str, path: Path, line: dict[str, str], column: str) -> float:
    """The cell of ``column`` as a number above zero; raises `DataMissing` naming the column otherwise."""
    try:
        value = float(line[column])
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        fix = f"download it again from {LICENSES[dataset].url}"
        raise DataMissing(f"{dataset}: '{path}' has an unusable '{column}'", "a number above zero", fix)
    return value


def present(dataset: str, rows: list[Row], strict: bool) -> list[Row]:
    """The rows whose picture is there.

    Raises:
        DataMissing: a picture is listed twice, or ``strict`` and some are absent; the message gives
            the count and the first three names.
    """
    names = [row.name for row in rows]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        fix = f"download it again from {LICENSES[dataset].url}"
        raise DataMissing(f"{dataset}: the table lists '{twice}' twice", "every picture once", fix)
    absent = {row.name for row in rows if not row.path.is_file()}
    if absent and strict:
        first = ", ".join([row.name for row in rows if row.name in absent][:3])
        raise DataMissing(
            f"{dataset}: {len(absent)} of {len(rows)} pictures are missing, first {first}",
            f"every picture of the table in '{rows[0].path.parent}'",
            f"download the set again from {LICENSES[dataset].url}, or read it with strict=False",
        )
    return [row for row in rows if row.name not in absent]
