"""The contrastive loss: the textbook one where it should be, and what it does where truth is unknown."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from fetalclip.fit.objectives import (
    SIGMOID_BIAS,
    SIGMOID_SCALE,
    contrastive,
    rivalry,
    sigmoid,
    sizing,
    supervised,
)


def vectors(n: int, seed: int, dim: int = 6) -> torch.Tensor:
    x = torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return F.normalize(x, dim=1).requires_grad_()


def scale(value: float = 8.0) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def nothing(n: int, m: int) -> torch.Tensor:
    return torch.zeros(n, m, dtype=torch.bool)


@pytest.mark.parametrize("n", [2, 5, 16])
def test_own_captions_only_is_the_loss_of_clip(n):
    images, texts = vectors(n, 1), vectors(n, 2)
    logits = scale() * images @ texts.T
    target = torch.arange(n)
    wanted = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    found = contrastive(images, texts, scale(), torch.eye(n, dtype=torch.bool), nothing(n, n))
    assert found.item() == pytest.approx(wanted.item(), abs=1e-9)
    for one, other in zip(
        torch.autograd.grad(found, (images, texts)), torch.autograd.grad(wanted, (images, texts)), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


def test_single_precision_is_within_a_millionth():
    images, texts = vectors(32, 1, 64).float(), vectors(32, 2, 64).float()
    logits = 10.0 * images @ texts.T
    target = torch.arange(32)
    wanted = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    found = contrastive(images, texts, torch.tensor(10.0), torch.eye(32, dtype=torch.bool), nothing(32, 32))
    assert found.item() == pytest.approx(wanted.item(), abs=1e-6)


def test_foreign_texts_stand_on_the_picture_side_only():
    images, texts = vectors(3, 1), vectors(5, 2)
    positive = torch.eye(3, 5, dtype=torch.bool)
    logits = scale() * images @ texts.T
    target = torch.arange(3)
    wanted = (F.cross_entropy(logits, target) + F.cross_entropy(logits[:, :3].T, target)) / 2
    found = contrastive(images, texts, scale(), positive, nothing(3, 5))
    assert found.item() == pytest.approx(wanted.item(), abs=1e-9)


def test_several_true_captions_share_the_target_evenly():
    images, texts = vectors(3, 1), vectors(3, 2)
    positive = torch.tensor([[1, 1, 0], [0, 1, 0], [1, 1, 1]], dtype=torch.bool)
    logits = scale() * images @ texts.T
    rows = positive.double() / positive.sum(1, keepdim=True)
    columns = positive.T.double() / positive.T.sum(1, keepdim=True)
    wanted = (F.cross_entropy(logits, rows) + F.cross_entropy(logits.T, columns)) / 2
    found = contrastive(images, texts, scale(), positive, nothing(3, 3))
    assert found.item() == pytest.approx(wanted.item(), abs=1e-6)


def test_unknown_pairs_leave_the_softmax():
    images, texts = vectors(4, 1), vectors(4, 2)
    unknown = nothing(4, 4)
    unknown[0, 1] = unknown[2, 1] = unknown[3, 0] = True
    logits = scale() * images @ texts.T

    def without(table: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        losses = []
        for i in range(4):
            keep = [j for j in range(4) if not out[i, j]]
            losses.append(F.cross_entropy(table[i, keep][None], torch.tensor([keep.index(i)])))
        return torch.stack(losses).mean()

    wanted = (without(logits, unknown) + without(logits.T, unknown.T)) / 2
    found = contrastive(images, texts, scale(), torch.eye(4, dtype=torch.bool), unknown)
    assert found.item() == pytest.approx(wanted.item(), abs=1e-9)


def test_an_unknown_text_does_not_pull_at_its_picture():
    images, texts = vectors(3, 1), vectors(4, 2)
    unknown = nothing(3, 4)
    unknown[:, 3] = True  # a caption of which no row tells
    loss = contrastive(images, texts, scale(), torch.eye(3, 4, dtype=torch.bool), unknown)
    gradient = torch.autograd.grad(loss, texts)[0]
    assert not gradient[3].any()
    assert gradient[:3].abs().min() > 0


def test_a_better_fit_is_a_smaller_loss():
    images = vectors(6, 1)
    eye = torch.eye(6, dtype=torch.bool)
    good = contrastive(images, images, scale(20.0), eye, nothing(6, 6))
    bad = contrastive(images, images.flip(0), scale(20.0), eye, nothing(6, 6))
    assert good < 0.5 < bad


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(0, 4), st.integers(0, 10**6), st.floats(0.01, 100.0))
def test_any_table_of_truth_gives_numbers(n, foreign, seed, strength):
    generator = torch.Generator().manual_seed(seed)
    images, texts = vectors(n, seed), vectors(n + foreign, seed + 1)
    kind = torch.randint(0, 3, (n, n + foreign), generator=generator)  # false, true, unknown
    factor = scale(strength).requires_grad_()
    loss = contrastive(images, texts, factor, kind == 1, kind == 2)  # rows and columns without any true one too
    assert loss.isfinite()
    assert loss >= 0
    for gradient in torch.autograd.grad(loss, (images, texts, factor)):
        assert gradient.isfinite().all()


def test_supervised_is_cross_entropy():
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [100.0, 0.0, 0.0, 0.0]])
    assert supervised(logits, torch.tensor([2, 0])).item() == pytest.approx(torch.tensor(4.0).log().item() / 2)


def test_rivalry_is_cross_entropy_over_the_rivals_alone():
    images, texts = vectors(5, 1), vectors(3, 2)
    own = torch.tensor([0, 2, 1, 0, 0])
    positive = F.one_hot(own, 3).bool()
    positive[4] = False  # nobody knows its sub-plane
    found = rivalry(images, texts, scale(), positive)
    wanted = F.cross_entropy((scale() * images @ texts.T)[:4], own[:4])
    assert found.item() == pytest.approx(wanted.item(), abs=1e-9)
    found.backward()
    assert images.grad[4].abs().max() == 0
    assert images.grad[:4].abs().max() > 0


def test_rivalry_of_nobody_is_nothing():
    images, texts = vectors(4, 1), vectors(3, 2)
    found = rivalry(images, texts, scale(), nothing(4, 3))
    found.backward()
    assert found.item() == 0
    assert images.grad.abs().max() == 0


def test_sizing_with_one_like_text_each_is_the_loss_of_clip():
    images, texts = vectors(5, 1), vectors(5, 2)
    logits, target = scale() * images @ texts.T, torch.arange(5)
    wanted = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    found = sizing(images, texts, scale(), torch.eye(5, dtype=torch.float64))
    assert found.item() == pytest.approx(wanted.item(), abs=1e-9)


def test_a_near_miss_of_size_costs_less_than_a_far_one():
    likeness = torch.tensor([[1.0, 0.8, 0.0]], dtype=torch.float64)
    texts = F.normalize(torch.eye(3, dtype=torch.float64), dim=1)
    costs = [sizing(texts[[i]], texts, scale(), likeness).item() for i in range(3)]
    assert costs[0] < costs[1] < costs[2]


def test_pictures_without_a_size_and_texts_that_fit_none_count_for_nothing():
    images, texts = vectors(4, 3), vectors(3, 4)
    likeness = torch.tensor([[1.0, 0.2, 0.0], [0, 0, 0], [0.5, 1.0, 0.0], [0, 0, 0]], dtype=torch.float64)
    found = sizing(images, texts, scale(), likeness)
    (gradient,) = torch.autograd.grad(found, images)
    assert gradient[[0, 2]].abs().sum() > 0
    assert not gradient[[1, 3]].any()
    assert torch.isfinite(found)
    nothing_known = sizing(images, texts, scale(), torch.zeros(4, 3, dtype=torch.float64))
    assert nothing_known.item() == 0
    assert not torch.autograd.grad(nothing_known, images)[0].any()


def bias(value: float = -3.0) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


@given(st.integers(1, 6), st.integers(0, 3), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_the_sigmoid_loss_is_that_of_a_plain_double_loop(n, more, seed):
    rng = torch.Generator().manual_seed(seed)
    images, texts = vectors(n, seed), vectors(n + more, seed + 1)
    positive = torch.rand(n, n + more, generator=rng) < 0.3
    unknown = torch.rand(n, n + more, generator=rng) < 0.2
    wanted = 0.0
    for i in range(n):
        for j in range(n + more):
            z = 1 if positive[i, j] else -1
            logit = 8.0 * float(images[i].detach() @ texts[j].detach()) - 3.0
            wanted += 0.0 if unknown[i, j] else math.log(1 + math.exp(-z * logit)) / n
    found = sigmoid(images, texts, scale(), bias(), positive, unknown)
    assert found.item() == pytest.approx(wanted, abs=1e-9)


def test_the_sigmoid_loss_of_own_captions_is_as_published():
    """The pseudocode of Zhai et al. 2023, algorithm 1, with its starts."""
    images, texts = vectors(5, 1), vectors(5, 2)
    logits = images @ texts.T * math.exp(math.log(10)) - 10
    wanted = -F.logsigmoid((2 * torch.eye(5) - 1) * logits).sum() / 5
    found = sigmoid(images, texts, scale(SIGMOID_SCALE), bias(SIGMOID_BIAS), torch.eye(5).bool(), nothing(5, 5))
    assert found.item() == pytest.approx(wanted.item(), abs=1e-9)


def test_unknown_pairs_have_no_gradient_in_the_sigmoid_loss():
    images, texts = vectors(3, 1), vectors(4, 2)
    unknown = nothing(3, 4)
    unknown[1] = unknown[:, 2] = True
    loss = sigmoid(images, texts, scale(), bias(), torch.eye(3, 4, dtype=torch.bool), unknown)
    ours, theirs = torch.autograd.grad(loss, (images, texts))
    assert not ours[1].any()
    assert not theirs[2].any()
    assert ours[[0, 2]].any(dim=1).all()
    assert theirs[[0, 1, 3]].any(dim=1).all()


def test_the_sigmoid_loss_stays_finite_far_out():
    one = torch.ones(1, 1, requires_grad=True)
    for truth in (True, False):
        loss = sigmoid(
            one, torch.ones(1, 1), torch.tensor(1e4), bias(0.0).float(), torch.tensor([[truth]]), nothing(1, 1)
        )
        assert torch.isfinite(loss)
        assert torch.isfinite(torch.autograd.grad(loss, one)[0]).all()
