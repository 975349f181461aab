"""A dry run looks at everything, trains nothing, and says of each number whether it is measured, stated or assumed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from paired import Bars, small

from fetalclip.cli.output import json_line
from fetalclip.errors import BadRecipe
from fetalclip.fit import dry_run as module
from fetalclip.fit import towers
from fetalclip.fit.dry_run import Look, dry_run
from fetalclip.fit.pretrain import Sides
from fetalclip.fit.pretrain_recipe import PlannedRecipe, PretrainRecipe
from fetalclip.fit.speed import StepSpeed
from fetalclip.settings import load_recipe

H100 = PlannedRecipe(processes=2, device="H100", peak_tflops=1000.0, share=0.4, memory_gb=80.0)


@pytest.fixture(autouse=True)
def few_captions(monkeypatch) -> None:
    monkeypatch.setattr(towers, "CAPTIONS", 300)


@pytest.fixture
def pairs(monkeypatch) -> list[Sides]:
    sides = [Sides(Bars(36, broken=frozenset({3})), Bars(12, 1000))]
    monkeypatch.setattr(module, "open_sides", lambda recipe: sides[0])
    return sides


@pytest.fixture
def quick(monkeypatch) -> None:
    """A machine whose speed is known."""
    monkeypatch.setattr(module, "matmul_tflops", lambda precision, device: 0.1)
    monkeypatch.setattr(module, "step_speed", lambda recipe, architecture, n, tokens: StepSpeed(n, 0.5, 0.1, 400.0))


def checks(found) -> dict[str, bool | None]:
    return {check["name"]: check["ok"] for check in found["checks"]}


def test_all_is_told_and_nothing_is_written(pairs, quick, tmp_path):
    said = []
    found = dry_run(small(), tmp_path / "run", said.append)
    assert list(tmp_path.iterdir()) == []
    assert len(said) == 2
    assert found["schema"] == "fetalclip.dry-run/1"
    assert found["steps"] == {"pictures": 8, "epoch": 4, "all": 8}
    assert (found["data"]["pairs"], found["data"]["held"], found["data"]["bad"]) == (36, 12, 1)
    assert sum(found["data"]["planes"].values()) == 35
    assert found["time"]["seconds"] == pytest.approx(8 * (0.5 + 0.1))
    assert found["time"]["where"] == "here"
    told = checks(found)
    assert told.pop("data") is False  # one cannot be read
    assert told.pop("reading") in (True, False)
    assert all(told.values())
    assert set(told) == {
        *("start", "precision", "batch", "vocabulary", "context"),
        *("steps", "warm-up", "memory", "disk"),
    }
    json.loads(json_line(found))


def test_planned_machines_are_counted_and_not_timed(pairs, monkeypatch, tmp_path):
    def never(*_):
        raise AssertionError("nothing is measured for other machines")

    monkeypatch.setattr(module, "matmul_tflops", never)
    found = dry_run(replace(small(), planned=H100), tmp_path, lambda _: None)
    assert found["time"]["where"] == "2 x H100"
    assert found["memory_mb"]["there"] == 80_000
    assert found["memory_mb"]["gradients_sent"] > 0
    assert checks(found)["batch"] is True
    assert checks(dry_run(replace(small(batch=9), planned=H100), tmp_path, lambda _: None))["batch"] is False
    bare = replace(H100, share=0.0, memory_gb=0.0)
    told = dry_run(replace(small(), planned=bare), tmp_path, lambda _: None)
    assert told["time"] is None
    assert "planned.share" in told["time_note"]
    assert checks(told)["memory"] is None


def test_without_data_the_rest_is_told(quick, tmp_path):
    found = dry_run(small(), tmp_path, lambda _: None)
    assert found["steps"] is None
    assert found["time"]["pictures_per_second"] > 0
    assert (checks(found)["data"], checks(found)["steps"]) == (False, None)
    planned = dry_run(replace(small(), planned=replace(H100, pairs=100)), tmp_path, lambda _: None)
    assert planned["steps"] == {"pictures": 8, "epoch": 12, "all": 24}


def test_a_start_that_is_not_here_leaves_the_architecture_of_the_recipe(quick, tmp_path):
    recipe = replace(small(), model=replace(small().model, start="nowhere"))
    found = dry_run(recipe, tmp_path, lambda _: None)
    assert checks(found)["start"] is False
    assert found["architecture"]["image"]["width"] == 32
    own = dry_run(replace(recipe, model=replace(recipe.model, start="fetalclip-open")), tmp_path, lambda _: None)
    assert checks(own)["start"] is True
    assert own["architecture"]["image"]["kind"] == "efficientnet-lite0"


def test_what_cannot_be_is_an_error(quick, tmp_path):
    with pytest.raises(BadRecipe, match="lock_image"):
        dry_run(replace(small(), model=replace(small().model, lock_image=9)), tmp_path, lambda _: None)


def test_what_does_not_fit_is_a_check(pairs, quick, tmp_path):
    tight = replace(H100, memory_gb=0.6)
    assert checks(dry_run(replace(small(), planned=tight), tmp_path, lambda _: None))["memory"] is False
    told = checks(dry_run(small(warmup_steps=8, batch=64), tmp_path, lambda _: None))
    assert (told["steps"], told["warm-up"]) == (False, False)
    told = checks(dry_run(small(precision="fp16"), tmp_path, lambda _: None))
    assert told["precision"] is False or module._device() == "cuda"
    short = replace(small(), model=replace(small().model, text=replace(small().model.text, context_length=8)))
    assert checks(dry_run(short, tmp_path, lambda _: None))["context"] in (True, False)


def test_a_step_too_slow_to_be_tried_is_said(pairs, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "matmul_tflops", lambda precision, device: 1e-9)
    found = dry_run(small(), tmp_path, lambda _: None)
    assert found["time"] is None
    assert "none was done" in found["time_note"]


def test_the_longest_caption_is_that_of_a_share():
    look = Look("", 1, 0, [10, 20, 30, 40])
    assert (look.tokens(1), look.tokens(2), look.tokens(4), look.tokens(100)) == (25, 30, 40, 40)


def test_the_published_recipe_is_the_published_model_on_eight_gpus(tmp_path):
    recipe = load_recipe(PretrainRecipe, "published")
    found = dry_run(recipe, tmp_path, lambda _: None)
    assert found["parameters"]["together"]["all"] == 427_647_233
    assert found["steps"] == {"pictures": 1024, "epoch": 205, "all": 4100}
    assert found["operations"]["picture"] == pytest.approx(3 * found["operations"]["forward"], rel=0.01)
    assert 480e9 < found["operations"]["picture"] < 600e9
    assert found["memory_mb"]["peak"] < 80_000
    assert 1 < found["time"]["process_hours"] < 2
    told = checks(found)
    assert (told.pop("start"), told.pop("data")) == (False, False)
    assert told.pop("compiler") is None  # of other machines nobody here can tell
    assert all(told[name] for name in told if name != "disk")


@pytest.mark.slow
def test_memory_and_time_are_those_of_a_training(monkeypatch, tmp_path):
    """The estimate against a run in a process of its own: its peak of memory within a fifth."""
    import subprocess
    import sys

    script = Path(__file__).parent / "dry_script.py"
    told = subprocess.run([sys.executable, script, tmp_path / "run"], capture_output=True, text=True, check=True)
    estimated, real = json.loads(told.stdout.splitlines()[-1])
    assert estimated == pytest.approx(real, rel=0.2)
