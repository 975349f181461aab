"""The full-size image tower: its shape, its size, its maps."""

from __future__ import annotations

import pytest
import torch

from fetalclip.errors import BadCheckpoint, UsageError
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.text import TextConfig
from fetalclip.models.vit import VisionTransformer, ViTConfig

SMALL = ViTConfig(image_size=32, patch_size=8, width=24, layers=3, heads=4)
PUBLISHED = Architecture(768, ViTConfig(), TextConfig(117, 49408, 768, 12, 12))


@pytest.fixture
def tower() -> VisionTransformer:
    torch.manual_seed(0)
    return VisionTransformer(SMALL, 10).eval()


def test_the_published_config_has_the_published_size():
    with torch.device("meta"):
        model = DualEncoder(PUBLISHED)
    assert sum(p.numel() for p in model.parameters()) == 427_647_233
    assert model.visual.positional_embedding.shape == (257, 1024)
    assert model.text.positional_embedding.shape == (117, 768)


def test_names_are_those_of_openclip(tower):
    names = set(tower.state_dict())
    assert {"class_embedding", "positional_embedding", "proj", "conv1.weight", "ln_pre.weight", "ln_post.bias"} < names
    block = {name.removeprefix("transformer.resblocks.2.") for name in names if ".2." in name}
    leaves = {f"{part}.{leaf}" for part in ("ln_1", "ln_2", "attn.out_proj", "mlp.c_fc", "mlp.c_proj")
              for leaf in ("weight", "bias")}  # fmt: skip
    assert block == leaves | {"attn.in_proj_weight", "attn.in_proj_bias"}


def test_the_class_token_sees_every_patch(tower):
    x = torch.randn(1, 3, 32, 32)
    y = tower(x)
    assert y.shape == (1, 10)
    for corner in ((0, 0), (0, 31), (31, 0), (31, 31)):
        changed = x.clone()
        changed[0, :, corner[0], corner[1]] += 5
        assert not torch.allclose(tower(changed), y, atol=1e-4)


def test_maps_lie_as_the_picture_lies(tower):
    x = torch.zeros(1, 3, 32, 32)
    one = tower.token_maps(x, [1])[0]
    assert one.shape == (1, 24, 4, 4)
    x[0, :, 9, 25] = 30.0  # row 1, column 3 of the 4 x 4 grid
    moved = (tower.token_maps(x, [1])[0] - one).norm(dim=1)[0]
    assert divmod(int(moved.argmax()), 4) == (1, 3)


def test_maps_come_in_the_order_asked_and_agree_with_the_whole(tower):
    x = torch.randn(2, 3, 32, 32)
    first, last, again = tower.token_maps(x, [1, 3, 1])
    assert torch.equal(first, again)
    whole = tower.transformer(tower.tokens(x), causal=False)[:, 1:]
    assert torch.equal(last.flatten(2).transpose(1, 2), whole)


@pytest.mark.parametrize("depths", [[], [0], [4], [1, 9]])
def test_a_depth_that_is_not_there_is_told(tower, depths):
    with pytest.raises(UsageError, match="1 to 3"):
        tower.token_maps(torch.zeros(1, 3, 32, 32), depths)


def test_a_picture_of_another_size_is_told(tower):
    with pytest.raises(UsageError, match="32 x 32"):
        tower(torch.zeros(1, 3, 40, 40))


def test_freezing_keeps_the_first_blocks(tower):
    tower.freeze(2)
    trained = {name for name, p in tower.named_parameters() if p.requires_grad}
    assert all(name.startswith(("transformer.resblocks.2.", "ln_post", "proj")) for name in trained)
    assert len(trained) == 12 + 3


def test_the_architecture_comes_back_from_its_config():
    assert Architecture.from_dict(PUBLISHED.to_dict()) == PUBLISHED


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("image", "kind", "resnet"),
        ("image", "patch_size", 15),
        ("image", "heads", 7),
        ("image", "layers", 513),
        ("image", "width", 1024.0),
        ("image", "width", True),
        ("image", "mlp_ratio", -1),
        ("image", "surplus", 1),
        ("text", "vocab_size", 0),
        ("text", "heads", 5),
    ],
)
def test_an_impossible_architecture_is_told(part, key, value):
    data = PUBLISHED.to_dict()
    data[part][key] = value
    with pytest.raises(BadCheckpoint):
        Architecture.from_dict(data)
