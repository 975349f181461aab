"""Reader of HC18's training set (van den Heuvel et al. 2018, Zenodo 1327317, CC BY 4.0).

Layout: ``training_set_pixel_size_and_HC.csv`` and ``training_set/``, where ``010_HC_Annotation.png`` lies beside
``010_HC.png``: a head's outline as published, or a filled head; `fetalclip.data.masks` reads both. The published test
set has no head circumferences and counts its examinations from zero again, so it is not read.

The numbers in the file names are sorted by head size. Rows come in the order of a hash of the name, and
nothing downstream may use the name as a feature or an order.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from fetalclip.clinical.growth import hc_equivalent_age
from fetalclip.data.manifest import Row
from fetalclip.data.published import License, again, locate, number, placed, present, read_table
from fetalclip.data.readers.reader import Reader
from fetalclip.errors import DataMissing

DATASET = "hc18"
FOLDERS = ("hc18", "HC18")
TABLE = "training_set_pixel_size_and_HC.csv"
SPACING, HC = "pixel size(mm)", "head circumference (mm)"  # mm per native pixel; mm


def group_of(name: str) -> str:
    """Split key of a file name: ``HC18:010`` for ``010_HC.png`` and ``010_2HC.png``."""
    match = re.fullmatch(r"(\d+)_\d*HC\.png", name)
    if match is None:
        fix = again(DATASET)
        raise DataMissing(f"{DATASET}: '{name}' is no published file name", "names such as 010_2HC.png", fix)
    return f"HC18:{match[1]}"


def annotation_of(picture: Path) -> Path | None:
    """The annotation beside a picture, or None where there is none."""
    path = picture.with_name(f"{picture.stem}_Annotation.png")
    return path if path.is_file() else None


def read(root: str | Path, strict: bool = True) -> list[Row]:
    """Rows in an order that tells nothing of head size. ``root``: the data set's folder or its parent.

    ``age_days`` is ``None`` for heads outside the WHO chart, among them all first-trimester ones.

    Raises:
        DataMissing: the folder, the table, a column or (``strict``) a picture is missing.
    """
    folder = locate(DATASET, root, FOLDERS, (TABLE, "training_set"))
    table = folder / TABLE
    rows = []
    for line in read_table(DATASET, table, ("filename", SPACING, HC)):
        path, hc_mm = folder / "training_set" / line["filename"], number(DATASET, table, line, HC)
        group, mask = group_of(line["filename"]), annotation_of(path)
        rows.append(
            placed(
                DATASET,
                path,
                group,
                plane="brain",
                mm_per_pixel=number(DATASET, table, line, SPACING),
                hc_mm=hc_mm,
                age_days=hc_equivalent_age(hc_mm),
                mask=mask,
                mask_kind=None if mask is None else "head",
            )
        )
    rows.sort(key=lambda row: sha256(row.name.encode()).digest())
    return present(DATASET, rows, strict)


READER = Reader(
    DATASET,
    read,
    License(
        "CC-BY-4.0",
        "van den Heuvel TLA, et al. Automated measurement of fetal head circumference using 2D ultrasound "
        "images. Zenodo 2018. doi:10.5281/zenodo.1327317; PLoS ONE 2018;13:e0200412",
        "https://zenodo.org/records/1327317",
    ),
    FOLDERS,
    (TABLE, "training_set"),
    record="1327317",
)
