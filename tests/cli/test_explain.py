"""``fetalclip explain``: a picture per picture, a line per file, and what is told before any work."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fetalclip.cli import main
from fetalclip.phantom import draw

TINY = ["--model", "fetalclip-tiny"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "scans"
    made.mkdir()
    Image.fromarray(draw("brain", 1, "test").frame.gray).save(made / "a.png")
    Image.fromarray(np.stack([draw("femur", 2, "test").frame.gray] * 3, axis=-1)).save(made / "b.jpg")
    (made / "words.txt").write_text("no picture")
    return made


def test_a_heat_map_for_every_picture_and_a_line_for_every_file(folder, tmp_path, capsys):
    out = tmp_path / "out"
    code = main(["explain", str(folder), "--text", "fetal brain", "-o", str(out), "--maps", "--json", *TINY])
    told, talk = capsys.readouterr()
    lines = [json.loads(line) for line in told.splitlines()]
    assert code == 1  # one file is no picture
    assert [Path(line["input"]["path"]).name for line in lines] == ["a.png", "b.jpg", "words.txt"]
    assert all(line["schema"] == "fetalclip.explain/1" and set(line) == set(lines[0]) for line in lines)
    first, _, failed = lines
    assert (first["text"], first["method"], first["quantity"]) == ("fetal brain", "erasing", "log-odds")
    assert len(first["against"]) == 8
    assert first["provenance"]["model"] == "fetalclip-tiny"
    assert first["error"] is None
    assert failed["error"]
    assert failed["score"] is None
    assert "words.txt" in talk
    assert sorted(path.name for path in out.iterdir()) == ["a.png.npz", "a.png.png", "b.jpg.npz", "b.jpg.png"]
    with np.load(out / "a.png.npz", allow_pickle=False) as data:
        assert data["map"].shape == (first["input"]["height"], first["input"]["width"])
        assert data["map"].dtype == np.float32
        assert str(data["text"]) == "fetal brain"
        assert float(data["score"]) == pytest.approx(first["score"])
    with Image.open(out / "a.png.png") as picture:
        assert picture.width == max(first["input"]["width"], 280)
        assert picture.height > first["input"]["height"]


def test_without_a_text_the_models_own_plane(folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["explain", str(folder / "a.png"), "-o", str(out), "--method", "hires-cam", *TINY]) == 0
    told, talk = capsys.readouterr()
    assert "log-odds" in told
    assert "Written" in talk
    assert [path.name for path in out.iterdir()] == ["a.png.png"]


def test_against_texts_of_ones_own(folder, tmp_path, capsys):
    words = ["--text", "a cat", "--against", "a dog", "--against", "femur", "--json", *TINY]
    assert main(["explain", str(folder / "a.png"), "-o", str(tmp_path / "out"), *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["against"] == ["a dog", "femur"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--method", "magic"], 2, "erasing"),
        (["--text", " "], 2, "empty text"),
        (["--against", "femur"], 2, "--text"),
        (["--text", "femur", "--against", "femur"], 2, "itself"),
        (["--method", "rollout"], 2, "convolutional"),
        (["--model", "no-such-model"], 3, "no-such-model"),
        (["--overlay", "perhaps"], 2, "overlay"),
    ],
)
def test_what_is_told_before_any_picture(folder, tmp_path, capsys, words, code, said):
    out = tmp_path / "out"
    assert main(["explain", str(folder), "-o", str(out), *TINY, *words]) == code
    told, talk = capsys.readouterr()
    assert told == ""
    assert said in talk
    assert not out.exists() or not list(out.iterdir())


def test_heat_maps_are_never_put_beside_the_pictures(folder, capsys):
    before = sorted(folder.iterdir())
    assert main(["explain", str(folder), "-o", str(folder), *TINY]) == 2
    assert "holds input files" in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before


def test_a_report_with_heat_maps(folder, tmp_path, capsys):
    page = tmp_path / "page.html"
    plain = tmp_path / "plain.html"
    assert main(["analyze", str(folder / "a.png"), "--report", str(plain), "--tasks", "planes", *TINY]) == 0
    words = ["--report", str(page), "--explain", "auto", "--tasks", "planes"]
    assert main(["analyze", str(folder / "a.png"), *words, *TINY]) == 0
    assert plain.read_text().count("<img") == 1
    assert page.read_text().count("<img") == 2
    assert "heat map: " in page.read_text()
    assert "erasing" in page.read_text()
    capsys.readouterr()
    for wrong in (["--explain", "auto"], [*words[:3], "magic"], [*words[:4], "--prompts", "planes-4"]):
        assert main(["analyze", str(folder), *wrong, *TINY]) == 2


def test_an_abstained_plane_has_no_heat_map_on_the_page(tmp_path):
    from fetalclip.cli.heat import Heat
    from fetalclip.frame import Frame
    from fetalclip.result import Analysis, InputInfo, PlaneScores

    class Model:
        class explainer:  # noqa: N801
            method = staticmethod(lambda name: None)
            ask = staticmethod(lambda text: None)

        explain = staticmethod(lambda *words: "asked")

    frame, info = Frame(np.zeros((4, 4), np.uint8)), InputInfo("a")
    heat = Heat(Model, "auto", "mask")
    assert heat(Analysis(info, PlaneScores({"brain": 1.0})), frame) == "asked"
    assert heat(Analysis(info, PlaneScores({"brain": 1.0}, abstained=True, reason="x")), frame) is None
    assert heat(Analysis(info), frame) is None
    assert heat(Analysis(info, PlaneScores({"brain": 1.0})), None) is None
