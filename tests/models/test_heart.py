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
