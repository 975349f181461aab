"""``fetalclip bench planes``: what reaches the protocol, and what is told before anything is loaded."""

from __future__ import annotations

import json

import pytest

from fetalclip.cli import main


@pytest.fixture
def answers(tmp_path):
    path = tmp_path / "answers.json"
    names = ["brain", "femur", "abdomen", "thorax"] * 5
    path.write_text(json.dumps({"prediction": names, "label": [*names[:-1], "brain"]}))
    return path


def test_saved_answers_as_json(answers, capsys):
    assert main(["bench", "planes", "--predictions", str(answers), "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert found["protocol"] == "planes"
    assert found["n"] == 20
    assert 0.9 < found["metrics"]["macro_f1"]["value"] < 1
    assert found["null"]


def test_saved_answers_as_a_table(answers, capsys):
    assert main(["bench", "planes", "--predictions", str(answers)]) == 0
    out, err = capsys.readouterr()
    assert "macro F1" in out
    assert "Goal not reached: Saved answers: macro F1" in err


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        ([], 2, "--root"),
        (["--root", ".", "--predictions", "x.json"], 2, "both"),
        (["--root", "no-such-folder"], 3, "no-such-folder"),
        (["--root", ".", "--far", "no-such-folder"], 3, "--far"),
        (["--root", ".", "--supervised", "no-such-folder"], 3, "no-such-folder"),
        (["--root", ".", "--model", "no-such-model"], 3, "no-such-model"),
        (["--predictions", "no-such-file.json"], 1, "no-such-file.json"),
    ],
)
def test_what_is_wrong_is_told_first(words, code, part, capsys):
    assert main(["bench", "planes", *words, *(["--json"] if not words else [])]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert part in err
    assert err.count("\n") == 1


def test_the_options_reach_the_protocol(model, tmp_path, monkeypatch, capsys):
    from fetalclip.bench import planes
    from fetalclip.bench.table import BenchResult

    seen = {}

    def run(model, root, options=None, supervised=None):
        seen.update(model=model, root=root, options=options, supervised=supervised)
        return BenchResult("planes", 7, ())

    monkeypatch.setattr(planes, "run", run)
    words = ["--root", str(tmp_path), "--n", "7", "--far", str(tmp_path), "--supervised", str(tmp_path), "--json"]
    assert main(["bench", "planes", *words]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 7
    assert seen["model"] is model
    assert seen["supervised"] is model
    assert (seen["root"], seen["options"].limit, seen["options"].far_dir) == (tmp_path, 7, tmp_path)
