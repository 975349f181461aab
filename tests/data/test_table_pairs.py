"""Pairs of a table: those of one side, prepared as at inference; what cannot be read is named by its row alone."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fetalclip.clinical.factory import Record
from fetalclip.data.table_pairs import TablePairs, read_source
from fetalclip.errors import DataMissing, InputError
from fetalclip.io import read, read_at
from fetalclip.phantom import draw
from fetalclip.preprocess import prepare

HEADER = "path,group,split,plane,subplane,age_days,mm_per_pixel,machine,findings,text\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for i in range(5):
        Image.fromarray(draw("brain", i, overlay=True).frame.gray).resize((90, 60)).save(tmp_path / f"anna-{i}.png")
    rows = (
        "anna-0.png,p0,train,brain,trans-thalamic,143,0.2,Voluson,polyhydramnios,a text\n"
        "anna-1.png,p1,train,,,,,,,only a text\n"
        "anna-2.png,p2,train,,,,,,,\n"
        "anna-3.png,p3,val,femur,,,,,,\n"
        "anna-4.png,p4,train,no anatomy,,,,,,\n"
    )
    (tmp_path / "m.csv").write_text(HEADER + rows)
    return tmp_path / "m.csv"


def opened(table: Path, split: str = "train", overlay: str = "mask") -> TablePairs:
    return TablePairs(read_source(table), table.name, split, 48, overlay)


def test_rows_of_one_side_of_which_something_is_known(table: Path) -> None:
    pairs = opened(table)
    assert [pairs.name(i) for i in range(len(pairs))] == ["m.csv row 1", "m.csv row 2", "m.csv row 5"]
    assert len(opened(table, "val")) == 1
    with pytest.raises(DataMissing, match=r"no row of the split test.*its splits: train, val"):
        opened(table, "test")


@pytest.mark.parametrize("overlay", ["mask", "keep"])
def test_prepared_as_at_inference(table: Path, overlay: str) -> None:
    pairs = pickle.loads(pickle.dumps(opened(table, overlay=overlay)))
    pair = pairs.load(0)
    ready = prepare(read(table.with_name("anna-0.png"), mm_per_pixel=0.2), 48, overlay)
    assert np.array_equal(pair.pixels, ready.pixels)
    spacing = pytest.approx(0.2 * 90 / 48)
    assert pair.record == Record(("brain",), "trans-thalamic", 143, spacing, "Voluson", ("polyhydramnios",), "a text")
    assert pairs.load(1).record == Record(text="only a text")
    assert pair.caption is None


def test_an_order_by_seed_and_epoch(table: Path) -> None:
    pairs = opened(table)
    assert sorted(pairs.order(0, 0)) == [0, 1, 2]
    assert np.array_equal(pairs.order(5, 1), pairs.order(5, 1))
    assert len({tuple(pairs.order(0, epoch)) for epoch in range(20)}) > 1


def test_the_fingerprint(table: Path) -> None:
    first = opened(table).fingerprint
    assert opened(table).fingerprint == first
    assert opened(table, overlay="keep").fingerprint != first
    table.write_text(table.read_text().replace("143", "144"))
    second = opened(table).fingerprint
    assert second != first
    with table.with_name("anna-0.png").open("ab") as stream:
        stream.write(b"x")
    assert opened(table).fingerprint not in (first, second)


def test_a_picture_that_cannot_be_read_is_named_by_its_row(table: Path) -> None:
    pairs = opened(table)
    table.with_name("anna-0.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    table.with_name("anna-1.png").unlink()
    for number in (0, 1):
        with pytest.raises(InputError, match=f"^m.csv row {number + 1}: ") as caught:
            pairs.load(number)
        assert "anna" not in str(caught.value)
    pairs.load(2)


def test_the_table_alone_tells_the_spacing_of_a_picture_of_a_clip(tmp_path: Path, dicoms) -> None:
    pictures = dicoms.pattern(3, 48, 64)
    for name, height in (("square", 0.02), ("oblong", 0.03)):
        data = dicoms.build(pictures, regions=[dicoms.region(PhysicalDeltaY=height)])
        (tmp_path / name).write_bytes(data)
    rows = "square,2,p0,train,brain,0.2\noblong,2,p1,train,brain,\nsquare,9,p0,train,brain,0.2\n"
    (tmp_path / "m.csv").write_text("path,frame,group,split,plane,mm_per_pixel\n" + rows)
    pairs = opened(tmp_path / "m.csv")
    assert np.array_equal(pairs.load(0).pixels, prepare(read_at(tmp_path / "square", 2), 48, "mask").pixels)
    assert [pairs.load(i).record.spacing for i in (0, 1)] == [pytest.approx(0.2 * 64 / 48), None]
    with pytest.raises(InputError, match="row 3: the picture has no picture 9"):
        pairs.load(2)
    before = opened(tmp_path / "m.csv").fingerprint
    (tmp_path / "m.csv").write_text((tmp_path / "m.csv").read_text().replace("oblong,2", "oblong,1"))
    assert opened(tmp_path / "m.csv").fingerprint != before
