"""``fetalclip bench compare``: what it writes and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fetalclip.bench import compare
from fetalclip.bench.compare_table import PLANES_F1, Compared, Comparison
from fetalclip.cli import main
from fetalclip.metrics import Estimate


@pytest.fixture
def asked(monkeypatch):
    """The names and options asked for; models called bad fail."""
    seen = {}

    def run(names, load, root, options, say):
        seen.update(names=list(names), tasks=options.tasks, limit=options.limit)
        made = [
            Compared(name, error="it is damaged")
            if name == "bad"
            else Compared(name, cells={PLANES_F1: Estimate(0.9, 0.8, 0.95, 10, 5)})
            for name in names
        ]
        return Comparison(tuple(made))

    monkeypatch.setattr(compare, "run", run)
    return seen


def test_json_and_files(asked, tmp_path, capsys):
    page, table = tmp_path / "c.html", tmp_path / "c.csv"
    words = ["bench", "compare", "--root", str(tmp_path), "--model", "a", "--model", "b", "--model", "a", "--n", "3"]
    assert main([*words, "--tasks", "planes, age", "--json", "-o", str(table), "--report", str(page)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in told["rows"]] == ["a", "b"]
    assert asked == {"names": ["a", "b"], "tasks": ("planes", "age"), "limit": 3}
    assert table.read_text().startswith("model,")
    assert "</html>" in page.read_text()


def test_a_model_that_fails_is_exit_code_1(asked, tmp_path, capsys):
    out = tmp_path / "c.md"
    words = ["bench", "compare", "--root", str(tmp_path), "--model", "bad", "--model", "good"]
    assert main([*words, "--tasks", "planes", "-o", str(out)]) == 1
    said = capsys.readouterr()
    assert "it is damaged" in said.err
    assert "0.900 [0.800, 0.950]" in said.out
    assert out.is_file()


@pytest.mark.parametrize("more", [["-o", "c.xlsx"], ["--report", "no/such/c.html"]])
def test_what_cannot_be_written_is_told_first(asked, more, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "compare", "--root", str(tmp_path), "--model", "a", *more]) == 2
    assert asked == {}


def test_a_root_that_is_none(asked, tmp_path, capsys):
    assert main(["bench", "compare", "--root", str(tmp_path / "x"), "--model", "a"]) == 3
    assert "is not a folder" in capsys.readouterr().err
    assert not list(Path(tmp_path).iterdir())
