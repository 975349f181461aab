"""Which parameters are trained, at which rate, and which decay."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from fetalclip.errors import BadRecipe
from fetalclip.fit.groups import depth_of, lock, pair_groups
from fetalclip.fit.pretrain_recipe import PretrainRecipe, ScaleRecipe, TowersRecipe
from fetalclip.models.efficientnet import LiteConfig
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.text import TextConfig
from fetalclip.models.vit import ViTConfig

VIT = ViTConfig(image_size=32, patch_size=8, width=16, layers=3, heads=2)
TEXT = TextConfig(12, 50, width=16, layers=2, heads=2)


def model(kind: str) -> DualEncoder:
    return DualEncoder(Architecture(8, VIT if kind == "vit" else LiteConfig(), TEXT))


def rates(model: DualEncoder, more: dict[str, nn.Parameter] | None = None, **optim: float) -> dict[str, tuple]:
    """Rate and decay of each parameter by its name."""
    recipe = PretrainRecipe(optim=replace(ScaleRecipe(weight_decay=0.2, rate=1e-3), **optim))
    groups = pair_groups(model, recipe, more)
    names = {id(p): name for name, p in [*model.named_parameters(), *(more or {}).items()]}
    assert all(group["lr"] == group["peak"] for group in groups)
    found = [(names[id(p)], (g["peak"], g["weight_decay"])) for g in groups for p in g["params"]]
    assert len(found) == len(dict(found))  # none twice
    torch.optim.AdamW(groups)
    return dict(found)


@pytest.mark.parametrize("kind", ["vit", "compact"])
def test_every_parameter_has_its_group_and_only_matrices_decay(kind):
    pair = model(kind)
    found = rates(pair)
    assert found.keys() == {name for name, _ in pair.named_parameters()}
    plain = {name for name, (_, decay) in found.items() if not decay}
    assert {decay for _, decay in found.values()} == {0.0, 0.2}
    assert {"logit_scale", "text.positional_embedding", "text.ln_final.weight", "text.ln_final.bias"} < plain
    assert not plain & {"text.token_embedding.weight", "text.text_projection"}
    own = {
        "vit": {"visual.class_embedding", "visual.positional_embedding", "visual.ln_pre.weight"},
        "compact": {"visual.stem.gamma", "visual.blocks.3.project.beta"},
    }
    assert own[kind] < plain
    decaying = {"vit": {"visual.conv1.weight", "visual.proj"}, "compact": {"visual.stem.weight", "visual.proj.weight"}}
    assert not plain & decaying[kind]
    assert all(dict(pair.named_parameters())[name].ndim < 2 or "positional" in name for name in plain)


def test_rates_fall_from_block_to_block():
    found = {name: rate for name, (rate, _) in rates(model("vit"), rate_text=1e-4, layer_decay=0.5).items()}
    image = {name.removeprefix("visual."): rate / 1e-3 for name, rate in found.items() if name.startswith("visual.")}
    for name in ("conv1.weight", "class_embedding", "positional_embedding", "ln_pre.bias"):
        assert image[name] == pytest.approx(0.5**4), name
    for block in range(3):
        some = [image[name] for name in image if name.startswith(f"transformer.resblocks.{block}.")]
        assert some == pytest.approx([0.5 ** (3 - block)] * 12)
    assert image["ln_post.weight"] == image["proj"] == 1
    text = {name.removeprefix("text."): rate / 1e-4 for name, rate in found.items() if name.startswith("text.")}
    assert text["token_embedding.weight"] == text["positional_embedding"] == pytest.approx(0.5**3)
    assert text["transformer.resblocks.1.attn.in_proj_weight"] == pytest.approx(0.5)
    assert text["text_projection"] == text["ln_final.bias"] == pytest.approx(1)
    assert found["logit_scale"] == 1e-3


def test_rates_fall_in_the_compact_tower_too():
    found = {name: rate for name, (rate, _) in rates(model("compact"), layer_decay=0.9).items()}
    assert found["visual.stem.weight"] == pytest.approx(1e-3 * 0.9**17)
    assert found["visual.blocks.0.project.beta"] == pytest.approx(1e-3 * 0.9**16)
    assert found["visual.blocks.15.expand.gamma"] == pytest.approx(1e-3 * 0.9)
    assert found["visual.head.weight"] == found["visual.proj.weight"] == 1e-3


def test_without_a_rate_of_its_own_the_text_has_the_image_side_s():
    assert {rate for rate, _ in rates(model("vit")).values()} == {1e-3}


def test_further_parameters_have_the_whole_rate():
    more = {"bias": nn.Parameter(torch.zeros(())), "text.map": nn.Parameter(torch.zeros(2, 2))}
    found = rates(model("vit"), more, rate_text=1e-4, layer_decay=0.5)
    assert found["bias"] == (1e-3, 0.0)
    assert found["text.map"] == (1e-3, 0.2)


def test_depths_are_counted_from_the_input():
    assert [depth_of(n, 3) for n in ("conv1.weight", "blocks.0.x", "transformer.resblocks.2.ln_1.bias", "proj")] == [
        0, 1, 3, 4,
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["vit", "compact"])
@pytest.mark.parametrize("blocks", [0, 1, 2, -1])
def test_a_lock_keeps_the_input_and_the_first_blocks(kind, blocks):
    pair = model(kind)
    lock(pair, TowersRecipe(lock_image=blocks, lock_text=blocks))
    found = rates(pair)
    assert "logit_scale" in found
    for side, tower in (("visual", pair.visual), ("text", pair.text)):
        held = {name for name, p in tower.named_parameters() if f"{side}.{name}" not in found}
        depths = {name: depth_of(name, tower.depth) for name, _ in tower.named_parameters()}
        limit = tower.depth + 1 if blocks < 0 else blocks
        assert held == {name for name, depth in depths.items() if blocks and depth <= limit}, side


def test_a_lock_is_undone_by_another():
    pair = model("vit")
    lock(pair, TowersRecipe(lock_image=-1, lock_text=-1))
    lock(pair, TowersRecipe())
    assert all(p.requires_grad for p in pair.parameters())


@pytest.mark.parametrize(("key", "most"), [("lock_image", 3), ("lock_text", 2)])
def test_more_blocks_than_there_are_is_an_error(key, most):
    lock(model("vit"), TowersRecipe(**{key: most}))
    with pytest.raises(BadRecipe, match=rf"model\.{key} = {most + 1}.*{most} blocks"):
        lock(model("vit"), TowersRecipe(**{key: most + 1}))
