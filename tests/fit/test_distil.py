"""Distillation: what teacher and student see, that nothing but the student changes, and that a run is the same run."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
import torch
from paired import Bars
from taught import distilled, teach

from fetalclip import fit
from fetalclip.cards import get_card
from fetalclip.encoder.opened import open_model
from fetalclip.errors import BadCheckpoint, BadRecipe
from fetalclip.fit import checkpoints, towers
from fetalclip.fit.distil import Distilling, TaughtBatches
from fetalclip.fit.pretrain import Pretraining, Sides
from fetalclip.fit.pretrain_folder import write_model
from fetalclip.fit.teacher import open_teacher
from fetalclip.fit.towers import build_towers

NUMBER = re.compile(r"\d+\.\d\d?")


@pytest.fixture(autouse=True)
def few_captions(monkeypatch) -> None:
    monkeypatch.setattr(towers, "CAPTIONS", 300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(towers, "CAPTIONS", 300)
        return teach(tmp_path_factory.mktemp("made") / "teacher")


def sides(side: int = 56) -> Sides:
    return Sides(Bars(36, side=side), Bars(12, 1000, side=side))


def run(recipe, out, resume=True) -> Distilling:
    return Distilling(recipe, open_teacher(recipe), sides(), out, resume)


def changed(recipe, **words):
    return replace(recipe, teacher=replace(recipe.teacher, **words))


def test_the_student_learns_and_the_teacher_does_not(folder, tmp_path):
    training = run(distilled(folder, epochs=4), tmp_path)
    teacher, student = (m.state_dict() for m in (training.teacher.encoder.model, training.towers.model))
    before = [{name: value.clone() for name, value in state.items()} for state in (teacher, student)]
    training.epochs()
    assert all(torch.equal(value, before[0][name]) for name, value in teacher.items())
    assert not any(torch.equal(v, before[1][n]) for n, v in student.items() if n.endswith("in_proj_weight"))
    assert not any(name.startswith("teacher") for name in torch.load(tmp_path / "checkpoint.pt", weights_only=True))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    logged = [line for line in lines if "rest_weight" in line]
    losses = [line["loss"] for line in lines if "rest_weight" not in line]
    assert losses[-1] < losses[0]
    assert len({line["rest_weight"] for line in logged}) == len(logged) == 8


def test_a_steps_loss_is_its_parts(folder, tmp_path):
    training = run(distilled(folder), tmp_path)
    training.place = 3  # of 8 steps
    loss = training.loss(next(training.epoch_batches(0))[0])
    told = training.step_facts()
    assert told["rest_weight"] == pytest.approx(2 * (1 - 3 / 8 * 1.4))
    assert float(loss.detach()) == pytest.approx(
        told["own"] + told["anchor"] + told["rest_weight"] * told["rest"], rel=1e-6
    )


@pytest.mark.parametrize("features", ["live", "cached"])
def test_chunks_give_the_gradient_of_the_whole(folder, tmp_path, features):
    found = []
    for chunk in (0, 3):
        training = run(distilled(folder, features=features, chunk=chunk), tmp_path / str(chunk))
        training.towers.train()
        training.backward(next(training.epoch_batches(0)))
        found.append(torch.cat([p.grad.flatten() for p in training.towers.parameters()]))
    assert float((found[1] - found[0]).norm() / found[0].norm()) < 1e-5


def test_each_model_sees_its_own_side_of_the_same_picture(folder, tmp_path):
    training = run(distilled(folder), tmp_path)
    batch = next(training.epoch_batches(0))[0]
    assert batch.pictures.shape == (8, 48, 48)
    assert training.inputs(batch)["pictures"].shape == (8, 32, 32)
    images, texts = training.ask(batch)
    assert torch.allclose(images, training.teacher.images(batch.pictures))
    assert torch.allclose(texts, training.teacher.texts(batch.taught))
    assert images.shape == texts.shape == (8, 24)


def test_each_model_is_told_the_spacing_of_its_own_pixels(folder):
    recipe = replace(distilled(folder), captions=replace(distilled(folder).captions, spacing=1.0))
    tokenizer = build_towers(recipe)[0]
    for features, scale in (("live", 32 / 48), ("cached", None)):
        made = TaughtBatches(sides().train, changed(recipe, features=features), tokenizer, size=48)[0][0]
        for number, taught, said in zip(made.numbers.tolist(), made.taught, made.said, strict=True):
            words = NUMBER.findall(taught)
            assert words
            given = 56 / 48 * (0.4 + 0.01 * (number % 20))  # of the picture as it is, at the teacher's side
            assert float(words[-1]) == pytest.approx(given if scale is None else said.spacing * scale, abs=0.0101)


def test_the_control_is_a_plain_pretraining(folder, tmp_path):
    recipe = distilled(folder)
    plain = replace(recipe, teacher=replace(recipe.teacher, model="", kind="none"))
    control = Distilling(plain, None, sides(), tmp_path / "control")
    control.epochs()
    other = Pretraining(plain, sides(), tmp_path / "plain")
    other.epochs()
    for name, value in other.towers.state_dict().items():
        assert torch.equal(value, control.towers.state_dict()[name]), name


def test_the_control_of_a_named_teacher_draws_the_same_pictures(folder, tmp_path):
    recipe = distilled(folder)
    one, other = (run(changed(recipe, kind=kind), tmp_path / kind) for kind in ("dark", "none"))
    batches = [next(training.epoch_batches(0))[0] for training in (one, other)]
    assert torch.equal(batches[0].pictures, batches[1].pictures)
    assert torch.equal(batches[0].ids, batches[1].ids)
    assert (len(batches[0].taught), batches[1].taught) == (8, [])
    assert "rest" not in other.step_facts()
    assert other.provenance() == {}


@pytest.mark.parametrize(("kind", "features"), [("dark", "live"), ("dark", "cached"), ("static", "live")])
def test_a_run_that_is_gone_on_with_ends_bit_equal(folder, tmp_path, kind, features):
    recipe = changed(distilled(folder, features=features, accumulate=2, ema=0.9, chunk=3), kind=kind)
    recipe = replace(recipe, watch=replace(recipe.watch, checkpoint_steps=1))
    whole = run(recipe, tmp_path / "whole")
    whole.epochs()
    broken, step = run(recipe, tmp_path / "broken"), Distilling.step

    def stopping(self, batch, number):
        if number == 3:
            raise KeyboardInterrupt
        return step(self, batch, number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Distilling, "step", stopping)
        with pytest.raises(KeyboardInterrupt):
            broken.epochs()
    again = run(recipe, tmp_path / "broken")
    assert again.number == 3
    again.epochs()
    for name, module in whole.modules().items():
        found = again.modules()[name].state_dict()
        assert [n for n, v in module.state_dict().items() if not torch.equal(v, found[n])] == []
    lines = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("whole", "broken")]
    scores = [[json.loads(line).get("validation") for line in log] for log in lines]
    assert scores[0] == scores[1]


def test_another_teacher_or_another_kind_is_another_run(folder, tmp_path):
    recipe = distilled(folder)
    training = run(recipe, tmp_path / "run")
    training.epochs()
    moved = replace(recipe, teacher=replace(recipe.teacher, kind="static"))
    with pytest.raises(BadCheckpoint, match="another recipe"):
        run(moved, tmp_path / "run")
    teach(tmp_path / "swapped", seed=9)
    with pytest.raises(BadCheckpoint, match="other data"):
        Distilling(recipe, open_teacher(distilled(tmp_path / "swapped")), sides(), tmp_path / "run")


def test_the_students_folder_says_whom_it_learned_from(folder, tmp_path):
    training = run(distilled(folder, epochs=1), tmp_path)
    training.epochs()
    made = write_model(training, training.take_best(), tmp_path / "model")
    told = json.loads((made / "config.json").read_text())["training"]
    assert told["teacher"] == {"name": "teacher", "sha256": get_card(folder).sha256, "license": "CC-BY-4.0"}
    assert told["recipe"]["teacher"]["model"] == "teacher"
    assert str(tmp_path) not in (made / "config.json").read_text()
    assert open_model(get_card(made).require(), "cpu", "fp32").encoder.dim == 16


def test_a_recipe_goes_from_words_to_a_student(folder, tmp_path, monkeypatch):
    recipe, told = distilled(folder, features="cached", epochs=1), []
    from fetalclip.fit import pretrain_folder

    sources = {"train": sides().train, "val": sides().held}
    asked = []

    def opened(source, split, **words):
        asked.append((split, words["side"]))
        return sources[split]

    monkeypatch.setattr(pretrain_folder, "open_pairs", opened)
    made = fit.perform(replace(recipe, data=replace(recipe.data, train="m.csv")), tmp_path / "run", False, told.append)
    assert asked == [("train", 56), ("val", 56)]  # 7/6 of the teacher's side; never the test
    assert (tmp_path / "run" / "teacher.npz").is_file()
    assert (made / "config.json").is_file()
    assert told[0] == "the teacher is teacher (CC-BY-4.0), 48 pixels"


def test_without_a_teacher_to_ask_it_does_not_begin(folder, tmp_path):
    with pytest.raises(BadRecipe, match="no teacher to ask"):
        Distilling(distilled(folder), None, sides(), tmp_path)
    assert not (tmp_path / checkpoints.NAME).exists()
