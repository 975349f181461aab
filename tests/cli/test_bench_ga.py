"""``fetalclip bench ga``, ``--versus`` and ``--report``: what reaches the protocol and what comes back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from fetalclip.cli import main
from fetalclip.clinical.growth import chart

SIZES = [float(chart("who-2017-v3-hc").size(day)) for day in (120, 140, 160, 200, 240)]


@pytest.fixture
def truth(tmp_path):
    path = tmp_path / "truth.csv"
    lines = [f"{i}_HC.png,{0.05 + 0.02 * i:.2f},{mm:.3f}\n" for i, mm in enumerate(SIZES)]
    path.write_text("filename,pixel size(mm),head circumference (mm)\n" + "".join(lines))
    return path


@pytest.fixture
def scores(tmp_path):
    path = tmp_path / "scores.npz"
    matrix = np.zeros((5, 175), np.float32)
    for row, day in enumerate((121, 141, 161, 201, 241)):
        matrix[row, day - 105 : day - 90] = 1.0
    np.savez(path, scores=matrix, days=np.arange(98, 273))
    return path


def test_scores_and_truth(scores, truth, capsys):
    assert main(["bench", "ga", "--scores", str(scores), "--truth", str(truth), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["protocol"], found["n"]) == ("ga", 5)
    assert found["metrics"]["valid_prediction_rate"]["value"] == 1.0
    assert found["metrics"]["mae"]["value"] == pytest.approx(1.0, abs=0.01)
    assert set(found["null"]) == {"constant age", "pixel spacing alone"}


def test_saved_ages_a_plot_and_a_page(truth, tmp_path, capsys):
    ages, plot, page = tmp_path / "ages.csv", tmp_path / "plot.png", tmp_path / "page.html"
    ages.write_text("days,low,high\n" + "".join(f"{day},{day - 9},{day + 9}\n" for day in (121, 141, 161, 201, 241)))
    words = ["--predictions", str(ages), "--truth", str(truth), "--plot", str(plot), "--report", str(page)]
    assert main(["bench", "ga", *words]) == 0
    out, err = capsys.readouterr()
    assert "90 % interval holds" in out
    assert f"Written: {plot}" in err
    assert f"Written: {page}" in err
    with Image.open(plot) as drawn:
        assert (drawn.format, drawn.size) == ("PNG", (760, 500))
    text = page.read_text("utf-8")
    assert "Bland-Altman" in text
    assert str(tmp_path) not in text
    assert not list(tmp_path.glob(".unfinished*"))


def test_two_score_files(scores, truth, tmp_path, capsys):
    other = tmp_path / "other.npz"
    with np.load(scores) as file:
        np.savez(other, scores=np.roll(file["scores"], 3, axis=1), days=file["days"])
    words = ["--scores", str(scores), "--truth", str(truth), "--versus", str(other), "--json"]
    assert main(["bench", "ga", *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["metrics"]["versus_mae"]["value"] == pytest.approx(-3.0, abs=0.01)
    assert found["metrics"]["mae"]["versus"]["value"] == pytest.approx(4.0, abs=0.01)
    assert found["provenance"]["versus"]["name"] == "other.npz"


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["--json"], 2, "neither --root nor --scores nor --predictions"),
        (["--scores", "s.npz"], 2, "no --truth"),
        (["--scores", "s.npz", "--predictions", "p.csv", "--truth", "t.csv"], 2, "both --scores and --predictions"),
        (["--scores", "s.npz", "--truth", "t.csv", "--root", "."], 2, "both --root"),
        (["--root", ".", "--truth", "t.csv"], 2, "--truth with --root"),
        (["--root", "no-such-folder"], 3, "no-such-folder"),
        (["--root", ".", "--split", "all"], 2, "'all'"),
        (["--root", ".", "--versus", "no-such-model"], 3, "no-such-model"),
        (["--scores", "no-such.npz", "--truth", "no-such.csv"], 1, "no-such.csv"),
        (["--root", ".", "--versus", "fetalclip-tiny", "--card"], 2, "--card"),
        (["--root", ".", "--report", "no/such/folder/x.html"], 2, "--report"),
    ],
)
def test_what_is_wrong_is_told_first(words, code, part, capsys):
    assert main(["bench", "ga", *words]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert part in err
    assert err.count("\n") == 1


def test_the_options_reach_the_protocol(model, tmp_path, monkeypatch, capsys):
    from fetalclip.bench import card, ga
    from fetalclip.bench.table import BenchResult

    seen, written = [], []

    def run(model, root, options=None):
        seen.append((model, root, options))
        return BenchResult("ga", 7, ())

    monkeypatch.setattr(ga, "run", run)
    monkeypatch.setattr(card, "write_card", lambda *given: written.append(given[2]))
    assert main(["bench", "ga", "--root", str(tmp_path), "--split", "val", "--card", "--json"]) == 0
    ((loaded, root, options),) = seen
    assert (loaded, root, options.split, options.limit) == (model, tmp_path, "val", None)
    assert written == ["fetalclip bench ga --root DIR --split val"]


def test_a_second_model_is_measured_and_compared(model, tmp_path, monkeypatch, capsys):
    from fetalclip.bench import subplanes
    from fetalclip.bench.table import BenchResult, Scored

    rows = ("trans-thalamic", "trans-cerebellum")
    runs = []

    def run(model, root, options=None):
        runs.append(root)
        return BenchResult("subplanes", 2, (), scored=Scored(rows, ("p", "q"), {}))

    monkeypatch.setattr(subplanes, "run", run)
    assert main(["bench", "subplanes", "--root", str(tmp_path), "--versus", "second", "--json"]) == 0
    assert len(runs) == 2
    assert json.loads(capsys.readouterr().out)["provenance"]["versus"]["name"] == "second"


def test_a_page_of_planes_with_two_files(tmp_path, capsys):
    names = ["brain", "femur", "abdomen", "thorax"] * 4
    first, second, page = tmp_path / "a.json", tmp_path / "b.json", tmp_path / "p.html"
    first.write_text(json.dumps({"prediction": names, "label": names}))
    second.write_text(json.dumps({"prediction": ["kidney", *names[1:]], "label": names}))
    words = ["--predictions", str(first), "--versus", str(second), "--report", str(page)]
    assert main(["bench", "planes", *words]) == 0
    assert "Less b.json, paired" in capsys.readouterr().out
    assert "Less b.json, paired" in page.read_text("utf-8")
