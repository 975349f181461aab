"""``fetalclip data audit``: exit codes, JSON, page, names, and what is wrong with a call."""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fetalclip.cli import main
from fetalclip.cli.data_audit import _published
from fetalclip.errors import DataMissing
from fetalclip.phantom import draw


@pytest.fixture
def table(tmp_path):
    """A table of drawn planes: clean until a test says otherwise."""
    lines = []
    for i in range(8):
        plane = ("brain", "femur")[i % 2]
        Image.fromarray(draw(plane, i).frame.gray).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,Mary {i},{('train', 'val', 'test')[i % 3]},{plane}")
    return _write(tmp_path / "m.csv", lines)


def _write(path, lines, header="image,group,split,plane"):
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def run(*words):
    return main([str(word) for word in words])


def test_a_clean_table(table, capsys):
    assert run("data", "audit", table, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "fetalclip.audit/1"
    assert (told["rows"], told["read"], told["leaking"], told["leaks"]) == (8, 8, False, [])


def test_a_leak_is_exit_code_1(table, tmp_path, capsys):
    with table.open("a") as stream:
        stream.write("0.png,Other,test,brain\n")
    assert run("data", "audit", table, "--report", tmp_path / "a.html") == 1
    said = capsys.readouterr()
    assert "leaks that touch the test side  1" in said.out
    assert "Mary" not in said.out
    page = (tmp_path / "a.html").read_text()
    assert "1 leak touches the test side." in page
    assert "<img" in page
    assert "Mary" not in page
    assert "0.png" not in page


def test_a_group_in_two_splits_is_found_and_not_refused(table, capsys):
    Image.fromarray(np.full((30, 30), 60, np.uint8)).save(table.parent / "x.png")
    with table.open("a") as stream:
        stream.write("x.png,Mary 0,test,brain\n")
    assert run("data", "audit", table, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [leak["kind"] for leak in told["leaks"]] == ["group"]
    assert told["refused"] == []


def test_missing_files_and_bad_rows_are_told(table, capsys):
    with table.open("a") as stream:
        stream.write("gone.png,G,train,brain\n1.png,H,train,banana\n")
    assert run("data", "audit", table, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [(found["row"], found["split"]) for found in told["unreadable"]] == [(9, "train")]
    assert [(found["row"], found["kind"]) for found in told["refused"]] == [(10, "unknown plane")]


def test_names_are_told_when_asked(table, capsys):
    with table.open("a") as stream:
        stream.write("gone.png,G,train,brain\n")
    run("data", "audit", table, "--json", "--names")
    assert json.loads(capsys.readouterr().out)["unreadable"][0]["name"] == "gone.png"


def test_embeddings_come_from_the_model(table, monkeypatch, capsys):
    asked = []

    def encode(frames):
        asked.append(len(frames))
        return np.eye(len(frames), 16, dtype=np.float32)

    api = ModuleType("fetalclip.api")
    made = SimpleNamespace(encode_image=encode, card=SimpleNamespace(name="m"), expected=lambda: "")
    api.load = lambda name, device=None, precision=None: made
    monkeypatch.setitem(sys.modules, "fetalclip.api", api)
    monkeypatch.setattr("fetalclip.cli.data_audit.load", lambda *_: made)
    assert run("data", "audit", table, "--embed", "m", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert asked == [8]
    assert told["provenance"]["model"] == "m"
    assert len(told["duplicates"]["embedding"]) > 0
    assert any("labels were not checked" in warning for warning in told["warnings"])  # too few pictures


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--json"], 2, "no PATH"),
        (["m.csv", "--root", "."], 2, "both PATH and --root"),
        (["m.csv", "--dataset", "hc18"], 2, "PATH with --dataset"),
        (["missing.csv"], 3, "no table"),
        (["m.txt"], 2, "ends in .csv or .parquet"),
        (["--root", "."], 3, "no data set"),
        (["--root", ".", "--dataset", "hc18"], 3, "hc18"),
        (["--root", ".", "--dataset", "banana"], 2, "There is no data set 'banana'"),
    ],
)
def test_a_wrong_call(tmp_path, monkeypatch, capsys, words, code, said):
    monkeypatch.chdir(tmp_path)
    assert run("data", "audit", *words) == code
    assert said in capsys.readouterr().err


def test_a_table_without_a_usable_row(tmp_path, capsys):
    assert run("data", "audit", _write(tmp_path / "m.csv", ["a.png,A,sideways,brain"])) == 1
    assert "no row of" in capsys.readouterr().err


def test_unknown_columns_are_named(tmp_path, capsys):
    assert run("data", "audit", _write(tmp_path / "m.csv", ["a.png,3"], "image,patiend")) == 1
    assert "patiend" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_said_before_any_work(table, tmp_path, capsys):
    assert run("data", "audit", table, "--report", tmp_path / "no" / "a.html") == 2
    assert "does not exist" in capsys.readouterr().err


def test_a_named_set_that_is_absent_is_an_error(tmp_path):
    with pytest.raises(DataMissing):
        _published(tmp_path, ["hc18"])
