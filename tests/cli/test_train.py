"""``fetalclip train``: recipe, changes, folder; the training itself has its own tests."""

from __future__ import annotations

import json
import os

import pytest

from fetalclip.cli import main

fit = pytest.importorskip("fetalclip.fit")


@pytest.fixture
def trained(monkeypatch):
    seen = {}

    def train(recipe, out, resume=True, say=print):
        say("a word")
        print("a bar")
        seen.update(recipe=recipe, out=out, resume=resume)
        return out / "model"

    monkeypatch.setattr(fit, "train", train)
    return seen


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("seed: 3\n")
    return path


def test_recipe_and_changes_reach_the_training(trained, recipe, tmp_path, capsys):
    out = tmp_path / "run"
    words = ["train", str(recipe), "optim.epochs=2", "name=mine", "--out", str(out), "--json"]
    assert main(words) == 0
    said, talk = capsys.readouterr()
    assert json.loads(said)["model"] == str(out / "model")
    assert "a bar" in talk
    found = trained["recipe"]
    assert (found.seed, found.optim.epochs, found.name) == (3, 2, "mine")
    assert (trained["out"], trained["resume"]) == (out, False)


def test_the_default_folder_is_named_after_the_recipe(trained, recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", str(recipe)]) == 0
    assert capsys.readouterr().out == "runs/mine/model\n".replace("/", os.sep)


def test_a_used_folder_needs_resume(trained, recipe, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"x")
    assert main(["train", str(recipe), "--out", str(tmp_path / "run")]) == 2
    assert "--resume" in capsys.readouterr().err
    assert trained == {}
    assert main(["train", str(recipe), "--out", str(tmp_path / "run"), "--resume"]) == 0
    assert trained["resume"] is True


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["no-such-recipe"], "no recipe"),
        (["{recipe}", "sede=3"], "Try: seed"),
        (["{recipe}", "optim.epochs=x"], "'optim.epochs'"),
        (["{recipe}", "seed"], "key=value"),
        (["{recipe}", "--out", "{recipe}"], "--out"),
        (["{recipe}", "--resume", "--out", "no-such-folder"], "--resume"),
    ],
)
def test_what_is_wrong_is_told_first(trained, recipe, words, part, capsys):
    assert main(["train", *(word.format(recipe=recipe) for word in words)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert part in err
    assert err.count("\n") == 1
    assert trained == {}


def test_every_included_recipe_can_be_read():
    from fetalclip.settings import load_recipe, recipe_names, recipe_value

    for name in recipe_names():
        kind = fit.RECIPES.get(recipe_value(name, "objective"), fit.Recipe)
        assert isinstance(load_recipe(kind, name), kind)


def test_the_objective_says_which_kind_of_recipe_it_is(monkeypatch, recipe, tmp_path, capsys):
    from fetalclip.fit import segment

    seen = []

    def train_head(recipe, out, resume=True, say=print):
        seen.append(recipe)
        return out / "head"

    monkeypatch.setattr(segment, "train_head", train_head)
    recipe.write_text("objective: segment\nstructures: brain\n")
    assert main(["train", str(recipe), "optim.epochs=2", "--out", str(tmp_path / "run")]) == 0
    said, talk = capsys.readouterr()
    assert said.strip() == str(tmp_path / "run" / "head")
    assert "--head" in talk
    assert (seen[0].structures, seen[0].optim.epochs) == ("brain", 2)
    assert main(["train", str(recipe), "objective=supervised", "--out", str(tmp_path / "other")]) == 2
    assert "structures" in capsys.readouterr().err  # no key of that kind of recipe


def test_a_heart_recipe_reaches_its_training(monkeypatch, tmp_path, capsys):
    from fetalclip.fit import heart

    seen = []

    def train_heart(recipe, out, resume=True, say=print):
        seen.append(recipe)
        return out / "heart"

    monkeypatch.setattr(heart, "train_heart", train_heart)
    words = ["train", "heart", "data.clips=mine.csv", "model.kind=concat", "data.findings=[septal defect]"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    said, talk = capsys.readouterr()
    assert said.strip() == str(tmp_path / "run" / "heart")
    assert "bench heart --predictions" in talk
    assert seen[0].data.clips == "mine.csv"
    assert seen[0].data.findings == ("septal defect",)
    assert seen[0].model.kind == "concat"


def test_a_finetune_recipe_reaches_its_training(monkeypatch, tmp_path, capsys):
    from fetalclip.fit import finetune

    seen = []

    def train(recipe, out, resume=True, say=print):
        seen.append(recipe)
        return out / "model"

    monkeypatch.setattr(finetune, "finetune", train)
    words = ["train", "finetune", "data.table=mine.csv", "data.label=plane", "model.method=full"]
    assert main([*words, "--out", str(tmp_path / "run"), "--json"]) == 0
    said, talk = capsys.readouterr()
    assert json.loads(said)["model"] == str(tmp_path / "run" / "model")
    assert "--model" in talk
    assert (seen[0].data.table, seen[0].data.label, seen[0].model.method) == ("mine.csv", "plane", "full")


def test_a_finetune_recipe_without_a_table_writes_nothing(tmp_path, capsys):
    assert main(["train", "finetune", "--out", str(tmp_path / "run")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "data.table=labels.csv" in err
    assert not list((tmp_path / "run").glob("*"))
