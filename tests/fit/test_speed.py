"""Speeds of this machine: of the right size, and of the work that was asked for."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch
from paired import small

from fetalclip.fit import speed
from fetalclip.fit.speed import matmul_tflops, step_speed
from fetalclip.fit.towers import written


def test_the_matrix_product_is_timed_at_its_size():
    side = speed._SIDE["cpu"]
    a, b = torch.randn(side, side), torch.randn(side, side)
    began = time.perf_counter()
    a @ b
    once = 2 * side**3 / (time.perf_counter() - began) / 1e12
    assert 0.1 < matmul_tflops("fp32", "cpu", 0.2) / once < 50  # others may be computing beside it


@pytest.mark.parametrize("kind", ["vit", "efficientnet-lite0"])
def test_a_step_is_done(kind):
    recipe = small(kind)
    found = step_speed(recipe, written(recipe), 4, 10)
    assert found.pictures == 4
    assert 0 < found.seconds < 30
    assert 0 < found.optimiser < 30
    assert found.peak_mb > 50


def test_a_larger_step_takes_longer():
    recipe = replace(small(), model=replace(small().model, image_size=64))
    few, many = (step_speed(recipe, written(recipe), n, 20).seconds for n in (1, 64))
    assert many > few  # no more: others may be computing beside it


def test_the_callers_weights_and_other_precisions_are_no_matter():
    recipe = small(precision="bf16")
    assert step_speed(recipe, written(recipe), 2, 10).seconds > 0
