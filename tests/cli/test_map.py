"""``fetalclip map``: files whole or not at all, numbers on stdout, one message for what cannot be drawn."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fetalclip.cli import main

pytest.importorskip("sklearn")

PLANES = ("brain", "femur", "thorax")


@pytest.fixture
def made(tmp_path, monkeypatch) -> Path:
    """Thirty embeddings around three directions, two to a patient; a table; pictures of all but the last one."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    codes = np.arange(30) // 2 % 3
    rows = (np.eye(3, 16)[codes] + 0.1 * rng.normal(size=(30, 16))).astype(np.float32)
    (tmp_path / "scans").mkdir()
    paths = [f"scans/{i:02}.png" for i in range(30)]
    for path in paths[:-1]:
        Image.fromarray(rng.integers(0, 255, (40, 60), dtype=np.uint8)).save(path)
    np.savez("e.npz", embeddings=rows, paths=np.array(paths), model=np.array("m"), version=np.array("0.0.1"))
    lines = [f"{Path(path).name};{PLANES[codes[i]]};{i // 2};{i % 2}" for i, path in enumerate(paths)]
    Path("t.csv").write_text("\n".join(["filename;plane;patient;Train ", *lines]))
    return tmp_path


def test_a_folder_gets_a_page_and_pictures(made, capsys):
    assert main(["map", "e.npz", "--labels", "t.csv", "--method", "pca", "-o", "out", "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["schema"] == "fetalclip.map/1"
    assert (told["shown"], told["label"], told["patients"]) == (30, "plane", 15)
    assert told["labels"] == {"brain": 10, "femur": 10, "thorax": 10}
    numbers = {number["name"]: number for number in told["embedding"]["numbers"]}
    assert numbers["neighbour_accuracy"]["value"] == 1.0
    assert numbers["silhouette"]["low"] < numbers["silhouette"]["value"]
    assert told["maps"][0]["numbers"][0]["name"] == "trustworthiness"
    assert told["provenance"]["model"] == "m"
    assert told["files"] == ["out/map.html", "out/map-pca.png"]
    assert all(f"Written: {file}" in err for file in told["files"])
    assert sorted(path.name for path in Path("out").iterdir()) == ["map-pca.png", "map.html"]
    page = Path("out/map.html").read_text("utf-8")
    points = json.loads(re.search(r'id="map-data">(.*?)</script>', page, re.DOTALL)[1])
    assert points["thumbs"] == [*range(29), -1]  # the last picture is not there any more
    assert points["names"][3] == "03.png"
    with Image.open("out/map-pca.png") as picture:
        assert picture.size == (900, 640)


def test_text_says_what_each_number_means(made, capsys):
    words = [
        "map",
        "e.npz",
        "--labels",
        "t.csv",
        "--where",
        "Train=0",
        "--method",
        "pca",
        "-o",
        "m.html",
        "--no-thumbnails",
    ]
    assert main([*words, "--no-names", "--png", "m.png"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"embedding +purity of 10 neighbours +\d", out)
    assert "of other patients" in out
    page = Path("m.html").read_text("utf-8")
    assert "Train=0" in page
    assert "data:image" not in page
    assert ".png" not in page
    assert Path("m.png").exists()


def test_without_a_table_folders_are_labels(made, capsys):
    assert main(["map", "e.npz", "--method", "pca", "-o", "m.html", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["label"], told["labels"], told["embedding"]["numbers"]) == (None, {}, [])
    np.savez(
        "f.npz", embeddings=np.eye(6, 8, dtype=np.float32), paths=np.array([f"{'ab'[i % 2]}/{i}.png" for i in range(6)])
    )
    assert main(["map", "f.npz", "--method", "pca", "-o", "m.html", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["label"] == "folder"
    assert "no patients are known" in told["warnings"][0]


def test_texts_are_mapped_too(made, capsys):
    np.savez("f.npz", embeddings=np.eye(4, 8, dtype=np.float32), texts=np.array(["a/b", "a head", "c/d", "an arm"]))
    assert main(["map", "f.npz", "--method", "pca", "-o", "m.html"]) == 0
    assert "a/b" in Path("m.html").read_text("utf-8")


@pytest.mark.slow
def test_umap_and_both(made, capsys):
    pytest.importorskip("umap")
    assert main(["map", "e.npz", "--labels", "t.csv", "-o", "m.html", "--png", "m.png", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == ["m.html", "m-umap.png", "m-pca.png"]
    assert [one["method"] for one in told["maps"]] == ["umap", "pca"]
    before = Path("m-umap.png").read_bytes()
    assert main(["map", "e.npz", "--labels", "t.csv", "-o", "m.html", "--png", "n.png", "--method", "umap"]) == 0
    assert Path("n.png").read_bytes() == before


def broken(**arrays: object) -> None:
    np.savez("b.npz", **{"embeddings": np.eye(3, 8, dtype=np.float32), "paths": np.array(["a", "b", "c"]), **arrays})


@pytest.mark.parametrize(
    ("arrays", "words", "said", "code"),
    [
        ({"embeddings": np.full((3, 8), np.nan, np.float32)}, [], "NaN or infinite", 1),
        ({"embeddings": np.full((3, 8), np.inf, np.float32)}, [], "NaN or infinite", 1),
        ({"embeddings": np.ones((3, 8), np.float32)}, [], "all the same", 2),
        ({"embeddings": np.ones((3, 8, 2), np.float32)}, [], "shape (3, 8, 2)", 1),
        ({"embeddings": np.eye(2, 8, dtype=np.float32), "paths": np.array(["a", "b"])}, [], "2 embeddings", 2),
        ({"paths": np.array(["a", {}, "c"], dtype=object)}, [], "pickle", 1),
        ({}, ["--method", "tsne"], "umap, pca or both", 2),
        ({}, ["--label", "plane"], "--labels T.csv", 2),
        ({}, ["--labels", "t.csv", "--where", "x"], "COLUMN=VALUE", 2),
        ({}, ["--labels", "t.csv"], "none of the 3 embeddings", 2),
        ({}, ["--labels", "no.csv"], "no table", 3),
        ({}, ["--png", "m.jpg"], "ends in .png", 2),
        ({}, ["-o", "nowhere/m.html"], "does not exist", 2),
    ],
)
def test_what_cannot_be_drawn_is_one_message_and_leaves_nothing(made, capsys, arrays, words, said, code):
    broken(**arrays)
    before = sorted(path.name for path in made.iterdir())
    method = [] if "--method" in words else ["--method", "pca"]
    assert main(["map", "b.npz", *method, *([] if "-o" in words else ["-o", "m.html"]), *words]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err
    assert sorted(path.name for path in made.iterdir()) == before


def test_a_missing_package_is_told(made, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    assert main(["map", "e.npz", "-o", "m.html"]) == 3
    assert "fetalclip[map]" in capsys.readouterr().err
    assert not Path("m.html").exists()
