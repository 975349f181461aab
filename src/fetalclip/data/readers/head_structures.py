"""Reader of the fetal head structures (Alzubaidi et al. 2023, Zenodo 8265464, CC BY 4.0): trans-ventricular.

Layout, this project's own and not the record's: ``index.csv`` (``image``, ``patient``), ``images/`` and, where there
are any, ``masks/`` of the same names: 0 background, 1 brain, 2 cavum septi pellucidi, 3 lateral ventricle. The pictures
come from FETAL_PLANES_DB patients, so they share its split keys, and a patient on its published test side is test here.
"""

from __future__ import annotations

from pathlib import Path

from fetalclip.data import splits
from fetalclip.data.manifest import Row
from fetalclip.data.published import LICENSES, License, again, locate, placed, present, read_table
from fetalclip.data.readers import planes_db
from fetalclip.data.readers.reader import Reader
from fetalclip.errors import DataMissing

DATASET = "head-structures"
FOLDERS = ("fetal_head_structures",)
TABLE = "index.csv"


def _official_train(folder: Path, groups: set[str], strict: bool) -> dict[str, int]:
    """Published sides from the planes table beside this data set; empty where it is not needed."""
    if planes_db.has_table(folder.parent):
        return planes_db.official_train(folder.parent)
    unknown = sum(not splits.is_frozen(group) for group in groups)
    if unknown and strict:
        raise DataMissing(
            f"{DATASET}: {unknown} patients are not in the frozen split; no {planes_db.TABLE} is beside it",
            f"'{planes_db.FOLDERS[0]}' in '{folder.parent}', to know who is on the published test side",
            f"download it from {LICENSES[planes_db.DATASET].url}",
        )
    return {}


def read(root: str | Path, strict: bool = True) -> list[Row]:
    """Rows in table order. ``root``: the data set's folder or the one that holds it.

    Raises:
        DataMissing: the folder, the table, a column or (``strict``) a picture or a patient's side is missing.
    """
    folder = locate(DATASET, root, FOLDERS, (TABLE, "images"))
    lines = read_table(DATASET, folder / TABLE, ("image", "patient"))
    if any(not line["patient"].isdigit() for line in lines):
        fix = again(DATASET)
        raise DataMissing(f"{DATASET}: {TABLE} has an unusable 'patient'", "a whole number", fix)
    groups = [planes_db.group_of(line["patient"]) for line in lines]
    sides = _official_train(folder, set(groups), strict)
    rows = []
    for line, group in zip(lines, groups, strict=True):
        mask = folder / "masks" / line["image"]
        has_mask = mask.is_file()
        rows.append(
            placed(
                DATASET,
                folder / "images" / line["image"],
                group,
                sides.get(group),
                plane="brain",
                subplane="trans-ventricular",
                mask=mask if has_mask else None,
                mask_kind="structures" if has_mask else None,
            )
        )
    return present(DATASET, rows, strict)


READER = Reader(
    DATASET,
    read,
    License(
        "CC-BY-4.0",
        "Alzubaidi M, et al. Large-scale annotation dataset for fetal head biometry in ultrasound images. "
        "Zenodo 2023. doi:10.5281/zenodo.8265464; Data Brief 2023;51:109708",
        "https://zenodo.org/records/8265464",
    ),
    FOLDERS,
    (TABLE, "images"),
    record="8265464",
)
