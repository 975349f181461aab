"""``fetalclip bench``: what reaches the protocol, and what is told before anything is loaded."""

from __future__ import annotations

import json

import pytest
from PIL import Image

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


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        ([], 2, "bench subplanes --root"),
        (["--root", ".", "--predictions", "x.json"], 2, "both"),
        (["--root", "no-such-folder"], 3, "no-such-folder"),
        (["--root", ".", "--model", "no-such-model"], 3, "no-such-model"),
        (["--predictions", "no-such-file.json"], 1, "no-such-file.json"),
        (["--root", ".", "--n", "3", "--card"], 2, "--card"),
        (["--root", ".", "--plot", "diagram.jpg"], 2, ".png"),
        (["--root", ".", "--plot", "no/such/folder/diagram.png"], 2, "--plot"),
    ],
)
def test_what_is_wrong_with_subplanes_is_told_first(words, code, part, capsys):
    assert main(["bench", "subplanes", *words, *(["--json"] if not words else [])]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert part in err
    assert err.count("\n") == 1


@pytest.fixture
def scored(tmp_path):
    path = tmp_path / "scored.json"
    names = ["trans-thalamic", "trans-cerebellum", "trans-ventricular"]
    rows = [(truth, said) for truth in names for said in [truth] * 8 + names[:2]]
    scores = [{name: 0.8 if name == said else 0.1 for name in names} for _, said in rows]
    data = {"prediction": [said for _, said in rows], "label": [truth for truth, _ in rows], "scores": scores}
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize("protocol", ["planes", "subplanes"])
def test_a_diagram_is_drawn_of_saved_scores(protocol, scored, tmp_path, capsys):
    plot = tmp_path / "diagram.PNG"
    plot.write_bytes(b"before")
    assert main(["bench", protocol, "--predictions", str(scored), "--plot", str(plot), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["protocol"] == protocol
    assert f"Written: {plot}" in err
    with Image.open(plot) as drawn:
        assert (drawn.format, drawn.size) == ("PNG", (900, 900))
    assert not list(tmp_path.glob(".unfinished*"))


def test_without_scores_there_is_no_diagram(answers, tmp_path, capsys):
    plot = tmp_path / "diagram.png"
    assert main(["bench", "planes", "--predictions", str(answers), "--plot", str(plot)]) == 2
    out, err = capsys.readouterr()
    assert (out, plot.exists()) == ("", False)
    assert "scores" in err


def test_subplanes_reach_their_protocol(model, tmp_path, monkeypatch, capsys):
    from fetalclip.bench import card, subplanes
    from fetalclip.bench.table import BenchResult

    seen, written = {}, []

    def run(model, root, options=None):
        seen.update(model=model, root=root, options=options)
        return BenchResult("subplanes", 7, ())

    monkeypatch.setattr(subplanes, "run", run)
    monkeypatch.setattr(card, "write_card", lambda *given: written.append(given))
    assert main(["bench", "subplanes", "--root", str(tmp_path), "--card", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 7
    assert (seen["model"], seen["root"], seen["options"].limit) == (model, tmp_path, None)
    ((_, result, command),) = written
    assert (result["protocol"], command) == ("subplanes", "fetalclip bench subplanes --root DIR")


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
