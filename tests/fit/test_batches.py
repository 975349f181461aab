"""Batches: repeatable, resumable, true, and never from the side that is measured on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from fetalclip.clinical.captions import Facts, truth
from fetalclip.clinical.vocabulary import KNOWN, PLANES, SUBPLANES
from fetalclip.fit import batches as module
from fetalclip.fit.batches import FOREIGN, Batch, _scaled
from fetalclip.fit.batches import Batches as RealBatches
from fetalclip.fit.corpus import NO_ANATOMY, NOT_ULTRASOUND


def Batches(corpus, recipe):  # noqa: N802
    return RealBatches(corpus, recipe, lambda text: len(text.split()))


def equal(one: Batch, other: Batch) -> bool:
    return (
        torch.equal(one.pictures, other.pictures)
        and torch.equal(one.positive, other.positive)
        and torch.equal(one.unknown, other.unknown)
        and torch.equal(one.sizes.nan_to_num(-1), other.sizes.nan_to_num(-1))
        and torch.equal(one.text_sizes, other.text_sizes)
        and (one.texts, one.facts) == (other.texts, other.facts)
    )


def test_an_epoch_repeats_itself_and_another_does_not(corpus, recipe):
    first, again = (list(Batches(corpus, recipe).epoch(1)) for _ in range(2))
    assert len(first) == len(again) == len(Batches(corpus, recipe)) == 3
    assert all(equal(a, b) for a, b in zip(first, again, strict=True))
    other = list(Batches(corpus, recipe).epoch(2))
    assert not any(equal(a, b) for a, b in zip(first, other, strict=True))
    reseeded = list(Batches(corpus, replace(recipe, seed=8)).epoch(1))
    assert not any(equal(a, b) for a, b in zip(first, reseeded, strict=True))


def test_the_global_random_states_play_no_part(corpus, recipe):
    torch.manual_seed(1)
    np.random.seed(1)
    first = next(iter(Batches(corpus, recipe).epoch(0)))
    torch.manual_seed(2)
    np.random.seed(2)
    assert equal(first, next(iter(Batches(corpus, recipe).epoch(0))))


@pytest.mark.parametrize("skip", [0, 1, 2, 3])
def test_what_is_skipped_is_the_head_of_the_epoch(corpus, recipe, skip):
    whole = list(Batches(corpus, recipe).epoch(0))
    rest = list(Batches(corpus, recipe).epoch(0, skip=skip))
    assert len(rest) == 3 - skip
    assert all(equal(a, b) for a, b in zip(whole[skip:], rest, strict=True))


@pytest.mark.parametrize("objective", ["contrastive", "supervised"])
@pytest.mark.parametrize(
    ("folds", "held", "heads"),
    [((0, 2, 3, 4), 1, (2, 3, 4)), ((0, 1, 2, 3), 4, (2, 3, 4)), ((0, 1, 2, 3, 4), -1, (2, 3, 4)), ((2,), 1, (4,))],
)
def test_only_training_folds_are_drawn_from(make_corpus, recipe, objective, folds, held, heads):
    corpus = make_corpus(3)
    data = replace(recipe.data, train_folds=folds, validate_fold=held, hc18_folds=heads)
    batches = Batches(corpus, replace(recipe, objective=objective, data=data))
    drawn = np.unique(np.concatenate([batches.epoch_rows(epoch) for epoch in range(60)]))
    items = [corpus.items[i] for i in drawn]
    seen = {(item.source, item.fold) for item in items}
    wanted = {("planes", fold) for fold in folds}
    wanted |= {("hc18", fold) for fold in heads} | {("simulated", -2)}
    if objective == "contrastive":
        wanted |= {("reject", fold) for fold in folds}
    assert seen == wanted  # so never fold -1, the test side, nor fold 0 or 1 of the heads
    assert all(item.facts.plane in KNOWN for item in items) or objective == "contrastive"


def test_an_epoch_holds_every_plane_once_and_the_asked_shares(make_corpus, recipe):
    batches = Batches(make_corpus(4), recipe)
    for epoch in range(3):
        items = [batches.corpus.items[i] for i in batches.epoch_rows(epoch)]
        rows = batches.epoch_rows(epoch)
        assert len(np.unique(rows)) == len(rows)
        count = {s: sum(item.source == s for item in items) for s in ("planes", "hc18", "simulated", "reject")}
        assert count == {"planes": 4 * 4 * 4, "hc18": 3, "simulated": 2, "reject": 4}
        far = sum(item.facts.plane == NOT_ULTRASOUND for item in items)
        near = sum(item.facts.plane == NO_ANATOMY for item in items)
        assert (far, near) == (2, 2)


def test_shares_are_of_the_pictures_with_a_plane(make_corpus, recipe):
    assert Batches(make_corpus(4), recipe).shares() == {"hc18": 3 / 69, "planes": 64 / 69, "simulated": 2 / 69}


def test_every_picture_of_every_step_of_every_epoch_changes_in_its_own_way(corpus, recipe, monkeypatch):
    seeds = []

    def recorded(x, size, ranges, own):
        seeds.extend(own)
        return x[:, :size, :size], torch.ones(len(x))

    monkeypatch.setattr(module, "augment", recorded)
    for seed in (0, 1, 7):
        batches = Batches(corpus, replace(recipe, seed=seed))
        for epoch in range(3):
            list(batches.epoch(epoch))
    assert len(set(seeds)) == len(seeds) == 27 * recipe.optim.batch


@pytest.fixture
def told(monkeypatch):
    """What every caption was asked to say, and what it says."""
    asked, said = [], []

    class Recorded(module.Sampler):
        def caption(self, known):
            text, facts = super().caption(known)
            asked.append(known)
            said.append((text, facts))
            return text, facts

    monkeypatch.setattr(module, "Sampler", Recorded)
    return asked, said


def test_what_a_batch_says_is_true(make_corpus, recipe, told):
    corpus = make_corpus(4)
    shown, written = told
    seen = set()
    recipe = replace(recipe, optim=replace(recipe.optim, rival_texts=0, age_texts=0))
    for batch in Batches(corpus, recipe).epoch(0):
        assert batch.rivals == len(batch.texts)
        n, m = 8, 8 + recipe.optim.foreign_texts
        assert batch.positive.shape == batch.unknown.shape == (n, m)
        assert (len(batch.texts), len(batch.facts)) == (m, n)
        assert batch.texts == [text for text, _ in written]
        assert batch.facts == shown[:n]
        for i in range(n):
            for j in range(m):
                cell = truth(written[j][1], shown[i])
                assert (bool(batch.positive[i, j]), bool(batch.unknown[i, j])) == (cell is True, cell is None)
                seen.add(cell)
        assert batch.positive[:, :n].diagonal().all()
        assert not (batch.positive & batch.unknown).any()
        assert not batch.positive[:, n:].any()  # foreign to all
        assert not batch.unknown[:, n:].any()
        assert {facts.plane for _, facts in written[n:]} <= set(FOREIGN)
        written.clear()
        shown.clear()
    assert seen == {True, False, None}


def test_rivals_are_true_of_their_own_sub_plane_only(make_corpus, recipe):
    corpus = make_corpus(4)
    seen = set()
    for epoch in range(6):
        batches = Batches(corpus, recipe)
        rows = batches.epoch_rows(epoch)
        for step, batch in enumerate(batches.epoch(epoch)):
            assert batch.rivals == 8 + recipe.optim.foreign_texts
            assert batch.positive.shape[1] == batch.rivals + recipe.optim.rival_texts
            for i, row in enumerate(rows[step * 8 : step * 8 + 8]):
                facts = corpus.items[row].facts
                for j, name in enumerate([*SUBPLANES, *SUBPLANES]):
                    true = bool(batch.positive[i, batch.rivals + j])
                    unknown = bool(batch.unknown[i, batch.rivals + j])
                    assert true == (facts.subplane == name)
                    assert unknown == (facts.plane == "brain" and facts.subplane is None)
                    seen.add((true, unknown))
    assert seen == {(True, False), (False, True), (False, False)}


def test_further_draws_have_as_many_of_each_sub_plane(make_corpus, recipe):
    corpus = make_corpus(4)
    there = {x.facts.subplane for x in corpus.items if x.source == "planes" and x.fold in recipe.data.train_folds}
    kinds = sorted(there - {None})
    assert kinds
    more = replace(recipe, data=replace(recipe.data, subplanes_per_epoch=10 * len(kinds)))
    plain, drawn = (
        Counter(corpus.items[i].facts.subplane for i in Batches(corpus, r).epoch_rows(0)) for r in (recipe, more)
    )
    assert {name: drawn[name] - plain[name] for name in kinds} == dict.fromkeys(kinds, 10)


def test_foreign_planes_are_those_without_pictures():
    assert set(FOREIGN) == set(PLANES) - set(KNOWN)


def test_a_diagonal_table_has_own_captions_only(corpus, recipe):
    batch = next(iter(Batches(corpus, replace(recipe, targets="diagonal")).epoch(0)))
    assert torch.equal(batch.positive, torch.eye(8, 11 + recipe.optim.rival_texts, dtype=torch.bool))
    assert not batch.unknown.any()


def test_spacing_travels_with_the_pixels(corpus, recipe, monkeypatch):
    scale = torch.linspace(0.5, 2.0, 8)
    monkeypatch.setattr(module, "augment", lambda x, size, ranges, seeds: (x[:, :size, :size], scale))
    batches = Batches(corpus, recipe)
    checked = 0
    for step, batch in enumerate(batches.epoch(0)):
        rows = batches.epoch_rows(0)[step * 8 : step * 8 + 8]
        for row, facts, factor in zip(rows, batch.facts, scale.tolist(), strict=True):
            before = corpus.items[row].facts
            wanted = None if before.spacing is None else round(before.spacing / factor, 2)
            assert facts == replace(before, spacing=wanted)
            checked += wanted is not None
    assert checked >= 3


def test_a_head_has_its_own_size_in_the_pixels_of_the_tower(corpus, recipe, monkeypatch):
    """What was measured counts, not the median of the age that is said; the rest of the pictures have no size."""
    scale = torch.linspace(0.5, 2.0, 8)
    monkeypatch.setattr(module, "augment", lambda x, size, ranges, seeds: (x[:, :size, :size], scale))
    batches, seen = Batches(corpus, recipe), 0
    for step, batch in enumerate(batches.epoch(0)):
        rows = batches.epoch_rows(0)[step * 8 : step * 8 + 8]
        for row, size, factor in zip(rows, batch.sizes.tolist(), scale.tolist(), strict=True):
            item = corpus.items[row]
            if item.source != "hc18":
                assert np.isnan(size)
                continue
            assert size == pytest.approx(np.log((140.0 + item.fold) / item.facts.spacing * factor), abs=1e-5)
            seen += 1
    assert seen


def test_heads_get_captions_of_ages_at_their_spacing(make_corpus, recipe):
    seen = 0
    for batch in Batches(make_corpus(4), recipe).epoch(0):
        heads = [facts for facts in batch.facts if facts.age_days and facts.spacing]
        count = recipe.optim.age_texts if heads else 0
        assert batch.text_sizes.shape == (count,)
        assert len(batch.texts) == batch.positive.shape[1] + count
        assert batch.text_sizes.isfinite().all()
        seen += len(heads)
    assert seen


def test_a_plane_left_out_is_neither_drawn_nor_named(make_corpus, recipe, told):
    _, written = told
    corpus = make_corpus(4)
    without = replace(recipe, data=replace(recipe.data, leave_out=("brain",)))
    for batch in Batches(corpus, without).epoch(0):
        assert all(facts.plane != "brain" for facts in batch.facts)
        assert batch.positive.shape[1] == 8 + recipe.optim.foreign_texts  # no rival, they are brains
        assert len(batch.text_sizes) == 0
    assert all(facts.plane != "brain" for _, facts in written)


def test_of_one_machine_only_its_planes_are_drawn(corpus, recipe):
    items = tuple(replace(x, machine="Voluson E6" if i % 2 else "") for i, x in enumerate(corpus.items))
    batches = Batches(
        replace(corpus, items=items), replace(recipe, data=replace(recipe.data, machines=("Voluson E6",)))
    )
    drawn = [items[i] for i in batches.epoch_rows(0)]
    assert {item.machine for item in drawn if item.source == "planes"} == {"Voluson E6"}


def test_spacing_is_divided_and_rounded():
    assert _scaled(Facts("brain", None, 150, 0.5), 2.0) == Facts("brain", None, 150, 0.25)
    assert _scaled(Facts("brain", None, 150, 0.123), 1.0).spacing == 0.12
    assert _scaled(Facts("femur"), 2.0) == Facts("femur")


def test_pictures_are_the_towers_size_in_0_to_1(corpus, recipe):
    for batch in Batches(corpus, recipe).epoch(0):
        assert batch.pictures.shape == (8, 32, 32)
        assert 0 <= batch.pictures.min() <= batch.pictures.max() <= 1
