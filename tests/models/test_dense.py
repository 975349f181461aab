"""The mask decoder: on either kind of tower, one map a structure at half the picture's side."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fetalclip.errors import BadCheckpoint, UsageError
from fetalclip.models.dense import DecoderConfig, MaskDecoder, decoder_config, default_depths, side_of
from fetalclip.models.efficientnet import EfficientNetLite, LiteConfig
from fetalclip.models.fingerprint import tower_sha256
from fetalclip.models.vit import VisionTransformer, ViTConfig

SMALL = (8, 8, 16, 16, 8)


@pytest.fixture(scope="module")
def lite() -> EfficientNetLite:
    torch.manual_seed(0)
    return EfficientNetLite(LiteConfig(), 8).eval()


@pytest.fixture(scope="module")
def vit() -> VisionTransformer:
    torch.manual_seed(0)
    return VisionTransformer(ViTConfig(image_size=56, patch_size=14, width=16, layers=4, heads=2), 8).eval()


@pytest.mark.parametrize(("kind", "side"), [("lite", 64), ("lite", 96), ("vit", 56)])
@torch.no_grad()
def test_one_map_a_structure_at_half_the_side(kind, side, request):
    tower = request.getfixturevalue(kind)
    depths = default_depths(tower)
    decoder = MaskDecoder(replace(decoder_config(tower, depths, 3), widths=SMALL)).eval()
    images = torch.randn(2, 3, side, side)
    logits = decoder(tower.token_maps(images, depths), images)
    assert logits.shape == (2, 3, side // 2, side // 2)
    alone = decoder(tower.token_maps(images[:1], depths), images[:1])
    torch.testing.assert_close(logits[:1], alone, rtol=1e-4, atol=1e-4)  # a picture's masks are not its batch's


@torch.no_grad()
def test_every_level_reaches_the_logits(lite):
    depths = default_depths(lite)
    decoder = MaskDecoder(replace(decoder_config(lite, depths, 1), widths=SMALL)).eval()
    images = torch.randn(1, 3, 64, 64)
    maps = lite.token_maps(images, depths)
    before = decoder(maps, images)
    for level in range(4):
        changed = [m + torch.randn_like(m) if i == level else m for i, m in enumerate(maps)]
        assert not torch.allclose(decoder(changed, images), before)
    assert not torch.allclose(decoder(maps, images + torch.randn_like(images)), before)


def test_a_head_is_small(lite):
    decoder = MaskDecoder(decoder_config(lite, default_depths(lite), 3))
    assert 2 * sum(p.numel() for p in decoder.parameters()) <= 8 * 2**20  # bytes in half precision


def test_a_transformers_side_is_its_own(lite, vit):
    assert (side_of(lite, 320), side_of(vit, 320)) == (320, 56)
    assert default_depths(vit) == (1, 2, 3, 4)


@pytest.mark.parametrize("depths", [(1, 2, 3), (1, 2, 3, 99), (0, 1, 2, 3)])
def test_depths_that_are_not_there_are_refused(lite, depths):
    with pytest.raises(UsageError, match="depths"):
        decoder_config(lite, depths, 1)


@pytest.mark.parametrize(
    "change",
    [{"structures": 0}, {"channels": [1, 2, 3]}, {"channels": [1, 2, 3, "4"]}, {"widths": [8, 8, 8, 8, 9]}, {"odd": 1}],
)
def test_impossible_sizes_are_refused(change):
    good = {"structures": 1, "channels": [24, 40, 112, 192]}
    assert DecoderConfig.from_dict(DecoderConfig.from_dict(good).to_dict()) == DecoderConfig.from_dict(good)
    with pytest.raises(BadCheckpoint, match="mask decoder"):
        DecoderConfig.from_dict({**good, **change})


def test_the_fingerprint_is_of_the_blocks_alone(lite):
    state = lite.state_dict()
    whole = {f"visual.{name}": value for name, value in state.items()} | {"text.x": torch.ones(2)}
    halved = {name: value.half() for name, value in state.items()}
    assert tower_sha256(state) == tower_sha256(whole) == tower_sha256(halved)
    assert tower_sha256({**state, "proj.weight": state["proj.weight"] + 1}) == tower_sha256(state)
    assert tower_sha256({**state, "stem.gamma": state["stem.gamma"] + 1}) != tower_sha256(state)
