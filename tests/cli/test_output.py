"""The small pieces: printable text, plain values, bars, whole files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from fetalclip.cli import files, output
from fetalclip.errors import OutputError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("scan.png", "scan.png"),
        ("a b/ü.png", "a b/ü.png"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\udcff", "\\udcff"),
    ],
)
def test_printable(text, shown):
    assert output.printable(text) == shown
    output.printable(text).encode("utf-8")


def test_json_lines_are_strict_json():
    value = {
        "a": np.float32(0.5),
        "b": np.arange(2),
        "c": float("nan"),
        "d": np.float64("inf"),
        "e": (Path("x"), None, True, np.bool_(True)),
        "f": {1: "ü\n"},
    }
    line = output.json_line(value)
    assert "\n" not in line
    assert line.isascii()
    found = json.loads(line, parse_constant=lambda word: pytest.fail(word))
    assert found == {"a": 0.5, "b": [0, 1], "c": None, "d": None, "e": ["x", None, True, True], "f": {"1": "ü\n"}}


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999, 1, -1, 2, float("nan")])
def test_bars_have_one_width(share):
    assert len(output.bar(share)) == 20
    assert len(output.bar(share, ascii_only=True)) == 20
    assert output.bar(share, ascii_only=True).isascii()


def test_bars_grow():
    filled = [output.bar(share).rstrip() for share in (0, 0.25, 0.5, 1)]
    assert [len(text) for text in filled] == [0, 5, 10, 20]


def test_progress_counts_what_an_item_stands_for_and_what_was_done_before(capsys, monkeypatch):
    from rich.progress import Progress

    seen = []
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(Progress, "add_task", lambda self, *_, total, completed: seen.append((completed, total)) or 0)
    monkeypatch.setattr(Progress, "advance", lambda self, task, by=1: seen.append(by))
    assert list(output.Voice().progress(["ab", "c"], 10, "embed", 7, len)) == ["ab", "c"]
    assert seen == [(7, 10), 2, 1]


def test_progress_is_silent_without_a_terminal(capsys):
    assert list(output.Voice().progress(range(3), 3, "count")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_progress_on_a_terminal_keeps_stdout_clean(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    voice = output.Voice()
    for item in voice.progress(range(3), 3, "count"):
        voice.data(f"line {item}")
    out, _ = capsys.readouterr()
    assert out == "line 0\nline 1\nline 2\n"


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "page.html"
    target.write_text("before")

    def break_off() -> None:
        with files.whole(target, "--report") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert target.read_text() == "before"
    with files.whole(target, "--report") as temporary:
        assert temporary.suffix == ".html"
        temporary.write_text("after")
    assert target.read_text() == "after"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_written_file_has_the_usual_rights(tmp_path):
    (tmp_path / "plain").write_text("")
    with files.whole(tmp_path / "page.html", "--report") as temporary:
        temporary.write_text("x")
    assert (tmp_path / "page.html").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="rights do not bind this user")
def test_a_protected_folder_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError):
        files.check_folder(tmp_path, "--out")
    with pytest.raises(OutputError):
        files.check_file(tmp_path / "x.html", "--report")


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_impossible_names_are_told(tmp_path, name):
    with pytest.raises(OutputError):
        files.check_folder(tmp_path / name, "--out")
    with pytest.raises(OutputError):
        files.check_file(tmp_path / name / "r.html", "--report")
