"""The three readers on small copies of the published layouts, and on the real data where it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from fetalclip.data import DATASETS, LICENSES, Row, read_dataset, split_text, unique
from fetalclip.errors import DataMissing, UsageError

DATA = Path(__file__).parents[2].parent / "shared" / "data"
HEADER = "Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train \n"
PLANES = (
    "Patient90001_Plane3_1_of_2;90001;Fetal brain;Trans-cerebellum;Op. 1;Voluson E6;0\n"
    "Patient90002_Plane6_1_of_1;90002;Fetal thorax;Not A Brain;Op. 2;Aloka;1\n"
    "Patient90002_Plane1_1_of_1;90002;Other;Not A Brain;Op. 2;Other;1\n"
    "Patient90003_Plane3_1_of_1;90003;Fetal brain;Other;Op. 2;Aloka;1\n"
)
HC_HEADER = "filename,pixel size(mm),head circumference (mm)\n"


def _touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Tiny copies of the three layouts; the pictures are empty files, which readers never open."""
    planes = tmp_path / "fetal_planes_db"
    _touch(planes / "Images", *(f"{line.split(';')[0]}.png" for line in PLANES.splitlines()))
    (planes / "FETAL_PLANES_DB_data.csv").write_text(HEADER + PLANES)
    hc18 = tmp_path / "hc18"
    names = [f"{9000 + i}_HC.png" for i in range(6)] + ["9003_2HC.png"]
    _touch(hc18 / "training_set", *names, "9003_HC_Annotation.png")
    lines = "".join(f"{name},0.1,{60 + 30 * i}\n" for i, name in enumerate(sorted(names)))
    (hc18 / "training_set_pixel_size_and_HC.csv").write_text(HC_HEADER + lines)
    heads = tmp_path / "fetal_head_structures"
    copies = [
        "Patient90001_Plane3_1_of_2.png",
        "Patient90001_Plane3_2_of_2.png",
        "Patient90009_Plane3_1_of_1.png",
    ]
    _touch(heads / "images", *copies)
    table = "".join(f"{name},{int(name[7:12])},1,1\n" for name in copies)
    (heads / "index.csv").write_text("image,patient,csp,lv\n" + table)
    return tmp_path


def _by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.name: row for row in rows}


def test_planes_rows(root: Path) -> None:
    rows = _by_name(read_dataset("fetal-planes-db", root))
    brain = rows["Patient90001_Plane3_1_of_2.png"]
    assert (brain.plane, brain.subplane, brain.machine) == ("brain", "trans-cerebellum", "Voluson E6")
    assert brain.operator == "Op. 1"
    assert (brain.group, brain.fold, brain.split) == ("FPDB:90001", -1, "test")
    assert brain.path.is_file()
    thorax = rows["Patient90002_Plane6_1_of_1.png"]
    assert (thorax.plane, thorax.subplane) == ("thorax", None)
    assert thorax.split in ("train", "val")
    other = rows["Patient90002_Plane1_1_of_1.png"]
    assert (other.plane, other.fold) == (None, thorax.fold)
    assert rows["Patient90003_Plane3_1_of_1.png"].subplane is None
    assert all(row.mm_per_pixel is None and row.age_days is None for row in rows.values())


def test_hc18_rows(root: Path) -> None:
    rows = _by_name(read_dataset("hc18", root))
    assert len(rows) == 7  # annotations are no pictures
    small, large = rows["9000_HC.png"], rows["9003_HC.png"]
    assert (small.plane, small.hc_mm, small.age_days, small.mm_per_pixel) == ("brain", 60.0, None, 0.1)
    assert large.age_days is not None
    again = rows["9003_2HC.png"]
    assert (again.group, again.fold, again.split) == ("HC18:9003", large.fold, large.split)


def test_hc18_order_tells_nothing_of_size(root: Path) -> None:
    sizes = [row.hc_mm for row in read_dataset("hc18", root)]
    assert sizes != sorted(sizes, key=lambda mm: mm or 0.0)


def test_head_structures_follow_the_planes_table(root: Path) -> None:
    rows = _by_name(read_dataset("head-structures", root))
    for name in ("Patient90001_Plane3_1_of_2.png", "Patient90001_Plane3_2_of_2.png"):
        assert (rows[name].group, rows[name].split, rows[name].fold) == ("FPDB:90001", "test", -1)
        assert (rows[name].plane, rows[name].subplane) == ("brain", "trans-ventricular")
    assert rows["Patient90009_Plane3_1_of_1.png"].split in ("train", "val")


def test_head_structures_refuse_to_guess_a_side(root: Path) -> None:
    (root / "fetal_planes_db" / "FETAL_PLANES_DB_data.csv").unlink()
    with pytest.raises(DataMissing, match=r"2 patients are not in the frozen split.*FETAL_PLANES_DB_data\.csv"):
        read_dataset("head-structures", root)
    assert len(read_dataset("head-structures", root, strict=False)) == 3


def test_unique_keeps_the_planes_copy(root: Path) -> None:
    rows = [row for name in reversed(DATASETS) for row in read_dataset(name, root)]
    kept = unique(rows)
    twice = [row for row in kept if row.name == "Patient90001_Plane3_1_of_2.png"]
    assert [row.dataset for row in twice] == ["fetal-planes-db"]
    assert len(kept) == len(rows) - 1


@pytest.mark.parametrize(
    ("name", "folder"),
    [("fetal-planes-db", "fetal_planes_db"), ("hc18", "hc18"), ("head-structures", "fetal_head_structures")],
)
def test_root_may_be_the_own_folder_or_its_parent(root: Path, name: str, folder: str) -> None:
    assert read_dataset(name, root) == read_dataset(name, str(root / folder))


@pytest.mark.parametrize("name", DATASETS)
def test_absent_data_says_where_to_get_it(tmp_path: Path, name: str) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataMissing) as caught:
            read_dataset(name, folder)
        assert LICENSES[name].url in str(caught.value)
        assert str(folder) in str(caught.value)
        assert caught.value.exit_code == 3


def test_unknown_data_set_lists_the_known() -> None:
    with pytest.raises(UsageError, match="fetal-planes-db or hc18 or head-structures"):
        read_dataset("imagenet", ".")


def test_missing_pictures_are_counted_and_named(root: Path) -> None:
    for picture in (root / "hc18" / "training_set").glob("900[0-4]_HC.png"):
        picture.unlink()
    with pytest.raises(DataMissing, match=r"5 of 7 pictures are missing, first \d+_HC.png, \d+_HC.png, \d+_HC"):
        read_dataset("hc18", root)
    assert len(read_dataset("hc18", root, strict=False)) == 2


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        ("fetal_planes_db/FETAL_PLANES_DB_data.csv", HEADER.replace(";Train ", ""), "no column Train"),
        (
            "fetal_planes_db/FETAL_PLANES_DB_data.csv",
            (HEADER + PLANES).replace(";", ","),
            "no column Image_name",
        ),
        ("fetal_planes_db/FETAL_PLANES_DB_data.csv", HEADER, "no rows"),
        ("fetal_planes_db/FETAL_PLANES_DB_data.csv", HEADER + PLANES + PLANES, "twice"),
        ("fetal_planes_db/FETAL_PLANES_DB_data.csv", HEADER + PLANES[:60], "cut short in row 2"),
        ("fetal_planes_db/FETAL_PLANES_DB_data.csv", HEADER + PLANES.replace("thorax", "toe"), "Fetal toe"),
        ("fetal_planes_db/FETAL_PLANES_DB_data.csv", HEADER + PLANES.replace(";1\n", ";x\n"), "Train"),
        ("hc18/training_set_pixel_size_and_HC.csv", "", "no column filename"),
        ("hc18/training_set_pixel_size_and_HC.csv", HC_HEADER + "9000_HC.png,zero,60\n", "pixel size"),
        ("hc18/training_set_pixel_size_and_HC.csv", HC_HEADER + "9000_HC.png,0.1,nan\n", "circumference"),
        ("hc18/training_set_pixel_size_and_HC.csv", HC_HEADER + "9000.png,0.1,60\n", "9000.png"),
        ("fetal_head_structures/index.csv", "image,patient\na.png,?\n", "patient"),
    ],
)
def test_broken_tables_are_named(root: Path, table: str, text: str, message: str) -> None:
    (root / table).write_text(text)
    name = {"fetal_planes_db": "fetal-planes-db", "hc18": "hc18"}.get(table.split("/")[0], "head-structures")
    with pytest.raises(DataMissing, match=message):
        read_dataset(name, root)


def test_split_text_has_the_columns() -> None:
    assert split_text([("hc18", "1_HC.png", "HC18:1", 0, "test")]).splitlines() == [
        "dataset,file_name,group,fold,split",
        "hc18,1_HC.png,HC18:1,0,test",
    ]


@pytest.mark.skipif(not DATA.is_dir(), reason="the public data sets are not at ../shared/data")
def test_real_data() -> None:
    rows = [row for name in DATASETS for row in read_dataset(name, DATA)]
    assert len(rows) == 1268 + 792 + 42
    assert len(rows) - len(unique(rows)) == 9
    planes = [row for row in rows if row.dataset == "fetal-planes-db"]
    assert sum(row.plane == "brain" for row in planes) == 424
    assert sum(row.plane == "cervix" for row in planes) == 2
    heads = [row for row in rows if row.dataset == "hc18"]
    assert all((row.age_days is None) == (not 99.5 < (row.hc_mm or 0) < 342.1) for row in heads)
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row.group, set()).add(row.split)
    assert all(len(found) == 1 for found in sides.values())
