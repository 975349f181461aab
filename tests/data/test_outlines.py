"""The outlines that come with the package, their masks, and files that are refused."""

from __future__ import annotations

import copy
import json
import math
from collections import Counter
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fetalclip.data import splits
from fetalclip.data.outlines import SCHEMA, STRUCTURES, Ellipse, Line, Outline, parse, read_outlines
from fetalclip.data.readers import planes_db
from fetalclip.errors import DataMissing, UsageError

DATA = Path(__file__).parents[2].parent / "shared" / "data"
ROW = {
    "file": "a.png",
    "width": 90,
    "height": 60,
    "cx": 40.0,
    "cy": 30.0,
    "a": 20.0,
    "b": 10,
    "angle_deg": 30,
    "pass": 1,
}
TOLD: dict[str, Any] = {
    "schema": SCHEMA,
    "dataset": "fetal-planes-db",
    "structure": "abdomen",
    "kind": "ellipse",
    "rows": [ROW],
}


def drawn(shape: Ellipse | Line, width: int = 90, height: int = 60) -> Outline:
    return Outline("fetal-planes-db", "a.png", "abdomen", width, height, 1, shape)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def test_abdomen_has_the_promised_counts() -> None:
    first, second = read_outlines("abdomen"), read_outlines("abdomen", 2)
    assert len(first) >= 120
    assert len(second) == 30
    assert {o.file for o in second} < {o.file for o in first}
    for outlines in (first, second):
        assert set(Counter(o.file for o in outlines).values()) == {1}
    assert read_outlines("abdomen", None) == first + second
    told = json.loads(resources.files("fetalclip").joinpath("assets/outlines/abdomen.json").read_text(encoding="utf-8"))
    assert told["license"] == "CC-BY-4.0"
    assert "not sonographers" in told["note"]


def test_abdomen_is_drawn_on_no_test_picture() -> None:
    sides = {(dataset, file): (group, split) for dataset, file, group, _, split in splits.frozen()}
    places = [sides[o.dataset, o.file] for o in read_outlines("abdomen")]
    assert {split for _, split in places} == {"train", "val"}
    assert len({group for group, _ in places}) == len(places)  # one picture of each patient


def test_abdomen_ellipses_can_be_meant() -> None:
    for outline in read_outlines("abdomen", None):
        shape = outline.shape
        assert isinstance(shape, Ellipse)
        assert max(outline.width, outline.height) <= 416
        assert 0.6 < shape.b / shape.a <= 1  # an abdomen in its plane is nearly round
        assert -90 <= shape.angle_deg < 90
        assert 30 < shape.b <= shape.a < outline.width / 2
        assert 0 < shape.cx < outline.width
        assert 0 < shape.cy < outline.height
        # Little of it leaves the picture: its area is pi a b.
        assert outline.mask().sum() > 0.94 * math.pi * shape.a * shape.b


def test_second_drawings_agree_with_the_first() -> None:
    first = {o.file: o for o in read_outlines("abdomen")}
    alike, apart = [], []
    for again in read_outlines("abdomen", 2):
        before = first[again.file]
        assert isinstance(before.shape, Ellipse)
        assert isinstance(again.shape, Ellipse)
        alike.append(dice(before.mask(), again.mask()))
        one, two = before.shape.circumference, again.shape.circumference
        apart.append(200 * abs(one - two) / (one + two))
    assert np.mean(alike) == pytest.approx(0.964, abs=5e-4)  # as docs/outlines.md says
    assert np.mean(apart) == pytest.approx(2.20, abs=5e-3)
    assert min(alike) > 0.9


@pytest.mark.skipif(not DATA.is_dir(), reason="the public data sets are not at ../shared/data")
def test_abdomen_pictures_are_there_and_of_the_training_side() -> None:
    sides = planes_db.official_train(DATA)
    rows = {row.name: row for row in planes_db.read(DATA, False)}
    for outline in read_outlines("abdomen", None):
        row = rows[outline.file]
        assert row.plane == "abdomen"
        assert sides[row.group] == 1
        with Image.open(row.path) as picture:
            assert picture.size == (outline.width, outline.height)


@pytest.mark.parametrize("angle", [-90.0, -30.0, 0.0, 45.0, 80.0])
def test_ellipse_has_its_area_centre_and_direction(angle: float) -> None:
    mask = drawn(Ellipse(44.3, 30.7, 25.0, 14.0, angle)).mask()
    assert mask.shape == (60, 90)
    assert mask.sum() == pytest.approx(math.pi * 25 * 14, rel=0.01)
    y, x = np.nonzero(mask)
    assert (x.mean(), y.mean()) == pytest.approx((44.3, 30.7), abs=0.1)
    dx, dy = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    along = (x - 44.3) * dx + (y - 30.7) * dy
    assert np.abs(along).max() == pytest.approx(25, abs=0.8)


def test_ellipse_follows_pixel_centres_exactly() -> None:
    # Radius 1 about a pixel's centre: that pixel and its four neighbours, whose centres lie on the curve.
    mask = drawn(Ellipse(2, 3, 1, 1, 0), 6, 7).mask()
    expected = np.zeros((7, 6), bool)
    expected[3, 1:4] = expected[2:5, 2] = True
    assert np.array_equal(mask, expected)
    assert drawn(Ellipse(2, 3, 0.999, 0.999, 0), 6, 7).mask().sum() == 1


def test_what_leaves_the_picture_is_cut_off() -> None:
    mask = drawn(Ellipse(-0.5, 30, 20, 20, 0)).mask()  # its centre on the left edge of the picture
    assert mask.sum() == pytest.approx(math.pi * 400 / 2, rel=0.02)
    assert mask[30, 0]
    assert drawn(Ellipse(-50, 30, 20, 20, 0)).mask().sum() == 0


def test_line_is_a_capsule() -> None:
    line = Line(20, 15, 60, 45, 9)
    mask = drawn(line).mask()
    assert line.length == 50
    assert mask.sum() == pytest.approx(50 * 9 + math.pi * 4.5**2, rel=0.02)
    assert mask[15, 20]
    assert mask[45, 60]
    assert mask[13, 17]  # in the round end, 3.6 px beyond the end point
    assert not mask[12, 16]  # 5 px beyond it


@pytest.mark.parametrize("scale", [2, 3])
def test_mask_of_another_size_covers_the_same_field(scale: int) -> None:
    outline = drawn(Ellipse(44, 30, 25, 14, 20))
    large = outline.mask((60 * scale, 90 * scale))
    back = large.reshape(60, scale, 90, scale).mean(axis=(1, 3)) > 0.5
    assert dice(back, outline.mask()) > 0.99


@pytest.mark.parametrize("size", [(0, 90), (60, -1), (10**9, 90)])
def test_impossible_mask_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="a mask of"):
        drawn(Ellipse(44, 30, 25, 14, 20)).mask(size)


def test_unknown_structures_and_passes_are_refused() -> None:
    with pytest.raises(UsageError, match="abdomen or femur"):
        read_outlines("liver")
    with pytest.raises(UsageError, match="1, 2 or None"):
        read_outlines("abdomen", 3)
    assert "abdomen" in STRUCTURES


def test_a_femur_file_is_read_as_lines() -> None:
    row = {"file": "f.png", "width": 90, "height": 60, "x0": 9, "y0": 8, "x1": 50, "y1": 20, "thickness": 6, "pass": 2}
    (outline,) = parse(json.dumps({**TOLD, "structure": "femur", "kind": "line", "rows": [row]}), "femur")
    assert outline.shape == Line(9, 8, 50, 20, 6)
    assert outline.drawing == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("a", float("nan")),
        ("a", 5),  # shorter than b
        ("b", 0),
        ("b", -3),
        ("cx", "40"),
        ("cx", True),
        ("cy", 1e9),
        ("width", 0),
        ("width", 90.5),
        ("height", 10**9),
        ("pass", 3),
        ("file", "../a.png"),
        ("file", ""),
        ("file", 7),
    ],
)
def test_rows_that_cannot_be_meant_are_refused(key: str, value: Any) -> None:
    assert len(parse(json.dumps(TOLD), "abdomen")) == 1
    told = copy.deepcopy(TOLD)
    told["rows"][0][key] = value
    with pytest.raises(DataMissing, match="outlines of the abdomen cannot be read"):
        parse(json.dumps(told), "abdomen")


@pytest.mark.parametrize("key", ["angle_deg", "pass", "file", "height"])
def test_rows_with_a_key_missing_are_refused(key: str) -> None:
    told = copy.deepcopy(TOLD)
    del told["rows"][0][key]
    with pytest.raises(DataMissing, match=key):
        parse(json.dumps(told), "abdomen")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "[" * 100_000,
        json.dumps({**TOLD, "schema": "fetalclip.outlines/9"}),
        json.dumps({**TOLD, "structure": "femur"}),
        json.dumps({**TOLD, "kind": "blob"}),
        json.dumps({**TOLD, "kind": []}),
        json.dumps({**TOLD, "rows": 3}),
        json.dumps({**TOLD, "rows": ["x"]}),
    ],
)
def test_other_files_are_refused(text: str) -> None:
    with pytest.raises(DataMissing, match="cannot be read"):
        parse(text, "abdomen")


@pytest.mark.parametrize("values", [(0, 0, 0, 0, 5), (0, 0, 3, 4, 0)])
def test_a_line_without_extent_is_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Line(*values)
