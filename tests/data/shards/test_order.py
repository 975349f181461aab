"""The order of an epoch: every pair once, decided by seed and epoch alone, no further apart than the buffer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetalclip.data.shards.order import drawn, turns

COUNTS = [100] * 20


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(0, 100), st.integers(0, 9), st.integers(0, 9))
def test_every_pair_once(counts: list[int], buffer: int, seed: int, epoch: int) -> None:
    order = drawn(counts, buffer, seed, epoch)
    assert sorted(order) == list(range(sum(counts)))
    assert np.array_equal(order, drawn(counts, buffer, seed, epoch))


@pytest.mark.parametrize("buffer", [0, 1, 150, 5000])
def test_another_epoch_and_another_seed_are_other_orders(buffer: int) -> None:
    first = drawn(COUNTS, buffer, 3, 0)
    assert not np.array_equal(first, drawn(COUNTS, buffer, 3, 1))
    assert not np.array_equal(first, drawn(COUNTS, buffer, 4, 0))


def test_a_buffer_of_one_is_the_stream_and_a_buffer_of_all_is_none() -> None:
    order = drawn(COUNTS, 1, 3, 0)
    shards = order[::100] // 100
    assert np.array_equal(shards, turns(20, 3, 0))
    assert np.array_equal(order, np.concatenate([np.arange(100) + 100 * shard for shard in shards]))
    assert np.array_equal(drawn(COUNTS, 2000, 3, 0), drawn(COUNTS, 0, 3, 0))


def test_no_more_is_read_than_the_buffer_holds() -> None:
    buffer = 150
    place = np.argsort(drawn(COUNTS, 1, 3, 0))  # of each pair in the stream
    order = drawn(COUNTS, buffer, 3, 0)
    ahead = place[order] - np.arange(len(order))
    assert ahead.max() <= buffer
    assert ahead.max() > buffer / 2  # and it is used
    late = np.arange(len(order)) - place[order]
    assert np.percentile(late, 90) < 3 * buffer


def test_the_buffer_mixes() -> None:
    """Neighbours are of one shard about as often as a buffer of several shards makes them."""
    order = drawn(COUNTS, 500, 3, 0) // 100
    assert np.mean(order[1:] == order[:-1]) < 0.35
    assert np.mean(drawn(COUNTS, 1, 3, 0)[1:] // 100 == drawn(COUNTS, 1, 3, 0)[:-1] // 100) > 0.98


def test_a_long_stream_is_drawn_in_steps_without_a_seam() -> None:
    counts = [40_000] * 5
    order = drawn(counts, 1000, 0, 0)
    assert np.array_equal(np.sort(order), np.arange(200_000))
