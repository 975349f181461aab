"""The blocks of both towers: recomputed, they give the same and keep less; skipped, they give their input."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from fetalclip.models.efficientnet import EfficientNetLite, LiteConfig
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.text import TextConfig
from fetalclip.models.transformer import Transformer
from fetalclip.models.vit import VisionTransformer, ViTConfig

VIT = ViTConfig(image_size=64, patch_size=8, width=32, layers=8, heads=4)


def image_tower(kind: str, drops: bool = False) -> VisionTransformer | EfficientNetLite:
    torch.manual_seed(0)
    made = VisionTransformer(VIT, 8) if kind == "vit" else EfficientNetLite(LiteConfig(), 8)
    if drops:
        made.drop_path = 0.5
    return made


def recompute(tower: nn.Module, wanted: bool) -> None:
    body = tower.transformer if isinstance(tower, VisionTransformer) else tower
    body.recompute = wanted


def passed(tower: nn.Module, seeds: Tensor | None) -> tuple[Tensor, list[Tensor], int]:
    """Embeddings, gradients, and bytes kept for going backward, parameters not counted."""
    own = {p.untyped_storage().data_ptr() for p in tower.parameters()}
    kept: dict[int, int] = {}

    def pack(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return value

    x = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with saved_tensors_hooks(pack, lambda value: value):
        y = tower(x, seeds)
    held = sum(kept.values())
    gradients = torch.autograd.grad(y.square().sum(), list(tower.parameters()))
    return y.detach(), list(gradients), held


@pytest.mark.parametrize("kind", ["vit", "compact"])
@pytest.mark.parametrize("seeds", [None, torch.arange(4)])
def test_recomputing_gives_the_same_gradient_to_the_bit_and_keeps_a_fraction(kind, seeds):
    tower = image_tower(kind, drops=seeds is not None)
    once, twice = passed(tower, seeds), (recompute(tower, True), passed(tower, seeds))[1]
    assert torch.equal(once[0], twice[0])
    assert all(torch.equal(a, b) for a, b in zip(once[1], twice[1], strict=True))
    assert any(g.any() for g in twice[1])
    assert twice[2] < once[2] / 4


def test_recomputing_the_text_tower_gives_the_same_gradient_to_the_bit():
    torch.manual_seed(0)
    model = DualEncoder(Architecture(8, VIT, TextConfig(12, 50, width=32, layers=2, heads=2)))
    ids, end, made = torch.randint(50, (3, 12)), torch.tensor([3, 11, 7]), []
    for wanted in (False, True):
        model.text.transformer.recompute = wanted
        made.append(torch.autograd.grad(model.encode_text(ids, end).sum(), list(model.text.parameters())))
    assert all(torch.equal(a, b) for a, b in zip(*made, strict=True))


@pytest.mark.parametrize("kind", ["vit", "compact"])
def test_recomputing_is_for_training_only(kind, monkeypatch):
    tower = image_tower(kind)
    recompute(tower, True)
    for module in ("fetalclip.models.transformer", "fetalclip.models.efficientnet"):
        monkeypatch.setattr(f"{module}.checkpoint", None)
    with torch.no_grad():
        assert tower(torch.randn(2, 3, 64, 64)).shape == (2, 8)
    with pytest.raises(TypeError):
        tower(torch.randn(2, 3, 64, 64))


def test_a_sample_whose_branches_are_all_skipped_stays_as_it_was():
    torch.manual_seed(0)
    body, x = Transformer(16, 3, 2), torch.randn(3, 5, 16)
    paths = torch.ones(3, 2, 3)
    paths[:, :, 1] = 0
    y, plain = body(x, True, paths), body(x, True)
    assert torch.equal(y[1], x[1])
    assert torch.equal(y[[0, 2]], plain[[0, 2]])


def test_both_branches_are_multiplied_each_by_its_own():
    torch.manual_seed(0)
    block, x = Transformer(16, 1, 2).resblocks[0], torch.randn(2, 5, 16)
    paths = torch.tensor([[2.0, 0.0], [0.5, 3.0]])  # attention, feed-forward
    for i, (attn, mlp) in enumerate(paths.T):
        y = x[i : i + 1] + attn * block.attn(block.ln_1(x[i : i + 1]), False)
        torch.testing.assert_close(block(x, False, paths)[i : i + 1], y + mlp * block.mlp(block.ln_2(y)))
