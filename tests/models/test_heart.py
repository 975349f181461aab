"""Temporal heads: what is padded plays no part, attention sums to one, time and order count."""

from __future__ import annotations

import pytest
import torch

from fetalclip.errors import BadCheckpoint
from fetalclip.models.heart import HeartNet, HeartShape

KINDS = [("concat", False), ("attention", False), ("attention", True), ("convolution", False), ("convolution", True)]


@pytest.fixture(params=KINDS, ids=lambda p: f"{p[0]}{'-aligned' if p[1] else ''}")
def net(request) -> HeartNet:
    torch.manual_seed(0)
    made = HeartNet(HeartShape(request.param[0], 12, 3, 8, 16, 2, 2, aligned=request.param[1])).eval()
    if request.param[1]:
        made.texts.copy_(torch.nn.functional.normalize(torch.randn(3, 12), dim=-1))
    return made


def window(count: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    padded = torch.zeros(count, 8, dtype=torch.bool)
    padded[-1, 5:] = True
    return torch.randn(count, 8, 12), torch.arange(8).repeat(count, 1) / 30, padded


@torch.no_grad()
def test_shapes_attention_and_padding(net):
    frames, seconds, padded = window()
    logits, weights = net(frames, seconds, padded)
    assert logits.shape == (2, 3)
    assert weights.shape == (2, 3, 8)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3))
    assert weights[1, :, 5:].abs().max() == 0
    frames[1, 5:], seconds[1, 5:] = 1e3, 77.0
    torch.testing.assert_close(net(frames, seconds, padded)[0], logits)
    alone, _ = net(frames[1:], seconds[1:], padded[1:])
    torch.testing.assert_close(alone[0], logits[1])  # a clip's answer does not depend on its batch


@torch.no_grad()
def test_order_counts_and_the_start_of_time_does_not(net):
    frames, seconds, _ = window(1)
    none = torch.zeros(1, 8, dtype=torch.bool)
    logits, _ = net(frames, seconds, none)
    torch.testing.assert_close(net(frames, seconds + 100, none)[0], logits, atol=1e-3, rtol=1e-3)
    assert (net(frames.flip(1), seconds, none)[0] - logits).abs().max() > 1e-3


@torch.no_grad()
def test_only_attention_reads_seconds():
    frames, seconds, _ = window(1)
    none = torch.zeros(1, 8, dtype=torch.bool)
    for kind, differs in (("attention", True), ("convolution", False)):
        torch.manual_seed(0)
        made = HeartNet(HeartShape(kind, 12, 3, 8, 16, 1, 2)).eval()
        moved = (made(frames, 2 * seconds, none)[0] - made(frames, seconds, none)[0]).abs().max()
        assert bool(moved > 1e-4) is differs


def test_embeddings_are_brought_to_the_training_frames():
    made = HeartNet(HeartShape("concat", 2, 1, 2))
    made.fit_to([torch.tensor([[1.0, 5.0]]), torch.tensor([[3.0, 5.0]])])
    assert made.mean.tolist() == [2.0, 5.0]
    assert made.spread[0] == 1.0
    assert made.spread[1] > 0  # what never moves divides nothing by zero


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "mean"},
        {"dim": 0},
        {"findings": 65},
        {"width": 15, "heads": 3},
        {"width": 16, "heads": 3},
        {"layers": 1.5},
        {"dropout": 1.0},
        {"kind": "concat", "aligned": True},
        {"unknown": 1},
    ],
)
def test_an_impossible_shape_is_refused(change):
    with pytest.raises(BadCheckpoint):
        HeartShape.from_dict({"kind": "attention", "dim": 12, "findings": 3, **change})


@pytest.fixture(params=["attention", "convolution"])
def branched(request) -> HeartNet:
    """12 numbers of a frame, 4 of the clip as a whole; every branch says something."""
    torch.manual_seed(0)
    made = HeartNet(HeartShape(request.param, 16, 3, 8, 16, 2, 2, whole=4)).eval()
    made.fit_to([torch.randn(30, 16) for _ in range(4)])
    for line in (made.energy, made.clip):
        torch.nn.init.normal_(line.weight)
        torch.nn.init.normal_(line.bias)
    return made


@torch.no_grad()
def test_the_answer_is_the_branches_by_their_mix(branched):
    frames, seconds, padded = window()
    frames = torch.cat([frames, torch.randn(2, 1, 4).expand(-1, 8, -1)], dim=-1)
    said, _ = branched.branches(frames, seconds, padded)
    assert said.shape == (2, 3, 3)
    torch.testing.assert_close(branched(frames, seconds, padded)[0], said.sum(dim=1))
    branched.mix.copy_(torch.tensor([[1.0, 0, 0], [0, 2.0, 0], [0, 0, 3.0]]))
    torch.testing.assert_close(
        branched(frames, seconds, padded)[0], said.diagonal(dim1=1, dim2=2) * torch.tensor([1.0, 2.0, 3.0])
    )
    frames[1, 5:] = 1e3  # what is padded plays no part in any branch
    torch.testing.assert_close(branched.branches(frames, seconds, padded)[0], said)


@torch.no_grad()
def test_each_branch_looks_at_its_own(branched):
    frames, seconds, padded = window()
    frames = torch.cat([frames, torch.randn(2, 1, 4).expand(-1, 8, -1)], dim=-1)
    said, _ = branched.branches(frames, seconds, padded)
    other = frames.clone()
    other[..., 12:] += 1
    moved = (branched.branches(other, seconds, padded)[0] - said).abs().amax(dim=(0, 2))
    assert moved[:2].max() < 1e-5
    assert moved[2] > 0.1
    shifted = frames.clone()
    shifted[..., :12] += 1  # the same motion elsewhere
    moved = (branched.branches(shifted, seconds, padded)[0] - said).abs().amax(dim=(0, 2))
    assert moved[0] > 1e-3
    assert moved[1:].max() < 1e-3
    order = torch.cat([frames[:1].flip(1), frames[1:]])  # energy is an amount and knows no order
    moved = (branched.branches(order, seconds, padded)[0] - said).abs().amax(dim=(0, 2))
    assert moved[0] > 1e-3
    assert moved[1:].max() < 1e-4


@torch.no_grad()
def test_more_motion_is_more_energy(branched):
    """The logarithm of the spread: twice the motion adds log 2 over the usual range, far above the still's floor."""
    frames = 10 * torch.randn(1, 8, 12)
    none = torch.zeros(1, 8, dtype=torch.bool)
    gained = (branched.energies(2 * frames, none) - branched.energies(frames, none)) * branched.range
    torch.testing.assert_close(gained, torch.full_like(gained, 0.6931), atol=1e-2, rtol=0)
    still = branched.energies(frames[:, :1].expand(-1, 8, -1), none)
    least = branched.energies(torch.zeros(1, 8, 12), none)
    torch.testing.assert_close(still, least, atol=2e-2, rtol=0.05)


def test_clips_are_counted_by_their_frames():
    """Mean and spread of all frames together, whichever clip they are of; energy of each clip alone."""
    torch.manual_seed(0)
    clips = [torch.randn(n, 6) * (i + 1) + i for i, n in enumerate((5, 40, 12))]
    made = HeartNet(HeartShape("attention", 6, 1, 8, 8, 1, 2, whole=2))
    made.fit_to(clips)
    every = torch.cat(clips)
    torch.testing.assert_close(made.mean, every.mean(dim=0))
    torch.testing.assert_close(made.spread, every.std(dim=0, correction=0))
    spreads = torch.stack([(clip[:, :4] / made.spread[:4]).std(dim=0, correction=0) for clip in clips])
    energy = (spreads.square() + 0.03**2).log() / 2 + 1
    torch.testing.assert_close(made.usual, energy.mean(dim=0), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(made.range, energy.std(dim=0, correction=0), atol=1e-4, rtol=1e-4)
