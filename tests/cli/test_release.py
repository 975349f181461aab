"""``fetalclip models release`` and ``card``, and the rows of ``bench rows``."""

from __future__ import annotations

import json
import shutil

import pytest

from fetalclip.bench.card import render
from fetalclip.cards import get_card, read_folder
from fetalclip.cli import main


@pytest.fixture
def mine(tmp_path):
    """The bundled folder under another name, the user's to change."""
    return shutil.copytree(get_card("fetalclip-open").folder, tmp_path / "mine")


def test_what_is_missing_is_printed(tmp_path, capsys):
    assert main(["models", "release", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    told = json.loads((tmp_path / "out" / "openness.json").read_text())
    lines = out.splitlines()
    assert lines[0].split() == ["component", "class", "there", "licence", "where"]
    assert sum(line.startswith(("architecture code", "research paper")) for line in lines[1:18]) == 2
    assert "Class I (Open Science) lacks:" in lines
    assert lines.index("  intermediate checkpoints: missing") > lines.index("Class I (Open Science) lacks:")
    assert ("no class reached" in out) == (told["class"] is None)
    assert "sha256sum --check" in err


def test_as_json(tmp_path, mine, capsys):
    assert main(["models", "release", str(tmp_path / "out"), "--model", str(mine), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "fetalclip.release/1"
    assert told["openness"]["schema"] == "fetalclip.openness/1"
    assert told["files"]["model.safetensors"] == get_card("fetalclip-open").sha256


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["models", "release", "{mine}"], 2, "is there already"),
        (["models", "release", "{mine}/config.json/out"], 2, "cannot be"),
        (["models", "release", "{mine}/../out", "--model", "no-such-model"], 3, "no model"),
        (["models", "release", "{mine}/../out", "--model", "fetalclip-vit-l-14"], 3, "models pull fetalclip-vit-l-14"),
        (["models", "card", "fetalclip-vit-l-14"], 3, "has no card here"),
        (["models", "card", "fetalclip-tiny", "--data"], 3, "has no card here"),
        (["bench", "rows", "{mine}/no.json", "--card", "ablations"], 1, "could not be read"),
        (["bench", "rows", "{mine}/config.json", "--card", "ablations", "--model", "{mine}"], 2, "without rows"),
        (["bench", "rows", "{mine}/config.json", "--card", "results", "--model", "{mine}"], 2, "ablations or language"),
    ],
)
def test_a_wrong_call_says_so(mine, capsys, words, code, said):
    before = sorted(mine.parent.iterdir())
    assert main([word.format(mine=mine) for word in words]) == code
    assert said in capsys.readouterr().err
    assert sorted(mine.parent.iterdir()) == before


def test_cards_are_printed(capsys):
    assert main(["models", "card", "fetalclip-open"]) == 0
    assert capsys.readouterr().out.rstrip() == get_card("fetalclip-open").readme.rstrip()
    assert main(["models", "card", "fetalclip-open", "--data"]) == 0
    assert capsys.readouterr().out.startswith("# Data of fetalclip-open\n")
    assert main(["models", "card", "fetalclip-open", "--data", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["text"].splitlines()[0]) == ("data", "# Data of fetalclip-open")


def test_a_folder_without_a_card(mine, capsys):
    (mine / "README.md").unlink()
    assert main(["models", "card", str(mine)]) == 3
    assert "has no card here" in capsys.readouterr().err
    assert main(["models", "card", str(mine), "--data"]) == 0


def test_rows_reach_the_card(mine, tmp_path, capsys):
    found = {"value": 0.5, "low": 0.25, "high": 0.75, "n": 4}
    (tmp_path / "rows.json").write_text(json.dumps({"rows": [{"name": "from scratch", "macro_f1": found}]}))
    words = ["bench", "rows", str(tmp_path / "rows.json"), "--card", "ablations", "--model", str(mine)]
    assert main(words) == 0
    assert capsys.readouterr().out.strip().endswith("README.md")
    assert "| from scratch |" in (mine / "README.md").read_text("utf-8")
    assert render(read_folder(mine).config) == (mine / "README.md").read_text("utf-8")
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 1
