"""Structure sets and the sources of their masks."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from fetalclip.data import outlined as module
from fetalclip.data.outlined import outlined, shape_mask
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


def test_an_ellipse_has_its_area_and_turns_towards_y():
    mask = shape_mask("ellipse", (50, 40, 30, 10, 90), 100, 100)
    assert mask.sum() == pytest.approx(np.pi * 300, rel=0.02)
    rows, columns = np.nonzero(mask)
    assert (rows.max() - rows.min(), columns.max() - columns.min()) == (59, 19)
    tilted = shape_mask("ellipse", (50, 50, 30, 10, 30), 100, 100)
    assert tilted[50 + 12, 50 + 20]
    assert not tilted[50 - 12, 50 + 20]
    assert shape_mask("ellipse", (25, 20, 15, 5, 90), 100, 100, scale=2).sum() == mask.sum()


def test_a_bar_runs_from_end_to_end():
    mask = shape_mask("line", (10, 20, 40, 60, 6), 100, 100)
    assert mask.sum() == pytest.approx(50 * 6, rel=0.05)
    assert mask[40, 25]
    assert not mask[20, 40]


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
    from fetalclip.data.manifest import Row

    picture = tmp_path / "x.png"
    Image.fromarray(np.zeros((50, 80), np.uint8)).save(picture)
    rows = [
        Row("fetal-planes-db", picture, name, f"FPDB:{name}", 2, split)
        for name, split in (("x", "train"), ("y", "test"))
    ]

    class Reads:
        read = staticmethod(lambda root, strict: rows)

    monkeypatch.setitem(module.READERS, "fetal-planes-db", Reads())
    line = {"cx": 40, "cy": 25, "a": 20, "b": 10, "angle_deg": 0}
    lines = [{"file": "x", **line}, {"file": "y", **line}, {"file": "x", **line, "pass": 2}, {"file": "gone", **line}]
    file = tmp_path / "outlines.json"
    told = {"license": "CC-BY-4.0", "dataset": "fetal-planes-db", "kind": "ellipse", "rows": lines}
    file.write_text(json.dumps(told))
    source = {"source": "outlines", "file": str(file), "structures": {"a": ["abdomen"]}}
    (row,) = outlined(a_set(source), "nowhere")
    assert row.load()[1]["a"].sum() == pytest.approx(np.pi * 200, rel=0.03)
    lines[0]["a"] = "wide"
    file.write_text(json.dumps(told))
    with pytest.raises(UnreadableInput, match="row 1"):
        outlined(a_set(source), "nowhere")


def test_parts_of_patients_cover_all_and_are_not_the_folds():
    groups = [f"FPDB:{i}" for i in range(200)]
    parts = [part_of(group, 5) for group in groups]
    assert set(parts) == set(range(5))
    assert parts != [fold_of(group) for group in groups]
