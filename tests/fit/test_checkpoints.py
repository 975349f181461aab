"""Checkpoints: whole or not at all, of this run or refused, and what a kill leaves behind is cleared."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from fetalclip.errors import BadCheckpoint
from fetalclip.fit import checkpoints
from fetalclip.fit.machines import machines, random_states, restore_random, seed_all
from fetalclip.fit.pace import Pace

R, S = '{"seed": 1}', '{"seed": 2}'


def test_a_state_comes_back(tmp_path):
    path, found = tmp_path / "checkpoint.pt", {}
    assert not checkpoints.read(path, found.update, {})
    checkpoints.write(path, {"a": torch.arange(3), "recipe": R, "n": [1, 2.5, "x"]})
    assert checkpoints.read(path, found.update, {"recipe": R})
    assert torch.equal(found["a"], torch.arange(3))
    assert found["n"] == [1, 2.5, "x"]


def test_another_run_is_refused_before_anything_is_taken(tmp_path):
    path, found = tmp_path / "checkpoint.pt", {}
    checkpoints.write(path, {"recipe": R, "data": "d"})
    with pytest.raises(BadCheckpoint, match="another recipe"):
        checkpoints.read(path, found.update, {"recipe": S})
    with pytest.raises(BadCheckpoint, match="other data"):
        checkpoints.read(path, found.update, {"recipe": R, "data": "e"})
    assert not found


def test_code_in_a_checkpoint_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pt"
    torch.save({"recipe": R, "bad": random.Random}, path)
    with pytest.raises(BadCheckpoint, match="cannot be read"):
        checkpoints.read(path, lambda state: None, {"recipe": R})


def test_what_only_watches_is_no_other_recipe():
    one = {"optim": {"rate": 1}, "watch": {"log_steps": 1}, "data": {"train": "a", "workers": 1}}
    other = {"optim": {"rate": 1}, "watch": {"log_steps": 9}, "data": {"train": "a", "workers": 4}}
    assert checkpoints.recipe_words(one) == checkpoints.recipe_words(other)
    assert checkpoints.recipe_words(one) != checkpoints.recipe_words({**one, "optim": {"rate": 2}})


def test_unfinished_files_of_a_kill_are_cleared_and_nothing_else(tmp_path):
    for name in (".checkpoint.77.part.pt", ".best.78.part.pt", "checkpoint.pt", "other.pt"):
        (tmp_path / name).write_bytes(b"x")
    checkpoints.clean(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt", "other.pt"]


def test_lines_after_the_checkpoint_are_taken_back(tmp_path):
    log = tmp_path / "metrics.jsonl"
    log.write_text("one\ntwo\n")
    checkpoints.cut_log(tmp_path, 4)
    assert log.read_text() == "one\n"
    checkpoints.cut_log(tmp_path / "none", 4)


def test_every_generator_goes_back_to_where_it_was():
    before = random_states()
    try:
        seed_all(5)
        kept = random_states()
        first = (torch.rand(3), np.random.rand(3), random.random())
        restore_random(kept)
        again = (torch.rand(3), np.random.rand(3), random.random())
        assert torch.equal(first[0], again[0])
        assert np.array_equal(first[1], again[1])
        assert first[2] == again[2]
    finally:
        restore_random(before)


def test_one_process_may_have_runs_of_different_precision():
    kinds = [machines(Pace(precision)).mixed_precision for precision in ("fp32", "bf16", "fp32")]
    assert kinds == ["no", "bf16", "no"]
