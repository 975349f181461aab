"""What a picture leaves out: its own seed's draw, in any batch, at the share asked."""

from __future__ import annotations

import pytest
import torch

from fetalclip.models.drops import draws, kept_patches, kept_paths, split_mix

SEEDS = torch.randint(-(2**63), 2**63 - 1, (4000,), generator=torch.Generator().manual_seed(1))


def reference(state: int) -> int:
    """SplitMix64's next number in whole numbers that do not wrap by themselves."""
    z = state = (state + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def test_the_hash_is_split_mix():
    assert (
        split_mix(torch.tensor([0])).item() % 2**64 == 0xE220A8397B1DCDAF
    )  # the published generator's first of seed 0
    assert [int(z) % 2**64 for z in split_mix(SEEDS[:200])] == [reference(int(seed) % 2**64) for seed in SEEDS[:200]]


def test_draws_are_a_stream_of_split_mix_for_each_seed_and_use():
    key = reference((int(SEEDS[0]) + reference(2)) % 2**64)
    wanted = [reference((key + i * 0x9E3779B97F4A7C15) % 2**64) for i in range(5)]
    assert [int(z) % 2**64 for z in draws(SEEDS[:1], 2, 5)[0]] == wanted
    assert not (draws(SEEDS, 1, 3) == draws(SEEDS, 2, 3)).any()


def test_each_bit_of_neighbouring_seeds_draws_is_even():
    words = draws(torch.arange(20_000), 1, 2)
    for bit in range(64):
        ones = ((words >> bit) & 1).double().mean(dim=0)
        assert (ones - 0.5).abs().max() < 0.015, bit  # four deviations
    signs = (words > 0).double() * 2 - 1
    assert (signs[:-1] * signs[1:]).mean().abs() < 0.02
    assert (signs[:, 0] * signs[:, 1]).mean().abs() < 0.03


@pytest.mark.parametrize("place", [0, 5, 99])
def test_a_picture_draws_the_same_in_any_batch(place):
    seeds = SEEDS[:100]
    alone = seeds[place : place + 1]
    assert torch.equal(kept_paths(seeds, 0.4, 6, 2)[:, :, place], kept_paths(alone, 0.4, 6, 2)[:, :, 0])
    assert torch.equal(kept_patches(seeds, 0.5, 49)[place], kept_patches(alone, 0.5, 49)[0])


def test_no_random_state_is_moved():
    before = torch.get_rng_state()
    kept_paths(SEEDS, 0.4, 6, 2), kept_patches(SEEDS, 0.5, 49)
    assert torch.equal(torch.get_rng_state(), before)


def test_branches_are_skipped_more_often_the_deeper_they_lie_and_are_one_in_the_mean():
    paths = kept_paths(SEEDS, 0.4, 4, 2)
    assert paths.shape == (4, 2, 4000)
    for block, skip in enumerate((0.1, 0.2, 0.3, 0.4)):
        values = paths[block].unique()
        torch.testing.assert_close(values, torch.tensor([0.0, 1 / (1 - skip)]))
        assert (paths[block] == 0).double().mean(dim=1).tolist() == pytest.approx([skip, skip], abs=0.03)
    both = (paths[3, 0] == 0) & (paths[3, 1] == 0)
    assert both.double().mean().item() == pytest.approx(0.16, abs=0.025)  # each branch by itself


def test_patches_are_a_part_of_all_in_their_order_each_as_likely():
    kept = kept_patches(SEEDS, 0.75, 16)
    assert kept.shape == (4000, 4)
    assert (kept[:, 1:] > kept[:, :-1]).all()
    assert 0 <= kept.min() < kept.max() < 16
    assert (kept.flatten().bincount(minlength=16) / 4000).tolist() == pytest.approx([0.25] * 16, abs=0.03)
    assert len(kept.unique(dim=0)) > 1500  # of 1820


@pytest.mark.parametrize(("share", "left"), [(0.01, 49), (0.5, 24), (0.9, 5), (0.999, 1)])
def test_a_patch_is_always_kept(share, left):
    assert kept_patches(SEEDS[:3], share, 49).shape == (3, left)
