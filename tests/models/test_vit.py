"""The full-size image tower: its shape, its size, its maps."""

from __future__ import annotations

import pytest
import torch

from fetalclip.errors import BadCheckpoint, UsageError
from fetalclip.models.drops import kept_patches
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


def test_without_seeds_nothing_is_dropped(tower):
    x = torch.randn(4, 3, 32, 32)
    plain, names = tower(x), set(tower.state_dict())
    tower.drop_path, tower.patch_dropout = 0.5, 0.5
    assert torch.equal(tower(x), plain)
    assert torch.equal(tower.tokens(x), tower.tokens(x, None))
    assert set(tower.state_dict()) == names
    assert not torch.equal(tower(x, torch.arange(4)), plain)


@pytest.mark.parametrize("shares", [(0.5, 0.0), (0.0, 0.5), (0.3, 0.7)])
def test_a_picture_and_its_seed_give_the_same_in_any_batch(tower, shares):
    tower.drop_path, tower.patch_dropout = shares
    tower.double()
    x, seeds = torch.randn(6, 3, 32, 32, dtype=torch.float64), torch.arange(6)
    whole = tower(x, seeds)
    order = torch.tensor([4, 1, 5])
    torch.testing.assert_close(tower(x[order], seeds[order]), whole[order], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(tower.train()(x[2:3], seeds[2:3]), whole[2:3], rtol=1e-12, atol=1e-12)
    assert not torch.allclose(tower(x, seeds + 6), whole)


def test_patches_that_are_left_out_are_not_seen_and_the_others_keep_their_places(tower):
    tower.patch_dropout = 0.5
    x, seeds = torch.randn(3, 3, 32, 32), torch.tensor([5, 6, 7])
    whole, part, kept = tower.tokens(x), tower.tokens(x, seeds), kept_patches(seeds, 0.5, 16)
    assert part.shape == (3, 9, 24)
    for i in range(3):
        torch.testing.assert_close(part[i], whole[i][torch.cat([torch.zeros(1, dtype=torch.long), 1 + kept[i]])])
    before, changed = tower(x, seeds), x.clone()
    for patch in set(range(16)) - set(kept[0].tolist()):
        row, column = 8 * (patch // 4), 8 * (patch % 4)
        changed[0, :, row : row + 8, column : column + 8] += 5
    assert torch.equal(tower(changed, seeds), before)


def test_the_pair_hands_the_seeds_on(tower):
    model = DualEncoder(Architecture(10, SMALL, TextConfig(12, 50, 16, 1, 2)))
    model.visual.drop_path = 0.5
    x, seeds = torch.randn(4, 3, 32, 32), torch.arange(4)
    assert torch.equal(model.encode_image(x, False, seeds), model.visual(x, seeds))
    torch.testing.assert_close(model.encode_image(x, seeds=seeds).norm(dim=1), torch.ones(4))
