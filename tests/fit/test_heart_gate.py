"""The gate keeps clips like the training's and learns from strangers what the head is not for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fetalclip.errors import DataMissing
from fetalclip.fit.heart_gate import NEVER, Strangers, fitted_gate, held_gates, strangers_of
from fetalclip.fit.heart_recipe import HeartData
from fetalclip.tasks.track import Track

DIM = 12


def clips(count: int, seed: int = 0) -> list[Track]:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        middle = 4 + rng.normal(0, 1, DIM)
        frames = middle + rng.normal(0, 0.3, (10, DIM))
        made.append(Track(frames.astype(np.float32), np.arange(10) / 30, np.arange(10)))
    return made


def strange(count: int, seed: int = 9) -> Strangers:
    """Within the spread of the clips but for one direction, in which the clips are wide too."""
    rng = np.random.default_rng(seed)
    found = 4 + rng.normal(0, 1, (count, DIM))
    found[:, 0] += 2.5
    return Strangers(found.astype(np.float32), tuple(f"g{i}" for i in range(count)))


def test_held_out_clips_are_kept_and_strangers_caught():
    tracks, folds = clips(150), np.arange(150) % 3
    alone = held_gates(tracks, folds, Strangers.none(), 0.95)
    assert alone.stranger == NEVER
    assert alone.results["clips_kept"] == pytest.approx(0.95, abs=0.02)
    taught = held_gates(tracks, folds, strange(300), 0.95)
    assert taught.distance == alone.distance
    assert taught.results["strangers"] == 300
    assert taught.results["clips_kept"] > 0.88
    gate = fitted_gate(tracks)
    other = torch.from_numpy(strange(200, 10).embeddings)
    caught = float((gate(other) > alone.distance).float().mean())
    assert taught.results["strangers_caught"] > caught + 0.2


def test_a_gate_without_strangers_leans_nowhere():
    gate = fitted_gate(clips(20))
    assert gate.lean.abs().max() == 0
    assert gate.stranger(torch.randn(3, DIM)).tolist() == [0, 0, 0]


def test_strangers_that_are_not_there_are_told(tmp_path):
    with pytest.raises(DataMissing):
        strangers_of(None, HeartData(strangers=str(tmp_path)), tmp_path)
