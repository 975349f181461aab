"""Held-out scores: what they say, and that they come back from disk."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.clinical.prompts import load_prompts
from fetalclip.clinical.vocabulary import KNOWN, SUBPLANES
from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Normalisation
from fetalclip.errors import BadCheckpoint
from fetalclip.fit.heldout import HeldOut, look
from fetalclip.models.tiny import build_tiny
from fetalclip.preprocess import Letterbox
from fetalclip.tasks import PlaneRule, PlaneTask, SubplaneRule, SubplaneTask


def sample() -> HeldOut:
    logits = np.array([[4.0, 0.0], [0.0, 4.0], [4.0, 0.0], [9.0, 0.0]])
    source = np.array(["planes", "planes", "planes", "hc18"])
    sub = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0], [1.0, 1.0, 1.0]])
    label, sublabel = np.array([0, 1, 1, 1]), np.array([-1, 1, -1, 2])
    return HeldOut(logits, np.array([0.1, 0.2, 0.3, 0.4]), label, source, ("a", "b"), sub, sublabel, ("x", "y", "z"))


def test_only_real_planes_are_counted():
    held = sample()
    assert held.real.tolist() == [True, True, True, False]
    assert held.subreal.tolist() == [False, True, False, False]
    assert held.macro_f1() == pytest.approx(2 / 3)  # one hit and one miss a class: F1 of 2/3 each
    hit, miss = np.log1p(np.exp(-4.0)), np.log1p(np.exp(4.0))
    assert held.loss() == pytest.approx((2 * hit + miss) / 3)


def test_it_comes_back_from_disk(tmp_path):
    held = sample()
    held.save(tmp_path / "held.npz")
    again = HeldOut.load(tmp_path / "held.npz")
    assert (again.names, again.subnames) == (held.names, held.subnames)
    for name in ("logits", "outlier", "label", "source", "sublogits", "sublabel"):
        np.testing.assert_array_equal(getattr(again, name), getattr(held, name))


@pytest.mark.parametrize("kind", ["older", "empty", "truncated", "words", "objects"])
def test_scores_that_are_not_whole_say_what_to_remove(tmp_path, kind):
    held, path = sample(), tmp_path / "held.npz"
    held.save(path)
    whole = path.read_bytes()
    if kind == "older":
        np.savez(path, logits=held.logits, outlier=held.outlier, label=held.label, source=held.source, names=held.names)
    elif kind == "objects":
        np.savez(path, **{**vars(held), "names": np.array([{"a": 1}], dtype=object)})
    else:
        path.write_bytes({"empty": b"", "truncated": whole[: len(whole) // 2], "words": b"no scores"}[kind])
    with pytest.raises(BadCheckpoint, match=r"held\.npz.*remove the folder"):
        HeldOut.load(path)


def test_look_asks_the_same_task_as_at_inference(corpus):
    _, model, tokenizer = build_tiny()
    encoder = Encoder(model, tokenizer, Normalisation(32, (0.5,) * 3, (0.5,) * 3), "cpu")
    brains = [i for i, item in enumerate(corpus.items) if item.facts.subplane]
    rows = np.array([3, 0, len(corpus.items) - 1, 5, *brains])
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
    assert held.subnames == tuple(load_prompts("brain-3"))
    for row, answer in zip(held.sublogits, SubplaneTask(encoder, SubplaneRule())(images), strict=True):
        assert held.subnames[int(row.argmax())] == answer.label
    known = [corpus.items[i].facts.subplane for i in rows]
    assert [held.subnames[n] if n >= 0 else None for n in held.sublabel] == known
    assert sum(name is not None for name in known) == 6
    assert held.subreal.sum() == 6


def test_a_supervised_model_is_scored_by_its_classes(corpus):
    _, model, tokenizer = build_tiny()
    encoder = Encoder(model, tokenizer, Normalisation(32, (0.5,) * 3, (0.5,) * 3), "cpu")
    model.visual.proj = type(model.visual.proj)(1280, 4 + 3, bias=False)
    held = look(encoder, PlaneRule(classes=KNOWN), corpus, np.arange(3))
    assert (held.names, held.logits.shape) == (KNOWN, (3, 4))
    assert not held.outlier.any()
    assert (held.subnames, held.sublogits.shape) == (tuple(SUBPLANES), (3, 3))
    items = [corpus.items[i] for i in range(3)]
    assert held.sublabel.tolist() == [
        list(SUBPLANES).index(x.facts.subplane) if x.facts.subplane else -1 for x in items
    ]
