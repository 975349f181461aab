"""Packed matrices: the same numbers, another layout."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn.functional import cosine_similarity, normalize

from fetalclip.encoder.packed import PackedTransformer, can_pack, pack
from fetalclip.models.efficientnet import EfficientNetLite, LiteConfig
from fetalclip.models.text import TextConfig, TextTower
from fetalclip.models.vit import VisionTransformer, ViTConfig

WIDE = ViTConfig(image_size=28, patch_size=7, width=512, layers=2, heads=8)


@pytest.fixture(scope="module")
def tower() -> VisionTransformer:
    torch.manual_seed(0)
    made = VisionTransformer(WIDE, 32).eval()
    if not can_pack(made, "cpu"):
        pytest.skip("this torch has no oneDNN operators")
    return made


@torch.inference_mode()
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_images_are_the_same(tower, batch):
    x = torch.randn(batch, 3, 28, 28)
    packed = pack(tower)
    assert isinstance(packed.transformer, PackedTransformer)
    assert (normalize(packed(x)) - normalize(tower(x))).abs().max() <= 1e-5
    for a, b in zip(packed.token_maps(x, [1, 2]), tower.token_maps(x, [1, 2]), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_bfloat16_stays_close(tower):
    x = torch.randn(3, 3, 28, 28)
    half = copy.deepcopy(tower).bfloat16()
    if not can_pack(half, "cpu"):
        pytest.skip("this processor has no bfloat16 in oneDNN")
    found = pack(half)(x.bfloat16()).float()
    assert cosine_similarity(found, tower(x)).min() >= 0.999


@torch.inference_mode()
def test_causal_text_is_the_same():
    torch.manual_seed(0)
    text = TextTower(TextConfig(30, 100, 512, 2, 8), 16).eval()
    if not can_pack(text, "cpu"):
        pytest.skip("this torch has no oneDNN operators")
    ids, end = torch.randint(0, 100, (4, 12)), torch.tensor([3, 11, 7, 0])
    torch.testing.assert_close(pack(text)(ids, end), text(ids, end), atol=1e-4, rtol=1e-4)


def test_the_tower_itself_is_left_alone(tower):
    before = set(tower.state_dict())
    pack(tower)
    assert set(tower.state_dict()) == before
    assert not isinstance(tower.transformer, PackedTransformer)


def test_only_wide_transformers_on_a_processor_are_packed(tower):
    assert not can_pack(tower, "cuda")
    assert not can_pack(EfficientNetLite(LiteConfig(), 4), "cpu")
    assert not can_pack(VisionTransformer(ViTConfig("vit", 28, 7, 64, 1, 2), 8), "cpu")
