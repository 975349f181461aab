"""The experts' end points: sizes of them, the test side only, and a table that cannot be trusted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fetalclip.clinical.biometry import ellipse_circumference
from fetalclip.data.landmarks import TABLE, read_experts
from fetalclip.errors import DataMissing, UnreadableInput

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
POINTS = [f"{name}_{end}_{axis}" for name in ("fl", "tad", "apad", "ofd", "bpd") for end in (1, 2) for axis in "xy"]
HEADER = ",".join(["image", "structure", "native_width", "native_height", "mm_per_pixel", *POINTS])
Write = Callable[[dict[str, str]], Path]


def line(image: str, structure: str, spacing: str = "0.5", **points: str) -> str:
    return ",".join([image, structure, "640", "480", spacing, *(points.get(name, "") for name in POINTS)])


def ends(name: str, first: tuple[float, float], second: tuple[float, float]) -> dict[str, str]:
    pairs = zip((1, 1, 2, 2), "xyxy", (*first, *second), strict=True)
    return {f"{name}_{end}_{axis}": str(at) for end, axis, at in pairs}


HEAD = {**ends("bpd", (10, 20), (10, 180)), **ends("ofd", (0, 100), (200, 100))}
ABDOMEN = {**ends("tad", (0, 0), (200, 0)), **ends("apad", (50, 0), (50, 180))}
GOOD = [
    line("a.png", "head", **HEAD),
    line("b.png", "abdomen", **ABDOMEN),
    line("c.png", "femur", "0.25", **ends("fl", (0, 0), (30, 40))),
    line("d.png", "femur", "nonsense"),  # of a training patient: passed over unread
    line("elsewhere.png", "head"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "fetal_planes_db"
    (folder / "Images").mkdir(parents=True)
    rows = ["Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train "]
    for number, (name, plane, train) in enumerate(
        [("a", "brain", 0), ("b", "abdomen", 0), ("c", "femur", 0), ("d", "femur", 1)], 90001
    ):
        rows.append(f"{name};{number};Fetal {plane};Not A Brain;Op. 1;Other;{train}")
        Image.fromarray(np.zeros((30, 40), np.uint8)).save(folder / "Images" / f"{name}.png")
    (folder / "FETAL_PLANES_DB_data.csv").write_text("\n".join(rows) + "\n")
    (folder / TABLE).write_text("\n".join([HEADER, *GOOD]) + "\n")
    return folder


def test_sizes_in_millimetres_of_the_test_side(folder: Path) -> None:
    head, abdomen, femur = read_experts(folder.parent)
    assert head.sizes == {"BPD": 80.0, "OFD": 100.0}
    assert (head.row.name, head.row.group, head.mm_per_pixel) == ("a.png", "FPDB:90001", 0.5)
    assert abdomen.sizes == {"TAD": 100.0, "APAD": 90.0, "AC": ellipse_circumference(100.0, 90.0)}
    assert femur.sizes == {"FL": 12.5}


def test_no_table_and_no_test_picture(folder: Path) -> None:
    (folder / TABLE).write_text(f"{HEADER}\n{GOOD[3]}\n")
    with pytest.raises(DataMissing, match="test side"):
        read_experts(folder)
    (folder / TABLE).unlink()
    with pytest.raises(DataMissing, match=f"no {TABLE}"):
        read_experts(folder)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (GOOD[0].replace("head", "liver"), "row 1: the structure 'liver'"),
        (line("a.png", "head", "0", **HEAD), "row 1: mm_per_pixel is '0'"),
        (line("a.png", "head", "nan", **HEAD), "row 1: mm_per_pixel is 'nan'"),
        (line("a.png", "head", **{**HEAD, "bpd_1_x": ""}), "row 1: bpd_1_x is ''"),
        (line("a.png", "head", **{**HEAD, "ofd_2_y": "inf"}), "row 1: ofd_2_y is 'inf'"),
        (line("a.png", "head", **{**HEAD, **ends("bpd", (10, 20), (10, 20))}), "row 1: a BPD of 0 mm"),
        (line("a.png", "head", **{**HEAD, **ends("bpd", (0, 0), (9000, 0))}), "row 1: a BPD of 4500 mm"),
        (f"{GOOD[0]}\n{GOOD[0]}", "row 2: a picture for the second time"),
        (GOOD[0] + ",1", "cells in line 2"),
    ],
)
def test_a_hostile_table(folder: Path, bad: str, words: str) -> None:
    (folder / TABLE).write_text(f"{HEADER}\n{bad}\n")
    with pytest.raises(UnreadableInput, match=words):
        read_experts(folder)


def test_a_column_that_is_not_there(folder: Path) -> None:
    (folder / TABLE).write_text("\n".join([HEADER.replace("tad_2_y", "tad_2_z"), *GOOD]))
    with pytest.raises(UnreadableInput, match="no column tad_2_y"):
        read_experts(folder)


@pytest.mark.skipif(not (DATA / "fetal_planes_db" / TABLE).is_file(), reason="no end points at ../shared/data")
def test_the_published_end_points_of_the_test_side() -> None:
    experts = read_experts(DATA)
    assert all(one.row.fold == -1 for one in experts)
    counts = {name: sum(name in one.sizes for one in experts) for name in ("BPD", "OFD", "TAD", "APAD", "AC", "FL")}
    assert counts == {"BPD": 71, "OFD": 71, "TAD": 89, "APAD": 89, "AC": 89, "FL": 44}
