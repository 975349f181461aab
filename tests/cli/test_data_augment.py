"""``fetalclip data augment``: the sheet, its columns, what the recipe changes, files that cannot be read."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest
from PIL import Image

from fetalclip.cli import main
from fetalclip.cli.data_augment import EFFECTS, _columns
from fetalclip.phantom import draw
from fetalclip.preprocess.augment import Augmentation

SMALL = ("--set", "model.image_size=48")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("scans")
    for i, plane in enumerate(("brain", "femur", "abdomen")):
        Image.fromarray(draw(plane, i).frame.gray).save(made / f"{i}.png")
    return made


def run(*words):
    return main([str(word) for word in words])


def cells(sheet, rows, columns, side=48):
    """The pictures of a sheet, (rows, columns, side, side)."""
    picture = np.asarray(Image.open(sheet))[..., 0]
    step, left, top = side + 6, 34, 70
    return np.array(
        [[picture[top + y * step :, left + x * step :][:side, :side] for x in range(columns)] for y in range(rows)]
    )


def test_every_field_has_a_column():
    named = [key for keys in EFFECTS.values() for key in keys]
    assert sorted(named) == sorted(field.name for field in fields(Augmentation))


def test_the_sheet(folder, tmp_path, capsys):
    out = tmp_path / "sheet.png"
    assert run("data", "augment", folder, "-o", out, "--draws", 2, "--json", *SMALL) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["columns"] == ["original", *EFFECTS, "all 1", "all 2"]
    files = [str(folder / f"{i}.png") for i in range(3)]
    assert told == {
        "schema": "fetalclip.augment/1",
        "path": str(out),
        "recipe": "fetalclip-open",
        "seed": 0,
        "columns": told["columns"],
        "rows": files,
        "failed": 0,
    }
    assert f"row 2: {files[1]}" in said.err
    shown = cells(out, 3, 11).astype(int)
    assert (shown.max(axis=(2, 3)) > 60).all()
    other = np.abs(shown[:, 1:] - shown[:, :1]).max(axis=(0, 2, 3))
    assert (other > 4).all(), dict(zip(told["columns"][1:], other, strict=True))


def test_a_seed_draws_one_sheet(folder, tmp_path):
    sheets = []
    for name, seed in (("a.png", 5), ("b.png", 5), ("c.png", 6)):
        assert run("data", "augment", folder, "-o", tmp_path / name, "--seed", seed, "--draws", 1, *SMALL) == 0
        sheets.append(cells(tmp_path / name, 3, 10))
    assert (sheets[0] == sheets[1]).all()
    assert (sheets[0][:, 0] == sheets[2][:, 0]).all()
    assert (sheets[0][:, -1] != sheets[2][:, -1]).any(axis=(1, 2)).all()


def test_the_recipe_decides(folder, tmp_path, capsys):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("name: mine\naugment: {shadow: 0.0, tgc: 0.0}\nmodel: {image_size: 48}\n")
    words = ("--recipe", recipe, "--set", "augment.haze=0", "--set", "augment.erase_corners=0", "--draws", 0)
    assert run("data", "augment", folder, "-o", tmp_path / "s.png", "--json", *words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["recipe"] == "mine"
    assert told["columns"] == ["original", "affine", "gain", "speckle", "attenuation", "erase"]


def test_a_chance_is_certain_in_its_own_column_only():
    columns = _columns(Augmentation(), 2, 7)
    assert columns["original"] == (Augmentation.none(), 7)
    assert columns["shadow"][0].shadow == 1.0
    assert columns["erase"][0].erase_corners == columns["erase"][0].erase_patch == 1.0
    assert columns["affine"][0].flip == Augmentation().flip
    assert columns["affine"][0].shadow == 0.0
    assert columns["all 1"] == (Augmentation(), 7)
    assert columns["all 2"] == (Augmentation(), 8)


def test_of_many_pictures_some_are_taken_evenly(folder, tmp_path, capsys):
    many = tmp_path / "many"
    many.mkdir()
    for i in range(6):
        (many / f"{i}.png").write_bytes((folder / "0.png").read_bytes())
    assert run("data", "augment", many, "-o", tmp_path / "s.png", "--rows", 3, "--json", *SMALL) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == [str(many / f"{i}.png") for i in (0, 2, 4)]


def test_a_large_picture_is_drawn_smaller(folder, tmp_path):
    words = ("--set", "model.image_size=260", "--rows", 1, "--draws", 0)
    assert run("data", "augment", folder, "-o", tmp_path / "s.png", *words) == 0
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.size == (34 + 9 * 230 + 6, 70 + 230 + 30)


def test_a_bad_file_is_told_and_left_out(folder, tmp_path, capsys):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    out = tmp_path / "s.png"
    assert run("data", "augment", bad, folder / "0.png", tmp_path / "gone.png", "-o", out, "--json", *SMALL) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["failed"] == 2
    assert json.loads(said.out)["rows"] == [str(folder / "0.png")]
    assert "bad.png" in said.err
    assert "gone.png" in said.err
    assert out.is_file()


def test_nothing_that_can_be_read(tmp_path, capsys):
    out = tmp_path / "s.png"
    assert run("data", "augment", tmp_path / "gone.png", "-o", out, *SMALL) == 1
    assert "none of 1 files could be read" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["-o", "sheet.jpg"], 2, "ends in .png"),
        (["-o", "no/sheet.png"], 2, "does not exist"),
        (["-o", "s.png", "--recipe", "banana"], 2, "no recipe 'banana'"),
        (["-o", "s.png", "--set", "augment.shadows=1"], 2, "augment.shadow"),
        (["-o", "s.png", "--set", "augment.shadow=2"], 2, "augment.shadow = 2"),
        (["-o", "s.png", "--set", "augment.zoom=[2, 1]"], 2, "augment.zoom"),
        (["-o", "s.png", "--set", "model.image_size=0"], 2, "at least 1 pixel"),
        (["-o", "s.png", "--rows", "0"], 2, "--rows"),
    ],
)
def test_a_wrong_call(folder, tmp_path, monkeypatch, capsys, words, code, said):
    monkeypatch.chdir(tmp_path)
    assert run("data", "augment", folder, *words) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "s.png").exists()
