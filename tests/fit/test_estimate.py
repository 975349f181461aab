"""Arithmetic of an estimate, held against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fetalclip.fit import counting, estimate
from fetalclip.fit.counting import Operations, Parameters
from fetalclip.fit.estimate import Shape
from fetalclip.fit.pretrain_recipe import PlannedRecipe, PretrainRecipe, ScaleRecipe, TowersRecipe
from fetalclip.fit.speed import StepSpeed
from fetalclip.fit.towers import written
from fetalclip.models.text import TextConfig
from fetalclip.models.vit import ViTConfig

TEXT = TextConfig(20, 49408, 32, 2, 2)
PARAMETERS = Parameters({"image": 6, "text": 3, "other": 1}, {"image": 5, "text": 0, "other": 1}, buffers=2)


def shape_of(processes: int = 1, recompute: bool = False, **optim) -> Shape:
    vit = ViTConfig(patch_size=16, width=48, layers=3, heads=4)
    model = TowersRecipe("random", image="vit", vit=vit, image_size=64, embed_dim=24, text=TEXT, recompute=recompute)
    recipe = PretrainRecipe(model=model, optim=replace(ScaleRecipe(batch=12, epochs=3), **optim))
    return Shape(recipe, written(recipe), 10, processes)


@pytest.mark.parametrize(
    ("processes", "chunk", "found"),
    [(1, 0, (12, 12, 1)), (1, 5, (12, 5, 3)), (4, 0, (3, 3, 1)), (4, 8, (3, 3, 1)), (3, 2, (4, 2, 2))],
)
def test_a_batch_is_shared_out_and_cut(processes, chunk, found):
    shape = shape_of(processes, chunk=chunk)
    assert (shape.share, shape.rows, shape.chunks) == found


def test_steps_leave_out_what_fills_no_batch():
    assert estimate.count_steps(shape_of(accumulate=2), 100) == {"pictures": 24, "epoch": 4, "all": 12}
    assert estimate.count_steps(shape_of(), 11) == {"pictures": 12, "epoch": 0, "all": 0}


def test_memory_is_the_sum_of_its_parts():
    shape = shape_of()
    found = estimate.memory_mb(shape, PARAMETERS, 100.0)
    kept, passing = counting.activations(shape.recipe, shape.architecture, 12, 10)
    assert found["weights"] == pytest.approx(4 * 12e-6)
    assert found["gradients"] == pytest.approx(4 * 6e-6)
    assert found["optimiser"] == pytest.approx(8 * 6e-6)
    assert (found["average"], found["gradients_sent"]) == (0, 0)
    assert found["activations"] == pytest.approx(kept / 1e6)
    assert found["passing"] == pytest.approx(passing / 1e6)
    assert found["process"] == 100
    parts = sum(v for k, v in found.items() if k not in ("peak", "process", "fragments"))
    assert found["peak"] == pytest.approx(100 + 1.1 * parts)
    many = estimate.memory_mb(shape_of(2, ema=0.9), PARAMETERS, 100.0)
    assert many["average"] == found["weights"]
    assert many["gradients_sent"] == found["gradients"]
    assert many["activations"] < 0.6 * found["activations"]


def test_chunks_bound_what_is_kept_for_going_back():
    whole, cut = (estimate.memory_mb(shape_of(chunk=n), PARAMETERS, 0.0) for n in (0, 3))
    assert cut["activations"] == pytest.approx(whole["activations"] / 4, rel=0.05)


def test_the_process_is_what_a_measured_step_held_beside_what_is_counted():
    shape = shape_of()
    counted = sum(counting.activations(shape.recipe, shape.architecture, 4, 10)) / 1e6 + 4e-6 * (12 + 18)
    assert estimate.base_mb(shape, PARAMETERS, StepSpeed(4, 1.0, 0.1, 300 + counted)) == pytest.approx(300)


def test_time_here_follows_the_measured_step():
    speed = StepSpeed(pictures=4, seconds=2.0, optimiser=0.5, peak_mb=0.0)
    found = estimate.time_here(shape_of(), Operations(1e9, 2e9, 0.0), 10, 0.01, speed)
    assert found["seconds"] == pytest.approx(10 * (12 * 0.5 + 0.5))
    assert found["pictures_per_second"] == pytest.approx(12 / 6.5)
    assert found["share"] == pytest.approx(3e9 * 4 / 2 / 1e10)
    cached = estimate.time_here(shape_of(), Operations(1e9, 2e9, 0.5e9), 10, 0.01, speed)
    assert cached["seconds"] == pytest.approx(10 * (12 * 0.5 * 3.5 / 3 + 0.5))
    again = estimate.time_here(shape_of(recompute=True), Operations(1e9, 2e9, 1e9), 10, 0.01, speed)
    assert again["seconds"] == pytest.approx(found["seconds"])  # the measured step computed twice, too


def test_time_there_is_operations_over_what_the_recipe_says_of_the_machines():
    shape = shape_of(4)
    planned = PlannedRecipe(4, "a GPU", peak_tflops=100.0, share=0.5)
    shape = Shape(replace(shape.recipe, planned=planned), shape.architecture, 10, 4)
    found = estimate.time_planned(shape, Operations(1e11, 2e11, 1e11), 1000)
    assert found["pictures_per_second"] == pytest.approx(4 * 50e12 / 4e11)
    assert found["seconds"] == pytest.approx(1000 * 12 / 500)
    assert found["process_hours"] == pytest.approx(4 * 24 / 3600)
    assert "assumed" in found["share_is"]


def test_a_disk_holds_two_checkpoints_while_one_replaces_the_other():
    found = estimate.disk_mb(shape_of(ema=0.9), PARAMETERS, held=True)
    assert found["checkpoint"] == pytest.approx((2 * 12 * 4 + 8 * 6) / 1e6)
    assert found["best"] == pytest.approx(48e-6)
    assert found["needed"] == pytest.approx((2 * 144 + 2 * 48 + 24) / 1e6)
    assert estimate.disk_mb(shape_of(), PARAMETERS, held=False)["best"] == 0
