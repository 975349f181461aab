"""Structure sets and the sources of their masks."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from fetalclip.data import outlined as module
from fetalclip.data.manifest import Row
from fetalclip.data.outlined import outline_mask, outlined
from fetalclip.data.outlines import Ellipse, Line, Outline
from fetalclip.data.splits import fold_of, part_of
from fetalclip.data.structures import StructureSet, load_set, set_names
from fetalclip.errors import BadRecipe, DataMissing, UnreadableInput
from fetalclip.phantom import draw


def a_set(*sources, structures=("a", "b")) -> StructureSet:
    return StructureSet("mine", "Mine", tuple(structures), sources=sources)


@pytest.mark.parametrize("name", set_names())
def test_every_set_that_comes_along_loads(name):
    found = load_set(name)
    assert found.name == name
    assert set(found.outset) <= set(found.structures)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", "x"),
        ("name", "../x"),
        ("structures", []),
        ("structures", ["a", "a"]),
        ("measures", [1]),
        ("outset", {"neck": {"pixels": 1, "side": 800}}),
        ("outset", {"a": {"pixels": True, "side": 800}}),
        ("guides", {"spine": 1}),
        ("guides", ["spine"]),
        ("sources", []),
        ("sources", [{"source": "web", "structures": {"a": ["a"]}}]),
        ("sources", [{"source": "hc18", "structures": {"c": ["a"]}}]),
        ("extra", 1),
    ],
)
def test_a_wrong_set_is_told(tmp_path, key, value):
    good = {
        "schema": "fetalclip.structures/1",
        "name": "mine",
        "structures": ["a"],
        "sources": [{"source": "folder", "structures": {"a": ["a"]}}],
    }
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(good))
    assert load_set(path).name == "mine"
    path.write_text(json.dumps({**good, key: value}))
    with pytest.raises(BadRecipe):
        load_set(path)


def test_an_unknown_set_names_the_known_ones():
    with pytest.raises(BadRecipe, match="head"):
        load_set("haed")


def test_simulated_views_know_what_is_asked_and_nothing_else():
    source = {"source": "phantom", "plane": "brain", "count": 7, "structures": {"a": ["head"]}}
    rows = outlined(a_set(source), "nowhere")
    assert [row.split for row in rows] == ["train"] * 5 + ["val", "train"]
    frame, masks = rows[0].load()
    assert rows[0].known == ("a",)
    np.testing.assert_array_equal(masks["a"], draw("brain", 0, "train").masks["head"])
    assert masks["a"].shape == frame.gray.shape


def test_a_bar_ends_where_the_shaft_ends():
    line = Outline("d", "x.png", "femur", 100, 90, 1, Line(10, 20, 40, 60, 6))
    bar = outline_mask(line, 90, 100)
    assert bar.sum() == pytest.approx(50 * 6, rel=0.05)  # the capsule has the area of a disc more
    assert line.mask().sum() == pytest.approx(50 * 6 + 9 * np.pi, rel=0.05)
    assert outline_mask(line, 180, 200).sum() == pytest.approx(4 * bar.sum(), rel=0.03)
    round_ = Outline("d", "x.png", "abdomen", 100, 90, 1, Ellipse(50, 40, 30, 20, 10))
    np.testing.assert_array_equal(outline_mask(round_, 90, 100), round_.mask())


@pytest.fixture
def own(tmp_path):
    """Two pictures with masks of two labels, one picture without."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for number, name in enumerate(("p.png", "q.png", "bare.png")):
        Image.fromarray(np.full((20, 30), 90 + number, np.uint8)).save(tmp_path / "images" / name)
        if name != "bare.png":
            labels = np.zeros((20, 30), np.uint8)
            labels[2:6, 3:9], labels[10:12, 20:29] = 1, 7
            Image.fromarray(labels).save(tmp_path / "masks" / name)
    told = {"labels": {"1": "one", "7": "seven"}, "license": "CC0-1.0", "groups": {"p.png": "anna"}}
    (tmp_path / "labels.json").write_text(json.dumps(told))
    return tmp_path


def test_a_users_own_masks(own):
    source = {"source": "folder", "structures": {"a": ["one"], "b": ["one", "seven"]}}
    rows = outlined(a_set(source), "nowhere", own)
    assert [row.name for row in rows] == ["p.png", "q.png"]
    assert (rows[0].group, rows[0].license) == ("own:anna", "CC0-1.0")
    assert rows[0].split == {0: "test", 1: "val"}.get(fold_of("own:anna"), "train")
    _, masks = rows[0].load()
    assert (masks["a"].sum(), masks["b"].sum()) == (24, 24 + 18)


def test_a_users_folder_that_does_not_fit_is_told(own):
    source = {"source": "folder", "structures": {"a": ["two"]}}
    with pytest.raises(BadRecipe, match="two"):
        outlined(a_set(source), "nowhere", own)
    with pytest.raises(DataMissing):
        outlined(a_set(source), "nowhere", own / "masks")
    good = {"source": "folder", "structures": {"a": ["one"]}}
    Image.fromarray(np.full((20, 30), 3, np.uint8)).save(own / "masks" / "p.png")
    with pytest.raises(UnreadableInput, match="labels 3"):
        outlined(a_set(good), "nowhere", own)[0].load()
    Image.fromarray(np.zeros((20, 31), np.uint8)).save(own / "masks" / "p.png")
    with pytest.raises(UnreadableInput, match="31 x 20"):
        outlined(a_set(good), "nowhere", own)[0].load()
    (own / "labels.json").write_text("[1]")
    with pytest.raises(UnreadableInput):
        outlined(a_set(good), "nowhere", own)


def test_outlines_are_taken_from_the_training_side_only(tmp_path, monkeypatch):
    picture = tmp_path / "x.png"
    Image.fromarray(np.zeros((50, 80), np.uint8)).save(picture)
    sides = {"x.png": "train", "y.png": "test"}
    rows = [Row("fetal-planes-db", picture, name, f"FPDB:{name}", 2, side) for name, side in sides.items()]

    class Reads:
        read = staticmethod(lambda root, strict: rows)

    shape = Ellipse(40, 25, 20, 10, 0)
    drawn = [Outline("d", name, "abdomen", 80, 50, 1, shape) for name in ("x.png", "y.png", "gone.png")]
    monkeypatch.setitem(module.READERS, "fetal-planes-db", Reads())
    monkeypatch.setattr(module, "read_outlines", lambda structure: drawn)
    source = {"source": "outlines", "file": "abdomen", "structures": {"a": ["abdomen"]}}
    (row,) = outlined(a_set(source), "nowhere")
    assert row.load()[1]["a"].sum() == pytest.approx(np.pi * 200, rel=0.03)


def test_parts_of_patients_cover_all_and_are_not_the_folds():
    groups = [f"FPDB:{i}" for i in range(200)]
    parts = [part_of(group, 5) for group in groups]
    assert set(parts) == set(range(5))
    assert parts != [fold_of(group) for group in groups]
