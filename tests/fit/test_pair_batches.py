"""Batches of pairs: the same for any number of processes, workers and pauses; what cannot be read is replaced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from paired import Bars, small

from fetalclip.clinical.factory import Record
from fetalclip.data.pairs import Pair
from fetalclip.errors import BadRecipe, InputError
from fetalclip.fit.pair_batches import CaptionWriter, PairBatches, seed_of, seen
from fetalclip.fit.towers import build_towers


@pytest.fixture(scope="module")
def tokenizer(few_words):
    return build_towers(small())[0]


def equal(one, other) -> bool:
    tensors = all(torch.equal(getattr(one, n), getattr(other, n)) for n in ("pictures", "seeds", "ids", "numbers"))
    return tensors and one.said == other.said and one.known == other.known


def test_a_step_depends_on_its_number_alone(tokenizer):
    first, second = (PairBatches(Bars(36), small(), tokenizer) for _ in range(2))
    assert first.steps == 4
    assert len(first) == 8
    for number in (5, 0, 3):
        assert equal(first[number][0], second[number][0])
    assert not equal(first[0][0], first[4][0])


def test_a_stream_for_a_gpu_is_the_same_in_pinned_memory(tokenizer, monkeypatch):
    plain = list(PairBatches(Bars(36), small(), tokenizer).stream(2, 0))
    pinned: list[torch.Tensor] = []

    def pin(tensor):
        pinned.append(tensor)
        return tensor.clone()

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)  # there may be no GPU here
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    held = list(PairBatches(Bars(36), small(), tokenizer).stream(2, 0))
    assert len(held) == len(plain) == 6
    assert all(
        equal(one[0], other[0]) and torch.equal(one[0].end, other[0].end)
        for one, other in zip(held, plain, strict=True)
    )
    assert len(pinned) == 4 * 6


def test_an_epoch_shows_every_pair_at_most_once(tokenizer):
    made = PairBatches(Bars(36), small(), tokenizer)
    seen_now = torch.cat([made[i][0].numbers for i in range(4)])
    assert len(seen_now.unique()) == 32


def test_processes_share_the_batch_one_process_has(tokenizer):
    whole = PairBatches(Bars(36), small(), tokenizer)[2][0]
    parts = [PairBatches(Bars(36), small(), tokenizer, rank, 2)[2][0] for rank in range(2)]
    assert torch.equal(whole.pictures, torch.cat([part.pictures for part in parts]))
    assert torch.equal(whole.numbers, torch.cat([part.numbers for part in parts]))
    assert whole.said == parts[0].said + parts[1].said


def test_a_batch_that_cannot_be_shared_or_filled_is_refused(tokenizer):
    with pytest.raises(BadRecipe, match="8 on 3 processes"):
        PairBatches(Bars(36), small(), tokenizer, 0, 3)
    with pytest.raises(BadRecipe, match="a step of 8 pictures from 5"):
        PairBatches(Bars(5), small(), tokenizer)


def test_accumulated_batches_are_the_batches_of_twice_the_steps(tokenizer):
    plain = PairBatches(Bars(36), small(), tokenizer)
    joined = PairBatches(Bars(36), small(accumulate=2), tokenizer)
    assert joined.steps == 2
    assert all(equal(a, b[0]) for a, b in zip(joined[1], (plain[2], plain[3]), strict=True))


def test_what_cannot_be_read_is_replaced_and_named(tokenizer):
    source = Bars(36, broken=frozenset({3, 11}))
    made = PairBatches(source, small(), tokenizer)
    batches = [made[i][0] for i in range(4)]
    assert all(len(batch.numbers) == 8 for batch in batches)
    assert not {3, 11} & {int(n) for batch in batches for n in batch.numbers}
    named = [name for batch in batches for name in batch.bad]
    assert set(named) <= {"bar 3", "bar 11"}
    assert named
    whole = PairBatches(Bars(36), small(), tokenizer)
    kept = whole[0][0].numbers == batches[0].numbers
    assert torch.equal(whole[0][0].pictures[kept], batches[0].pictures[kept])  # the others are as they were


def test_nothing_that_can_be_read_is_an_error(tokenizer):
    with pytest.raises(InputError, match="in a row"):
        PairBatches(Bars(36, broken=frozenset(range(36))), small(), tokenizer)[0]


@pytest.mark.slow
def test_workers_read_the_same_steps_from_any_place(tokenizer):
    made = PairBatches(Bars(36), small(), tokenizer)
    streamed = list(made.stream(5, 2))
    assert len(streamed) == 3
    assert all(equal(streamed[i][0], made[5 + i][0]) for i in range(3))


def test_a_caption_is_true_of_the_picture_as_it_is_seen(tokenizer):
    recipe = small()
    recipe = replace(recipe, captions=replace(recipe.captions, spacing=1.0, age=1.0))
    words = CaptionWriter(tokenizer, recipe)
    known = seen(Record(("brain",), None, 141, 0.5, "a machine"), 2.0)
    assert known.spacing == 0.25
    assert known.machine is None
    text, said = words(Pair(np.zeros((4, 4), np.uint8), known), known, 3)
    assert said.age == 141
    assert said.spacing == 0.25
    assert "0.25" in text


def test_a_sources_own_caption_is_said_as_it_stands(tokenizer):
    words = CaptionWriter(tokenizer, small())
    pixels = np.zeros((4, 4), np.uint8)
    assert words(Pair(pixels, Record(), "A fetal head."), Record(), 3) == (
        "A fetal head.",
        Record(text="A fetal head."),
    )
    with pytest.raises(InputError, match="tokens"):
        words(Pair(pixels, Record(), "long " * 300), Record(), 3)


def test_seeds_of_places_differ():
    found = {seed_of(7, epoch, place) for epoch in range(20) for place in range(500)}
    assert len(found) == 10_000
    assert all(0 <= seed < 2**63 for seed in found)
