"""Held-out scores: what they say, and that they come back from disk."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.clinical.prompts import load_prompts
from fetalclip.clinical.vocabulary import KNOWN
from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Normalisation
from fetalclip.fit.heldout import HeldOut, look
from fetalclip.models.tiny import build_tiny
from fetalclip.preprocess import Letterbox
from fetalclip.tasks import PlaneRule, PlaneTask


def sample() -> HeldOut:
    logits = np.array([[4.0, 0.0], [0.0, 4.0], [4.0, 0.0], [9.0, 0.0]])
    source = np.array(["planes", "planes", "planes", "hc18"])
    return HeldOut(logits, np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 1, 1, 1]), source, ("a", "b"))


def test_only_real_planes_are_counted():
    held = sample()
    assert held.real.tolist() == [True, True, True, False]
    assert held.macro_f1() == pytest.approx(2 / 3)  # one hit and one miss a class: F1 of 2/3 each
    hit, miss = np.log1p(np.exp(-4.0)), np.log1p(np.exp(4.0))
    assert held.loss() == pytest.approx((2 * hit + miss) / 3)


def test_it_comes_back_from_disk(tmp_path):
    held = sample()
    held.save(tmp_path / "held.npz")
    again = HeldOut.load(tmp_path / "held.npz")
    assert again.names == held.names
    for name in ("logits", "outlier", "label", "source"):
        np.testing.assert_array_equal(getattr(again, name), getattr(held, name))


def test_look_asks_the_same_task_as_at_inference(corpus):
    _, model, tokenizer = build_tiny()
    encoder = Encoder(model, tokenizer, Normalisation(32, (0.5,) * 3, (0.5,) * 3), "cpu")
    rows = np.array([3, 0, len(corpus.items) - 1, 5])
    held = look(encoder, PlaneRule(), corpus, rows)
    assert held.names == tuple(load_prompts("planes-9"))
    shrink = Letterbox(40, 40, 32)
    images = encoder.images([shrink.picture_in(corpus.pictures[i]) for i in rows])
    for row, outlier, answer in zip(held.logits, held.outlier, PlaneTask(encoder, PlaneRule())(images), strict=True):
        assert held.names[int(row.argmax())] == answer.label
        assert outlier == pytest.approx(answer.outlier, abs=1e-6)
    for i, label, source in zip(rows, held.label, held.source, strict=True):
        plane = corpus.items[i].facts.plane
        assert label == (held.names.index(plane) if plane in held.names else -1)
        assert source == corpus.items[i].source


def test_a_supervised_model_is_scored_by_its_classes(corpus):
    _, model, tokenizer = build_tiny()
    encoder = Encoder(model, tokenizer, Normalisation(32, (0.5,) * 3, (0.5,) * 3), "cpu")
    model.visual.proj = type(model.visual.proj)(1280, 4, bias=False)
    held = look(encoder, PlaneRule(classes=KNOWN), corpus, np.arange(3))
    assert (held.names, held.logits.shape) == (KNOWN, (3, 4))
    assert not held.outlier.any()
