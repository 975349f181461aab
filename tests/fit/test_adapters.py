"""LoRA: nothing changes at first, only the adapters learn, and the merged tower is the adapted one."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("peft")

from fetalclip.errors import BadRecipe, MissingPackage
from fetalclip.fit import adapters
from fetalclip.fit.adapters import Adapters, Lora
from fetalclip.models.efficientnet import EfficientNetLite, LiteConfig
from fetalclip.models.vit import VisionTransformer, ViTConfig

KINDS = ("vit", "efficientnet-lite0")


def tower_of(kind: str) -> torch.nn.Module:
    torch.manual_seed(0)
    if kind == "vit":
        return VisionTransformer(ViTConfig(image_size=64, patch_size=16, width=32, layers=3, heads=2), 16).eval()
    return EfficientNetLite(LiteConfig(), 16).eval()


def trained(tower: torch.nn.Module, images: torch.Tensor) -> None:
    learned = [p for p in tower.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learned, 1e-2, weight_decay=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        tower(images).square().mean().backward()
        optimiser.step()


@pytest.mark.parametrize("kind", KINDS)
def test_the_merged_tower_is_the_adapted_one(kind):
    tower, images = tower_of(kind), torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    names, before = set(tower.state_dict()), {name: value.clone() for name, value in tower.state_dict().items()}
    modules = [type(module) for module in tower.modules()]
    with torch.no_grad():
        plain = tower(images)
    lora = Adapters(tower, Lora(4, 8.0), frozen_blocks=1)
    with torch.no_grad():
        torch.testing.assert_close(tower(images), plain, atol=1e-4, rtol=1e-4)
    learned = {name for name, p in tower.named_parameters() if p.requires_grad}
    assert learned
    assert all("lora_" in name for name in learned)
    trained(tower, images)
    with torch.no_grad():
        adapted = tower(images)
        lora.merge()
        merged = tower(images)
    assert float((adapted - plain).abs().max()) > 0.1
    torch.testing.assert_close(merged, adapted, atol=1e-5, rtol=1e-5)
    assert set(tower.state_dict()) == names
    assert [type(module) for module in tower.modules()] == modules
    changed = {name for name, value in tower.state_dict().items() if not torch.equal(value, before[name])}
    assert len(changed) == lora.layers
    kinds = ("in_proj_weight", "out_proj.weight", "c_fc.weight", "c_proj.weight", "expand.weight", "project.weight")
    assert all(name.endswith(kinds) or name == "head.weight" for name in changed)
    first = "transformer.resblocks.0." if kind == "vit" else "blocks.0."
    assert not any(name.startswith(first) for name in changed)


def test_frozen_are_all_weights_of_the_tower_bit_by_bit():
    tower, images = tower_of("vit"), torch.randn(3, 3, 64, 64)
    before = {name: p.detach().clone() for name, p in tower.named_parameters()}
    Adapters(tower, Lora(2))
    trained(tower, images)
    after = {name.replace(".base_layer", ""): p for name, p in tower.named_parameters() if "lora_" not in name}
    assert len(after) == len(before)
    for name, value in before.items():
        assert torch.equal(after[name.replace("in_proj_", "in_proj.")], value), name


def test_dropout_is_for_training_only():
    tower, images = tower_of("vit"), torch.randn(2, 3, 64, 64)
    Adapters(tower, Lora(4, 8.0, dropout=0.5))
    trained(tower.eval(), images)
    assert torch.equal(tower.eval()(images), tower(images))
    tower.train()
    assert not torch.equal(tower(images), tower(images))


@pytest.mark.parametrize("kind", KINDS)
def test_a_tower_without_a_block_left_is_refused(kind):
    tower = tower_of(kind)
    tower.head = torch.nn.Identity() if kind != "vit" else None
    with pytest.raises(BadRecipe, match="frozen_blocks"):
        Adapters(tower, Lora(), frozen_blocks=tower.depth)


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"rank": 1000}, {"alpha": 0.0}, {"dropout": 1.0}])
def test_sizes_that_cannot_be(wrong):
    with pytest.raises(BadRecipe, match="lora"):
        Lora(**wrong)


def test_without_peft_it_says_what_to_install(monkeypatch):
    def missing(module, feature, extra=None):
        raise MissingPackage(f"the package {module} is not installed", f"it for {feature}", f"'fetalclip[{extra}]'")

    monkeypatch.setattr(adapters, "require", missing)
    tower = tower_of("vit")
    names = set(tower.state_dict())
    with pytest.raises(MissingPackage, match=r"fetalclip\[train\]"):
        Adapters(tower, Lora())
    assert set(tower.state_dict()) == names
