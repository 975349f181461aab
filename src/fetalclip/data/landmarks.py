"""Expert end points on pictures of FETAL_PLANES_DB (Di Vece et al., Multicentre Fetal Biometry, CC BY-NC-SA 4.0).

For measuring only: nothing may be trained, tuned or drawn from them, so only pictures of the published test side
(``Train `` = 0) are read at all. ``biometry_landmarks.csv`` lies beside the planes table; its coordinates and
``mm_per_pixel`` are of the pictures as they lie there.

The set describes the end points of BPD as on the outer edges of both parietal bones, those of FL as the ends of the
diaphysis; AC is the ellipse about TAD and APAD.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fetalclip.clinical.biometry import ellipse_circumference
from fetalclip.data.columns import MAX_SIDE, MAX_SPACING
from fetalclip.data.formats import read_cells
from fetalclip.data.manifest import Row
from fetalclip.data.published import License, locate
from fetalclip.data.readers import planes_db
from fetalclip.errors import DataMissing, UnreadableInput

DATASET = "fetal-biometry-landmarks"
TABLE = "biometry_landmarks.csv"
LICENSE = License(
    "CC-BY-NC-SA-4.0",
    "Di Vece C, et al. A multi-centre, multi-device benchmark dataset for landmark-based comprehensive fetal biometry. "
    "2025. arXiv:2512.16710",
    "https://github.com/surgical-vision/Multicentre-Fetal-Biometry",
)
CALIPERS: Mapping[str, tuple[str, ...]] = {"head": ("BPD", "OFD"), "abdomen": ("TAD", "APAD"), "femur": ("FL",)}
"""Structure to the diameters that have two end points in the table."""
MEASURES = ("BPD", "OFD", "TAD", "APAD", "AC", "FL")
_MAX_MM = 300.0  # a diameter that no fetus has
_TEST_SIDE = -1  # fold of the published test side


@dataclass(frozen=True)
class Expert:
    """What an expert measured in one picture.

    Attributes:
        row: the picture.
        mm_per_pixel: of the picture as it lies there.
        sizes: measure to mm; of an abdomen AC too.
    """

    row: Row
    mm_per_pixel: float
    sizes: Mapping[str, float]


def read_experts(root: str | Path) -> list[Expert]:
    """Expert measures of the published test side, in the order of the planes table.

    Args:
        root: FETAL_PLANES_DB's folder or the one that holds it.

    Raises:
        DataMissing: no FETAL_PLANES_DB, no such table in it, or no row of a test picture.
        UnreadableInput: a table that cannot be used; the message names the row and the column. Rows of other pictures
            are passed over unread.
    """
    folder = locate(planes_db.DATASET, root, planes_db.FOLDERS, (planes_db.TABLE, "Images"))
    path = folder / TABLE
    if not path.is_file():
        lacking = f"{DATASET}: '{folder}' has no {TABLE}"
        raise DataMissing(lacking, f"{TABLE}, the experts' end points", f"see {LICENSE.url}")
    header, lines = read_cells(path)
    needed = ("image", "structure", "mm_per_pixel", *(column for names in CALIPERS.values() for column in _ends(names)))
    if missing := [name for name in needed if name not in header]:
        raise UnreadableInput(f"{TABLE} has no column {', '.join(missing)}", "the columns as described", LICENSE.url)
    rows = {row.name: row for row in planes_db.read(folder) if row.fold == _TEST_SIDE}
    found: dict[str, Expert] = {}
    for number, line in enumerate(lines, 1):
        name = line["image"].strip()
        if name not in rows:
            continue
        if name in found:
            raise UnreadableInput(f"{TABLE}, row {number}: a picture for the second time", "every picture once")
        found[name] = _expert(rows[name], line, f"{TABLE}, row {number}")
    if not found:
        raise DataMissing(f"{DATASET}: {TABLE} has no picture of the published test side", "end points of one")
    return [found[name] for name in rows if name in found]


def _expert(row: Row, line: Mapping[str, str], where: str) -> Expert:
    structure = line["structure"].strip()
    if structure not in CALIPERS:
        raise UnreadableInput(f"{where}: the structure {structure!r:.40}", ", ".join(CALIPERS))
    spacing = _number(line, "mm_per_pixel", where, 0.0, MAX_SPACING)
    sizes = {name: _distance(line, name, where) * spacing for name in CALIPERS[structure]}
    for name, size in sizes.items():
        if not 0.0 < size <= _MAX_MM:
            raise UnreadableInput(f"{where}: a {name} of {size:g} mm", f"above 0 and at most {_MAX_MM:g}")
    if structure == "abdomen":
        sizes["AC"] = float(ellipse_circumference(sizes["TAD"], sizes["APAD"]))
    return Expert(row, spacing, sizes)


def _distance(line: Mapping[str, str], name: str, where: str) -> float:
    """Between the two end points of a diameter, in the picture's pixels."""
    first_x, first_y, second_x, second_y = (
        _number(line, column, where, -MAX_SIDE, MAX_SIDE) for column in _ends((name,))
    )
    return math.hypot(second_x - first_x, second_y - first_y)


def _ends(names: tuple[str, ...]) -> tuple[str, ...]:
    """Columns of the end points of some diameters: ``fl_1_x``, ``fl_1_y``, ``fl_2_x``, ``fl_2_y``."""
    return tuple(f"{name.lower()}_{end}_{axis}" for name in names for end in (1, 2) for axis in "xy")


def _number(line: Mapping[str, str], column: str, where: str, low: float, high: float) -> float:
    try:
        value = float(line[column])
    except ValueError:
        value = math.nan
    if not low <= value <= high or (low == 0.0 and value == 0.0):
        raise UnreadableInput(f"{where}: {column} is {line[column]!r:.40}", f"a number from {low:g} to {high:g}")
    return value
