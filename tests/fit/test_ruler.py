"""The ruler: sizes in pixels, how alike they are, and vectors brought to their marks."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from fetalclip.clinical.captions import Facts
from fetalclip.clinical.growth import median_hc
from fetalclip.fit.ruler import HIGH, LOW, MARKS, Ruler, likeness, log_pixels


def test_an_age_at_a_spacing_is_a_size_in_pixels():
    said = [Facts("brain", None, 140, 0.5), Facts("brain", None, 140), Facts("brain", None, None, 0.5), Facts("femur")]
    found = log_pixels(said)
    assert found[0].item() == pytest.approx(math.log(median_hc(140) / 0.5))
    assert found[1:].isnan().all()


def test_an_older_head_magnified_less_is_as_large():
    day = next(day for day in range(140, 280) if median_hc(day) > 1.5 * median_hc(140))
    same = Facts("brain", None, day, 0.5 * median_hc(day) / median_hc(140))
    first, second = log_pixels([Facts("brain", None, 140, 0.5), same]).tolist()
    assert first == pytest.approx(second)


def test_likeness_falls_with_the_ratio_and_the_unknown_is_like_nothing():
    sizes = torch.tensor([math.log(400.0), math.nan])
    others = torch.tensor([math.log(400.0), math.log(400.0 * 1.03), math.log(800.0), math.nan])
    found = likeness(sizes, others, 0.03)
    assert found[0, :2].tolist() == pytest.approx([1.0, math.exp(-((math.log(1.03) / 0.03) ** 2) / 2)], abs=1e-5)
    assert found[0, 2:].max() < 1e-6
    assert not found[1].any()


def test_vectors_on_their_marks_lose_least():
    torch.manual_seed(0)
    ruler = Ruler(32)
    marks = F.normalize(ruler.marks.detach(), dim=1)
    own = ruler(marks, ruler.sizes, 0.01).item()  # so narrow that a mark fits itself alone
    other = ruler(marks.roll(MARKS // 2, dims=0), ruler.sizes, 0.01).item()
    assert own < 1 < other
    assert (ruler.sizes[0].exp().item(), ruler.sizes[-1].exp().item()) == pytest.approx((LOW, HIGH), rel=1e-4)


def test_unknown_sizes_count_for_nothing_and_all_unknown_is_zero_with_a_gradient():
    torch.manual_seed(0)
    ruler = Ruler(8)
    vectors = F.normalize(torch.randn(3, 8), dim=1).requires_grad_()
    sizes = torch.tensor([math.log(300.0), math.nan, math.log(5.0)])  # the last lies before the first mark
    both = ruler(vectors, sizes, 0.04)
    torch.testing.assert_close(both, ruler(vectors[[0, 2]], sizes[[0, 2]], 0.04))
    none = ruler(vectors, torch.full((3,), math.nan), 0.04)
    none.backward()
    assert none.item() == 0
    assert not vectors.grad.any()


def test_vectors_learn_their_size():
    """Random vectors of 20 sizes and the ruler, trained together, find their own marks."""
    torch.manual_seed(0)
    ruler, vectors = Ruler(32), torch.nn.Parameter(torch.randn(20, 32))
    sizes = torch.linspace(math.log(100.0), math.log(600.0), 20)
    optimiser = torch.optim.Adam([*ruler.parameters(), vectors], lr=0.05)
    for _ in range(200):
        optimiser.zero_grad()
        ruler(F.normalize(vectors, dim=1), sizes, 0.04).backward()
        optimiser.step()
    nearest = (F.normalize(vectors, dim=1) @ F.normalize(ruler.marks, dim=1).T).argmax(dim=1)
    assert (ruler.sizes[nearest] - sizes).abs().max() < 0.06
