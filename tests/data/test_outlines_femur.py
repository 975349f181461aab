"""The femur outlines that come with the package: counts, bounds, sides of the split and how well they repeat."""

from __future__ import annotations

import csv
import json
import math
from importlib import resources
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

PLANES = Path(__file__).parents[2].parent / "shared" / "data" / "fetal_planes_db"

Row = dict[str, Any]


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    path = resources.files("fetalclip").joinpath("assets", "outlines", "femur.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def drawings(told: dict[str, Any], number: int) -> dict[str, Row]:
    """The rows of one pass by file; a file twice in one pass fails."""
    rows = [row for row in told["rows"] if row["pass"] == number]
    by_file = {row["file"]: row for row in rows}
    assert len(by_file) == len(rows)
    return by_file


def length(row: Row) -> float:
    return math.hypot(row["x1"] - row["x0"], row["y1"] - row["y0"])


def test_head_of_the_file(told: dict[str, Any]) -> None:
    assert told["schema"] == "fetalclip.outlines/1"
    assert (told["structure"], told["kind"]) == ("femur", "line")
    assert (told["dataset"], told["license"]) == ("fetal-planes-db", "CC-BY-4.0")
    assert {row["pass"] for row in told["rows"]} == {1, 2}


def test_counts_are_the_promised_ones(told: dict[str, Any]) -> None:
    first, second = drawings(told, 1), drawings(told, 2)
    assert len(first) == 130
    assert len({file.split("_")[0] for file in first}) == 117
    assert len(second) == len({file.split("_")[0] for file in second}) == 30
    assert set(second) <= set(first)


def test_lines_lie_inside_their_pictures(told: dict[str, Any]) -> None:
    for row in told["rows"]:
        assert max(row["width"], row["height"]) <= 416
        assert all(0 <= row[x] <= row["width"] - 1 for x in ("x0", "x1"))
        assert all(0 <= row[y] <= row["height"] - 1 for y in ("y0", "y1"))
        assert row["x0"] < row["x1"]  # the left end first, so that two passes compare end by end
        assert length(row) > 20
        assert 2 < row["thickness"] < length(row) / 4


def test_passes_repeat_as_written_down(told: dict[str, Any]) -> None:
    first = drawings(told, 1)
    apart, ends = [], []
    for file, again in drawings(told, 2).items():
        row = first[file]
        assert (row["width"], row["height"]) == (again["width"], again["height"])
        apart.append(abs(length(again) - length(row)) / ((length(row) + length(again)) / 2))
        ends += [math.hypot(again[f"x{end}"] - row[f"x{end}"], again[f"y{end}"] - row[f"y{end}"]) for end in (0, 1)]
    assert 100 * mean(apart) == pytest.approx(1.4, abs=0.05)  # %, docs
    assert mean(ends) == pytest.approx(1.8, abs=0.05)  # px, docs
    assert max(ends) > 1  # px; a copied pass would be all zeros


@pytest.mark.skipif(not PLANES.is_dir(), reason="the public pictures are not in ../shared/data")
def test_only_femurs_of_the_training_side_were_drawn_on(told: dict[str, Any]) -> None:
    with (PLANES / "FETAL_PLANES_DB_data.csv").open(encoding="utf-8-sig", newline="") as stream:
        listed = {f"{row['Image_name']}.png": row for row in csv.DictReader(stream, delimiter=";")}
    for row in told["rows"]:
        assert listed[row["file"]]["Train "].strip() == "1"
        assert listed[row["file"]]["Plane"].strip() == "Fetal femur"
