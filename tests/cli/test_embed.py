"""``fetalclip embed``: rows in order, of unit length, with what they belong to; the rest is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fetalclip as fc
import fetalclip.api
from fetalclip.analysis import analyst
from fetalclip.cli import main
from fetalclip.encoder import Encoder


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
        (["a.png", "-o", "e.csv"], "ends in .npz or .parquet"),
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
    assert not list(Path().glob(".*"))


def many(folder: Path, count: int) -> list[str]:
    """A folder of small pictures and the words that embed it, 32 at a time."""
    folder.mkdir()
    random = np.random.default_rng(1)
    for i in range(count):
        Image.fromarray(random.integers(0, 255, (24, 24), dtype=np.uint8)).save(folder / f"{i:03}.png")
    (folder / "010.png").write_bytes(b"no picture")
    return ["embed", str(folder), "--model", "fetalclip-tiny"]


class Stopped(RuntimeError):
    """What ends a run in the middle."""


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_an_interrupted_run_goes_on_and_makes_the_same_file(tmp_path, monkeypatch, capsys, suffix):
    words = many(tmp_path / "scans", 100)
    whole, out = tmp_path / f"whole{suffix}", tmp_path / f"e{suffix}"
    assert main([*words, "-o", str(whole)]) == 1
    real, calls = Encoder.images, []

    def stops(self, pictures):
        calls.append(len(pictures))
        if len(calls) == 3:
            raise Stopped("the machine went away")
        return real(self, pictures)

    monkeypatch.setattr(Encoder, "images", stops)
    assert main([*words, "-o", str(out)]) == 1
    said = capsys.readouterr().err
    assert "64 of 100 are kept" in said
    assert not out.exists()
    assert (tmp_path / f".e{suffix}.parts").is_dir()
    calls[:] = [0] * 3
    assert main([*words, "-o", str(out)]) == 1  # 010.png is not tried again, and still counts
    assert calls[3:] == [32, 4]
    said = capsys.readouterr().err
    assert "Going on after 64 of 100" in said
    assert said.count("010.png") == 1
    assert "1 files not read" in said
    assert out.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_another_model_or_picture_does_not_go_on(tmp_path, monkeypatch, capsys):
    words = many(tmp_path / "scans", 40)
    out = tmp_path / "e.npz"
    real, calls = Encoder.images, []

    def stops(self, pictures):
        calls.append(len(pictures))
        if len(calls) == 2:
            raise Stopped("the machine went away")
        return real(self, pictures)

    monkeypatch.setattr(Encoder, "images", stops)
    main([*words, "-o", str(out)])
    Image.fromarray(np.zeros((24, 24), np.uint8)).save(tmp_path / "scans" / "000.png")
    assert main([*words, "-o", str(out)]) == 2
    assert "it differs in inputs" in capsys.readouterr().err
    assert main([*words, "-o", str(out), "--precision", "bf16"]) == 2
    assert "engine" in capsys.readouterr().err
    assert main([*words, "-o", str(out), "--restart"]) == 1
    assert len(read(out)["paths"]) == 39
    assert not list(tmp_path.glob(".*"))


def test_the_file_and_its_parts_are_no_inputs_of_their_own_folder(tmp_path, monkeypatch, capsys):
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["embed", ".", "-o", "e.npz", "--model", "fetalclip-tiny"]) == 0
    assert list(read(tmp_path / "e.npz")["paths"]) == ["a.png"]
    Path("a.png").unlink()
    assert main(["embed", ".", "-o", "e.npz", "--model", "fetalclip-tiny"]) == 2
    assert "no file but e.npz itself" in capsys.readouterr().err
    assert list(read(tmp_path / "e.npz")["paths"]) == ["a.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["e.npz"]


@pytest.mark.slow
def test_a_killed_process_goes_on_and_makes_the_same_file(tmp_path):
    words = [sys.executable, "-c", "from fetalclip.cli import program; program()", *many(tmp_path / "scans", 1500)]
    whole, out, journal = tmp_path / "whole.npz", tmp_path / "e.npz", tmp_path / ".e.npz.parts" / "journal.jsonl"
    assert subprocess.run([*words, "-o", str(whole)], capture_output=True, check=False).returncode == 1
    victim = subprocess.Popen([*words, "-o", str(out)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not (journal.exists() and journal.stat().st_size) and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(victim.pid, signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL
    assert not out.exists()
    done = subprocess.run([*words, "-o", str(out)], capture_output=True, text=True, check=False)
    assert "Going on after" in done.stderr
    assert out.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob(".*"))
