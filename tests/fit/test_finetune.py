"""Fine-tuning: it learns, a stopped run goes on the same, the folder that comes out answers."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("peft")

import fetalclip as fc
from fetalclip import api
from fetalclip.errors import BadCheckpoint, BadValue, OutputError
from fetalclip.fit import perform
from fetalclip.fit.adapters import Lora
from fetalclip.fit.finetune import class_weights, finetune, train_end_to_end
from fetalclip.fit.finetune_recipe import FinetuneData, FinetuneModel, FinetuneOptim, FinetuneRecipe
from fetalclip.frame import Frame
from fetalclip.preprocess.augment import Augmentation


def picture(number: int, kind: int, size: float = 0.5) -> np.ndarray:
    """Noise with a bright bar across (kind 0) or along (kind 1) of a width that is a share of the side."""
    rng = np.random.default_rng(number)
    grey = rng.integers(5, 60, (64, 64))
    wide = round(size * 40)
    at = rng.integers(4, 60 - wide)
    grey[at : at + wide] += 150
    return (grey if kind == 0 else grey.T).astype(np.uint8)


@pytest.fixture
def table(tmp_path):
    """24 pictures of 12 patients, two of a kind each; 4 more on the test side that are not whole."""
    lines = []
    for number in range(24):
        kind = number // 2 % 2
        size = 0.2 + 0.6 * (number % 12) / 12
        Image.fromarray(picture(number, kind, size)).save(tmp_path / f"{number}.png")
        lines.append([f"{number}.png", ("across", "along")[kind], f"p{number // 2}", "train", 10 + 80 * size, 0.5])
    for number in range(4):
        (tmp_path / f"t{number}.png").write_bytes(b"no picture")
        lines.append([f"t{number}.png", "unheard of", f"t{number}", "test", "none", 0.5])
    with (tmp_path / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "bar", "patient", "split", "size", "mm_per_pixel"], *lines])
    return tmp_path / "table.csv"


@pytest.fixture
def recipe(table):
    return FinetuneRecipe(
        name="bars",
        data=FinetuneData(str(table), label="bar", overlay="keep", validate=0.3),
        model=FinetuneModel("fetalclip-tiny", frozen_blocks=0),
        lora=Lora(4, 8.0),
        optim=FinetuneOptim(epochs=3, batch=8, rate_tower=2e-4, rate_head=1e-2, warmup_steps=2),
        augment=Augmentation.none(),
    )


def quiet(word: str) -> None:
    """Nothing."""


def lines_of(run) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("method", ["lora", "full", "head"])
def test_a_finetuned_model_answers(recipe, tmp_path, method):
    recipe = replace(recipe, model=replace(recipe.model, method=method))
    said: list[str] = []
    folder = perform(recipe, tmp_path / "run", resume=False, say=said.append)
    assert folder == tmp_path / "run" / "model"
    assert any("parameters" in word and method in word for word in said)
    lines = lines_of(tmp_path / "run")
    assert min(line["loss"] for line in lines[1:]) < lines[0]["loss"]
    model = fc.load(folder)
    assert model.tasks == ("probes",)
    config = model.card.config
    counts = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert counts["train_pictures"] + counts["held_pictures"] == 24
    assert config["results"]["validation"]["pictures"] == counts["held_pictures"]
    best = min(lines, key=lambda line: line["held_loss"])
    assert config["results"]["epoch"] == best["epoch"]
    assert config["results"]["validation"]["macro_f1"] == pytest.approx(best["held_macro_f1"], abs=0.1)
    assert "age" not in config
    (head,) = model.probes.folders
    answer = model.probes.task(head)(model.encode_image([Frame(picture(99, 1))], normalize=False))[0]
    assert set(answer.scores) == {"across", "along"}
    start = api.load("fetalclip-tiny").encoder.model
    assert all(
        torch.equal(v, start.text.state_dict()[n].half().float())
        for n, v in model.encoder.model.text.state_dict().items()
    )
    tower, before = model.encoder.model.visual.state_dict(), start.visual.state_dict()
    changed = {name for name, value in tower.items() if not torch.equal(value, before[name].half().float())}
    assert bool(changed) == (method != "head")
    if method == "lora":
        assert all(name.endswith(("expand.weight", "project.weight")) or name == "head.weight" for name in changed)
    card = (folder / "README.md").read_text()
    assert "table.csv" in card
    assert str(tmp_path) not in card + json.dumps(config)
    assert perform(recipe, tmp_path / "run", resume=True, say=quiet) == folder  # nothing is left to do
    with pytest.raises(OutputError):
        finetune(recipe, tmp_path / "run", resume=False, say=quiet)


def test_analyze_gives_the_probe_and_no_prompted_plane(recipe, tmp_path):
    folder = finetune(replace(recipe, optim=replace(recipe.optim, epochs=1)), tmp_path / "run", say=quiet)
    (found,) = fc.load(folder).analyze([tmp_path / "0.png"], overlay="keep")
    assert found.plane is None
    assert [probe.head for probe in found.probes] == ["bars"]


@pytest.mark.slow
def test_a_number_with_its_spacing_and_interval(recipe, tmp_path):
    data = replace(recipe.data, label="size", spacing=True, validate=0.5)
    recipe = replace(recipe, data=data, question="number", unit="mm", level=0.6, optim=replace(recipe.optim, epochs=6))
    folder = finetune(recipe, tmp_path / "run", say=quiet)
    lines = lines_of(tmp_path / "run")
    assert min(line["held_mae"] for line in lines) < 17  # the middle of all sizes is wrong by 14 to 15
    model = fc.load(folder)
    task = model.probes.task("bars")
    assert task.head.config.inputs == ("spacing",)
    assert task.head.config.unit == "mm"
    frame = Frame(picture(99, 0), (0.5, 0.5))
    answer = task(model.encode_image([frame], normalize=False), [0.5])[0]
    assert answer.low < answer.value < answer.high
    assert 0 < answer.value < 120
    assert task(model.encode_image([frame], normalize=False), [None])[0].abstained


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_stopped_run_goes_on_the_same(recipe, tmp_path, monkeypatch, method):
    optim = replace(recipe.optim, epochs=2)
    recipe = replace(recipe, model=replace(recipe.model, method=method), lora=Lora(2, 4.0, 0.0), optim=optim)
    whole = finetune(recipe, tmp_path / "a", say=quiet)
    from fetalclip.fit import run

    original, calls = run.Run.step, []

    def stopping(self, batch, number):
        calls.append(number)
        if len(calls) == 4:  # the second epoch is half done
            raise KeyboardInterrupt
        return original(self, batch, number)

    monkeypatch.setattr(run.Run, "step", stopping)
    with pytest.raises(KeyboardInterrupt):
        finetune(recipe, tmp_path / "b", say=quiet)
    assert not (tmp_path / "b" / "model").exists()
    again = finetune(recipe, tmp_path / "b", say=quiet)
    assert calls == [0, 1, 2, 3, 2, 3]
    for name in ("model.safetensors", "probes/bars/model.safetensors"):
        assert (whole / name).read_bytes() == (again / name).read_bytes()
    with pytest.raises(BadCheckpoint, match="another recipe"):
        finetune(replace(recipe, seed=9), tmp_path / "b", say=quiet)


def test_a_loss_that_runs_away_leaves_no_model(recipe, tmp_path):
    wild = replace(
        recipe, optim=replace(recipe.optim, rate_tower=1e30, warmup_steps=0), model=replace(recipe.model, method="full")
    )
    with pytest.raises((BadValue, BadCheckpoint)):
        finetune(wild, tmp_path / "run", say=quiet)
    assert not (tmp_path / "run" / "model").exists()
    assert not list((tmp_path / "run").glob(".*"))


def test_a_few_squares_in_memory(recipe):
    def squares(count: int, seed: int) -> np.ndarray:
        noise = np.random.default_rng(seed).integers(0, 60, (count, 70, 70))
        return (noise + 120 * (np.arange(count) % 2)[:, None, None]).astype(np.uint8)

    labels = ["dark", "bright"] * 4
    start = api.load("fetalclip-tiny")
    before = {name: value.clone() for name, value in start.encoder.model.visual.state_dict().items()}
    full = replace(recipe, model=replace(recipe.model, method="full"))
    tuned = train_end_to_end(start, squares(8, 0), labels, seed=3, epochs=4, recipe=full)
    table = tuned.predict_proba(squares(10, 1))
    np.testing.assert_allclose(table.sum(axis=1), 1)
    assert tuned.classes_ == ("bright", "dark")
    assert tuned.predict(squares(10, 1)) == ["dark", "bright"] * 5
    after = tuned.net.tower.state_dict()
    assert not all(torch.equal(value, after[name]) for name, value in before.items())  # it was trained
    own = start.encoder.model.visual.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in before.items())  # on a copy
    again = train_end_to_end("fetalclip-tiny", squares(8, 0), labels, seed=3, epochs=4, recipe=full)
    np.testing.assert_array_equal(again.predict_proba(squares(10, 1)), table)


@pytest.mark.parametrize(
    ("shape", "labels"), [((4, 8, 9), "abab"), ((4, 8, 8), "aaaa"), ((4, 8, 8), "aba"), ((0, 8, 8), "")]
)
def test_squares_that_cannot_be_trained_on(shape, labels):
    with pytest.raises(BadValue):
        train_end_to_end("fetalclip-tiny", np.zeros(shape, np.uint8), list(labels))


def test_balance_lets_classes_weigh_alike():
    targets = np.array([0] * 9 + [1])
    for balance, wanted in ((0.0, 1.0), (0.5, 3.0), (1.0, 9.0)):
        weights = class_weights(targets, 2, balance)
        assert float(weights[1] / weights[0]) == pytest.approx(wanted)
        assert float(weights[targets].mean()) == pytest.approx(1.0)
