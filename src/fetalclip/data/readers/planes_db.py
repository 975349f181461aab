"""Reader of FETAL_PLANES_DB (Burgos-Artizzu et al. 2020, Zenodo 3904280, CC BY 4.0).

Layout: ``FETAL_PLANES_DB_data.csv`` (``;`` separated; the published header has ``Train `` with a blank) and
``Images/``.
"""

from __future__ import annotations

from pathlib import Path

from fetalclip.data.manifest import Row
from fetalclip.data.published import License, again, locate, placed, present, read_table
from fetalclip.data.readers.reader import Reader
from fetalclip.errors import DataMissing

DATASET = "fetal-planes-db"
FOLDERS = ("fetal_planes_db", "FETAL_PLANES_DB", "FETAL_PLANES_ZENODO")
TABLE = "FETAL_PLANES_DB_data.csv"
COLUMNS = ("Image_name", "Patient_num", "Plane", "Brain_plane", "US_Machine", "Train")

PLANES: dict[str, str | None] = {
    "Fetal brain": "brain",
    "Fetal abdomen": "abdomen",
    "Fetal femur": "femur",
    "Fetal thorax": "thorax",
    "Maternal cervix": "cervix",
    "Other": None,
}
SUBPLANES: dict[str, str | None] = {
    "Trans-thalamic": "trans-thalamic",
    "Trans-cerebellum": "trans-cerebellum",
    "Trans-ventricular": "trans-ventricular",
    "Other": None,
    "Not A Brain": None,
}


def _choice(line: dict[str, str], column: str, known: dict[str, str | None]) -> str | None:
    """The published label in this package's words; raises `DataMissing` for one that is not known."""
    if line[column] not in known:
        raise DataMissing(
            f"{DATASET}: {TABLE} has the unknown {column} '{line[column]}'",
            ", ".join(known),
            again(DATASET),
        )
    return known[line[column]]


def _train(line: dict[str, str]) -> int:
    """The published ``Train `` flag: 1 training side, 0 test side."""
    if line["Train"] not in ("0", "1"):
        fix = again(DATASET)
        raise DataMissing(f"{DATASET}: {TABLE} has an unusable 'Train '", "0 or 1", fix)
    return int(line["Train"])


def group_of(patient: str) -> str:
    """Split key of a patient, shared with the head structures: ``FPDB:168`` for ``168`` or ``00168``."""
    return f"FPDB:{int(patient)}"


def _table(folder: Path) -> list[dict[str, str]]:
    lines = read_table(DATASET, folder / TABLE, COLUMNS, delimiter=";")
    if any(not line["Patient_num"].isdigit() for line in lines):
        fix = again(DATASET)
        raise DataMissing(f"{DATASET}: {TABLE} has an unusable 'Patient_num'", "a whole number", fix)
    return lines


def has_table(root: str | Path) -> bool:
    """Whether the planes table is in ``root`` or in the data set's folder within it."""
    return any((Path(root) / folder / TABLE).is_file() for folder in (".", *FOLDERS))


def official_train(root: str | Path) -> dict[str, int]:
    """Published side of every patient by group key: 1 training, 0 test (even if only one picture says so)."""
    sides: dict[str, int] = {}
    for line in _table(locate(DATASET, root, FOLDERS, (TABLE,))):
        group = group_of(line["Patient_num"])
        sides[group] = min(_train(line), sides.get(group, 1))
    return sides


def read(root: str | Path, strict: bool = True) -> list[Row]:
    """Rows in table order. ``root``: the data set's folder or the one that holds it.

    Raises:
        DataMissing: the folder, the table, a column or (``strict``) a picture is missing.
    """
    folder = locate(DATASET, root, FOLDERS, (TABLE, "Images"))
    sides = official_train(folder)
    rows = []
    for line in _table(folder):
        group = group_of(line["Patient_num"])
        rows.append(
            placed(
                DATASET,
                folder / "Images" / f"{line['Image_name']}.png",
                group,
                sides[group],
                plane=_choice(line, "Plane", PLANES),
                subplane=_choice(line, "Brain_plane", SUBPLANES),
                machine=line["US_Machine"] or None,
                operator=line.get("Operator") or None,
            )
        )
    return present(DATASET, rows, strict)


READER = Reader(
    DATASET,
    read,
    License(
        "CC-BY-4.0",
        "Burgos-Artizzu XP, et al. FETAL_PLANES_DB: Common maternal-fetal ultrasound images. Zenodo 2020. "
        "doi:10.5281/zenodo.3904280; Sci Rep 2020;10:10200",
        "https://zenodo.org/records/3904280",
    ),
    FOLDERS,
    (TABLE, "Images"),
    record="3904280",
)
