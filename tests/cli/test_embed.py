"""``fetalclip embed``: rows in order, of unit length, with what they belong to; the rest is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fetalclip as fc
import fetalclip.api
from fetalclip.analysis import analyst
from fetalclip.cli import main


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "scans"
    made.mkdir()
    random = np.random.default_rng(0)
    for name in ("b", "a", "c"):
        Image.fromarray(random.integers(0, 255, (50, 70), dtype=np.uint8)).save(made / f"{name}.png")
    (made / "words.txt").write_text("no picture")
    return made


def read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as data:
        return dict(data)


def test_pictures_become_rows_with_their_paths(folder, tmp_path, capsys):
    out = tmp_path / "e.npz"
    code = main(["embed", str(folder), "-o", str(out), "--model", "fetalclip-tiny", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == 1  # one file is no picture
    assert (told["rows"], told["failed"]) == (3, 1)
    found = read(out)
    assert [Path(p).name for p in found["paths"]] == ["a.png", "b.png", "c.png"]
    assert found["embeddings"].dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found["embeddings"], axis=1), 1, atol=1e-6)
    model = fc.load("fetalclip-tiny")
    wanted = model.encode_image([fc.read(p) for p in found["paths"]], overlay="mask")
    np.testing.assert_allclose(found["embeddings"], wanted, atol=1e-5)
    assert str(found["model"]) == "fetalclip-tiny"


def test_texts_become_rows_in_their_order_twins_and_blanks_too(tmp_path, capsys):
    lines = ["femur", "a fetal head", "", "femur", "Größe 🙂"]
    (tmp_path / "t.txt").write_text("\n".join(lines) + "\n", "utf-8")
    out = tmp_path / "t.npz"
    assert main(["embed", "--text-file", str(tmp_path / "t.txt"), "-o", str(out), "--model", "fetalclip-tiny"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    found = read(out)
    assert list(found["texts"]) == lines
    np.testing.assert_array_equal(found["embeddings"][0], found["embeddings"][3])
    wanted = fc.load("fetalclip-tiny").encode_text(lines)
    np.testing.assert_allclose(found["embeddings"], wanted, atol=1e-6)


@pytest.mark.parametrize(("words", "way"), [([], "keep"), (["--mask-overlay"], "mask")])
def test_a_picture_stays_as_it_is_unless_the_card_or_the_user_asks(folder, tmp_path, monkeypatch, words, way):
    asked = []
    monkeypatch.setattr(fc.api.FetalCLIP, "overlay", "keep")  # as the card of a converted checkpoint
    real = analyst.prepare

    def spy(frame, size, overlay, colour):
        asked.append(overlay)
        return real(frame, size, overlay, colour)

    monkeypatch.setattr(analyst, "prepare", spy)
    main(["embed", str(folder / "a.png"), "-o", str(tmp_path / "e.npz"), "--model", "fetalclip-tiny", *words])
    assert asked == [way]
    assert str(read(tmp_path / "e.npz")["overlay"]) == way


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.png", "--text-file", "t.txt", "-o", "e.npz"], "both PATH and --text-file"),
        (["-o", "e.npz"], "neither PATH nor --text-file"),
        (["a.png", "-o", "e.csv"], "ends in .npz"),
        (["a.png", "-o", "e.npz", "--precision", "fp8"], "fp8"),
        (["--text-file", "nothing.txt", "-o", "e.npz"], "nothing.txt"),
        (["--text-file", "empty.txt", "-o", "e.npz"], "is empty"),
        (["--text-file", "latin.txt", "-o", "e.npz"], "not UTF-8"),
    ],
)
def test_a_wrong_call_is_one_message(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((20, 20), np.uint8)).save("a.png")
    Path("empty.txt").write_text("")
    Path("latin.txt").write_bytes("Größe".encode("latin-1"))
    assert main(["embed", *words, "--model", "fetalclip-tiny"]) in (1, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err
    assert not Path("e.npz").exists()
