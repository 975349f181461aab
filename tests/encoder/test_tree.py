"""Texts as a tree: the same embeddings as one by one, with what they share run once."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fetalclip.clinical.age_prompts import AgeTemplates, load_age_templates
from fetalclip.encoder import Encoder, tree
from fetalclip.encoder.engine import Normalisation, unit
from fetalclip.encoder.packed import can_pack, pack
from fetalclip.encoder.tree import TextTree, inner_tokens, plan, shared
from fetalclip.models.text import TextConfig, TextTower
from fetalclip.models.tiny import build_tiny

NORMALISATION = Normalisation(32, (0.498,) * 3, (0.502,) * 3)
OURS = load_age_templates()
FIRST = AgeTemplates("first", ("{pixel_spacing} mm per pixel: a head of {weeks} weeks, {day} days, on a scan",))
SMALL = TextConfig(40, 60, width=32, layers=3, heads=2)
LARGE = TextConfig(77, 60, width=768, layers=2, heads=12)  # a ViT-L/14's text tower, shallower

ROWS = st.lists(st.lists(st.integers(1, 3), max_size=9).map(lambda ids: (0, *ids, 59)), max_size=40, unique=True)


@pytest.fixture(scope="module", params=[SMALL, LARGE], ids=["small", "like ViT-L/14"])
def tower(request):
    torch.manual_seed(0)
    made = TextTower(request.param, 24).eval()
    return pack(made) if can_pack(made, "cpu") else made


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    _, model, tokenizer = build_tiny(1)
    return Encoder(model, tokenizer, NORMALISATION, "cpu")


@torch.inference_mode()
def plainly(tower, rows):
    """Each text by itself."""
    made = [tower(torch.tensor([row]), torch.tensor([len(row) - 1])).numpy()[0] for row in rows]
    return np.stack(made) if made else np.zeros((0, 24), np.float32)


def same(found, wanted):
    assert found.shape == wanted.shape
    assert np.abs(unit(found) - unit(wanted)).max(initial=0) <= 1e-5
    assert np.abs(found - wanted).max(initial=0) <= 1e-5 * np.abs(wanted).max(initial=1)


@settings(deadline=None, max_examples=30)
@given(rows=ROWS, seed=st.integers(0, 100))
def test_the_tree_is_the_plain_encoding(tower, rows, seed):
    random.Random(seed).shuffle(rows)
    same(TextTree(tower, "cpu")(rows), plainly(tower, rows))


@settings(deadline=None, max_examples=20)
@given(rows=ROWS, held=ROWS, cuts=st.lists(st.integers(0, 9), min_size=40, max_size=40))
def test_what_is_held_changes_nothing(tower, rows, held, cuts):
    holding = TextTree(tower, "cpu")
    for part in (rows, held):
        holding.hold([row[:cut] for row, cut in zip(part, cuts, strict=False)])
        same(holding(rows), plainly(tower, rows))
    assert holding._pool is None or holding._pool.shape[2] == holding._kept  # nothing but what is held stays


@pytest.mark.parametrize(("name", "value"), [("_ROWS", 3), ("_TOKENS", 2), ("_SEEN", 5), ("_ROOM", 1)])
def test_small_batches_change_nothing(tower, monkeypatch, name, value):
    rng = random.Random(0)
    rows = list({(0, *(rng.randint(1, 2) for _ in range(rng.randint(1, 8))), 59) for _ in range(40)})
    monkeypatch.setattr(tree, name, value)
    same(TextTree(tower, "cpu")(rows), plainly(tower, rows))


def test_beyond_the_room_nothing_is_held(tower, monkeypatch):
    monkeypatch.setattr(tree, "_HELD", 1)
    full = TextTree(tower, "cpu")
    full.hold([(0, 1, 2)])
    assert (full._kept, full._stems, full._pool) == (0, {}, None)


def test_each_shared_token_is_run_once():
    rows = sorted([(0, 1, 2, 3, 59), (0, 1, 2, 4, 59), (0, 1, 5, 59), (0, 6, 59)])
    ids, lengths = tree._matrix(rows)
    levels = list(plan(ids, lengths, [(0, 4, 0)]))
    assert sum(b.stop - b.start for level in levels for b in level) == 1 + 1 + 1 + 2 + 2 + 2 + 2
    assert inner_tokens(tree._alike(ids, lengths)).sum() == 3
    assert [(b.first, b.last, b.start, b.stop) for b in levels[0]] == [(0, 4, 0, 1)]
    runs = [b for level in plan(ids, lengths, [(0, 3, 2), (3, 4, 0)]) for b in level]
    assert sum(b.stop - b.start for b in runs) == 1 + 2 + 2 + 2 + 3


@pytest.mark.parametrize("templates", [OURS, FIRST], ids=lambda t: t.name)
def test_age_prompts_are_the_same_and_cost_a_part(encoder, templates, monkeypatch):
    texts = [text for s in (0.21, 0.28, 1.07) for day in range(130, 150) for text in templates.fill(day, s)]
    run, count = TextTree._run, []
    monkeypatch.setattr(
        TextTree,
        "_run",
        lambda self, batch, *a, **k: count.extend(b.stop - b.start for b in batch) or run(self, batch, *a, **k),
    )
    same(encoder.alike(texts), encoder.texts(texts, keep=False))
    assert sum(count) < 0.5 * sum(encoder.tokenizer.count(texts))


def test_of_spacings_one_by_one_only_the_end_is_run(encoder, monkeypatch):
    def texts(spacing):
        return [text for day in range(130, 150) for text in OURS.fill(day, spacing)]

    run, count = TextTree._run, []
    monkeypatch.setattr(
        TextTree,
        "_run",
        lambda self, batch, *a, **k: count.append(sum(b.stop - b.start for b in batch)) or run(self, batch, *a, **k),
    )
    encoder.alike(texts(0.52), texts(9.99))
    count.clear()
    same(encoder.alike(texts(1.07), texts(9.99)), encoder.texts(texts(1.07), keep=False))
    after = encoder.tokenizer.count([" 1.07 mm per pixel"])[0]
    assert sum(count) <= 100 * after


def test_repeats_none_and_hostile_texts(encoder):
    assert encoder.alike([]).shape == (0, 16)
    odd = ["b", "", "a", "b", "<|endoftext|>", "a <|endoftext|> b", "a b" * 30, "ä" * 20]
    same(encoder.alike(odd), encoder.texts(odd, keep=False))
    same(encoder.alike(odd, ["", *odd[1:]]), encoder.texts(odd, keep=False))


def test_nothing_is_kept(encoder):
    before = dict(encoder._texts)
    encoder.alike(["one", "two"])
    assert encoder._texts == before


def test_shared_is_what_pairs_begin_with():
    assert shared([(0, 1, 2), (0, 1), (3,)], [(0, 1, 5), (0, 1, 7), (4,)]) == [(0, 1), (0, 1), ()]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_it_is_the_plain_encoding():
    _, model, tokenizer = build_tiny(1)
    there = Encoder(model, tokenizer, NORMALISATION, "cuda")
    texts = [text for day in range(130, 150) for text in OURS.fill(day, 0.5)]
    found, wanted = unit(there.alike(texts)), unit(there.texts(texts, keep=False))
    assert np.abs(found - wanted).max() <= 1e-4
