"""A whole recipe: what comes out is a model folder that loads and answers."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import fetalclip
from fetalclip.api import FetalCLIP
from fetalclip.clinical.age_prompts import DAYS
from fetalclip.clinical.growth import CHART, chart
from fetalclip.clinical.vocabulary import KNOWN, SUBPLANES
from fetalclip.encoder.engine import Normalisation
from fetalclip.errors import DataMissing, NotAvailable, OutputError
from fetalclip.fit import Recipe, crossfit, loop, train
from fetalclip.fit.heads import Heads, fit_to
from fetalclip.fit.heldout import HeldOut
from fetalclip.frame import Frame
from fetalclip.tasks import AgeRule, PlaneRule


@pytest.fixture
def corpora(monkeypatch, corpus):
    asked = []

    def build_corpus(data, side, cache=None):
        asked.append((data, side, cache))
        return corpus

    monkeypatch.setattr(crossfit, "build_corpus", build_corpus)
    monkeypatch.setattr(crossfit, "trained_on", lambda data: {})
    monkeypatch.setattr(crossfit, "score_heads", no_heads)
    return asked


def no_heads(*_):
    raise DataMissing("no HC18", "the folder hc18")


def some_heads(model, root, fold) -> Heads:
    """Scores that peak at the age, with noise, of 40 examinations."""
    rng = np.random.default_rng(0)
    age = rng.uniform(110.0, 260.0, 40)
    peak = age + rng.normal(0, 3, 40)
    return Heads(20 - ((np.array(DAYS) - peak[:, None]) / 30) ** 2, chart(CHART).size(age), tuple(map(str, range(40))))


def frame(number: int) -> Frame:
    return Frame(np.random.default_rng(number).integers(0, 256, (60, 80), dtype=np.uint8))


@pytest.mark.slow
def test_a_whole_recipe_gives_a_model_that_answers(recipe, corpora, quick, tmp_path, monkeypatch):
    recipe = replace(recipe, crossfit_folds=(1, 2), optim=replace(recipe.optim, epochs=1))
    recipe = replace(recipe, data=replace(recipe.data, train_folds=(0, 1, 2, 3, 4), validate_fold=-1))
    said = []
    folder = train(recipe, tmp_path / "run", say=said.append)
    assert folder == tmp_path / "run" / "model"
    assert [(side, cache) for _, side, cache in corpora] == [(37, tmp_path / "cache")]
    assert sum("held out" in line for line in said) == 2

    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert (config["name"], config["license"]) == ("small", "CC-BY-4.0")
    assert config["training"]["recipe"] == json.loads(json.dumps(recipe.to_dict()))
    found = config["training"]["calibration"]
    for key in ("temperature", "outlier_threshold", "min_probability"):
        assert config["planes"][key] == found[key]
    assert [fold["n"] for fold in config["results"]["cross_fit"]] == [4, 4]
    assert config["subplanes"] == {
        "prompts": "brain-3",
        "temperature": found["subplanes"]["temperature"],
        "min_probability": found["subplanes"]["min_probability"],
    }
    assert [fold["subplanes"]["n"] for fold in config["results"]["cross_fit"]] == [1, 1]
    joined = config["results"]["cross_fit_subplanes"]
    assert joined["n"] == 2
    assert all(0 <= joined[name] <= 1 for name in ("macro_f1", "ece", "ece_corrected"))
    for fold in (1, 2):
        facts = json.loads((tmp_path / "run" / f"fold-{fold}" / "recipe.json").read_text())["recipe"]["data"]
        assert facts["validate_fold"] == fold
        assert fold not in facts["train_folds"]
        assert len(facts["train_folds"]) == 4

    assert any("no age rule: no HC18" in line for line in said)
    assert "age" not in config
    for fold in (1, 2):
        left = fetalclip.load(tmp_path / "run" / f"fold-{fold}" / "model")
        assert "age" not in left.card.config
    model = fetalclip.load(folder)
    assert model.card.name == "small"
    assert model.encoder.normalisation == Normalisation(32, loop.MEAN, loop.STD, loop.MIRROR)
    scans = [frame(i) for i in range(3)]
    answers = model.planes(scans)
    assert [len(a.scores) for a in answers] == [9] * 3
    assert [len(a.scores) for a in model.subplanes(scans)] == [3] * 3
    assert model.encode_image(scans).shape == (3, 16)

    # Again: every part is taken up, nothing is trained, and the same weights come out.
    monkeypatch.setattr(crossfit.Training, "step", lambda *_: pytest.fail("trained again"))
    sha = config["weights"]["sha256"]
    train(recipe, tmp_path / "run", say=said.append)
    again = json.loads((folder / "config.json").read_text("utf-8"))
    assert again["weights"]["sha256"] == sha

    # Scores of an older version are made again from the fold's checkpoint, and nothing else changes.
    old = HeldOut.load(tmp_path / "run" / "fold-1" / "heldout.npz")
    np.savez(
        tmp_path / "run" / "fold-1" / "heldout.npz",
        **{name: getattr(old, name) for name in ("logits", "outlier", "label", "source", "names")},
    )
    train(recipe, tmp_path / "run", say=said.append)
    assert any("scored again" in line for line in said)
    assert json.loads((folder / "config.json").read_text("utf-8")) == again
    anew = HeldOut.load(tmp_path / "run" / "fold-1" / "heldout.npz")
    np.testing.assert_allclose(anew.sublogits, old.sublogits, atol=1e-4)


def test_a_supervised_recipe_gives_a_classifier(recipe, corpora, quick, tmp_path):
    recipe = replace(recipe, objective="supervised", optim=replace(recipe.optim, epochs=1))
    model = fetalclip.load(train(recipe, tmp_path / "run", say=lambda _: None))
    answer = model.planes(frame(0))
    assert tuple(answer.scores) == KNOWN
    assert sum(answer.scores.values()) == pytest.approx(1)
    assert not answer.abstained
    held = HeldOut.load(tmp_path / "run" / "heldout.npz")
    assert held.names == KNOWN
    assert model.card.config["subplanes"]["classes"] == list(SUBPLANES)
    assert tuple(model.subplanes(frame(0)).scores) == tuple(SUBPLANES)
    config = {name: value for name, value in model.card.config.items() if name != "subplanes"}
    older = FetalCLIP(replace(model.card, config=config), model.encoder, PlaneRule.from_config(config))
    with pytest.raises(NotAvailable, match="no sub-planes"):  # a model of an older version has planes only
        older.subplanes(frame(0))


def test_a_fold_is_held_with_the_heads_of_its_number_and_never_sees_the_test_heads(recipe, monkeypatch, tmp_path):
    asked = []

    class Recorded:
        done = False

        def __init__(self, recipe, *_):
            asked.append(recipe.data)
            self.recipe, self.model, self.tokenizer = recipe, None, None

        def run(self):
            return object()

    saved = []
    monkeypatch.setattr(crossfit, "Training", Recorded)
    monkeypatch.setattr(crossfit, "_config", lambda *_: {})
    monkeypatch.setattr(crossfit, "save_folder", lambda model, tokenizer, config, folder, readme: saved.append(folder))
    for fold in range(5):
        crossfit._fold(recipe, fold, None, tmp_path, True, lambda _: None)
    assert [data.validate_fold for data in asked] == list(range(5))
    assert saved == [tmp_path / f"fold-{fold}" / "model" for fold in range(5)]
    for fold, data in enumerate(asked):
        assert fold not in (*data.train_folds, *data.hc18_folds)
        assert 0 not in data.hc18_folds
        assert set(data.train_folds) == set(range(5)) - {fold}
        assert set(data.hc18_folds) == {1, 2, 3, 4} - {fold}


def test_the_age_rule_is_fitted_on_the_validation_heads_and_written(recipe, corpora, quick, tmp_path, monkeypatch):
    recipe = replace(recipe, optim=replace(recipe.optim, epochs=1))
    asked = []

    def score(model, root, fold):
        asked.append(fold)
        return some_heads(model, root, fold)

    monkeypatch.setattr(crossfit, "score_heads", score)
    model = fetalclip.load(train(recipe, tmp_path / "run", say=lambda _: None))
    assert asked == [1]
    assert "age" in model.tasks
    rule = AgeRule.from_config(model.card.config)
    assert rule is not None
    assert rule.to_config() == fit_to(some_heads(None, "", 1)).to_config()


def test_heads_that_were_trained_on_fit_no_age_rule(recipe, corpora, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(crossfit, "score_heads", lambda *_: pytest.fail("trained heads were scored"))
    data = replace(recipe.data, hc18_folds=(1, 2))
    recipe = replace(recipe, data=data, optim=replace(recipe.optim, epochs=1))
    assert "age" not in fetalclip.load(train(recipe, tmp_path / "run", say=lambda _: None)).tasks


def test_a_folder_that_holds_a_run_is_left_alone(corpora, tmp_path):
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(OutputError, match="holds a run"):
        train(Recipe(), tmp_path, resume=False)
    assert corpora == []


def test_a_model_does_not_tell_where_its_data_lay(recipe, tmp_path):
    here = replace(recipe, data=replace(recipe.data, root=str(tmp_path / "sets"), far_folder="photos"))
    told = crossfit._portable(here)["data"]
    assert (told["root"], told["far_folder"]) == ("sets", "photos")
    assert {**told, "root": str(tmp_path / "sets")} == here.to_dict()["data"]


def test_the_bundled_model_names_no_place_on_a_machine():
    data = fetalclip.load().card.config["training"]["recipe"]["data"]
    assert not any(isinstance(value, str) and value.startswith(("/", "~")) for value in data.values())
