"""OpenCLIP's configs and names: what is taken over, what is refused by name."""

from __future__ import annotations

import copy

import pytest

from fetalclip.errors import BadCheckpoint, UsageError
from fetalclip.models.openclip import (
    CLIP_MEAN,
    CLIP_STD,
    from_openclip_config,
    preprocess_config,
    rename,
    to_openclip_config,
    unname,
)
from fetalclip.models.pair import Architecture
from fetalclip.models.text import TextConfig
from fetalclip.models.vit import ViTConfig

PUBLISHED = {
    "embed_dim": 768,
    "vision_cfg": {"image_size": 224, "layers": 24, "width": 1024, "patch_size": 14},
    "text_cfg": {"context_length": 117, "vocab_size": 49408, "width": 768, "heads": 12, "layers": 12},
}
WHOLE = Architecture(768, ViTConfig(), TextConfig(117, 49408, 768, 12, 12))


def test_the_published_config_is_the_published_architecture():
    assert from_openclip_config(PUBLISHED) == WHOLE
    assert from_openclip_config({"model_cfg": PUBLISHED, "preprocess_cfg": {}}) == WHOLE


def test_what_a_config_leaves_out_has_openclips_defaults():
    found = from_openclip_config({"embed_dim": 512, "vision_cfg": {}, "text_cfg": {}})
    assert found == Architecture(512, ViTConfig("vit", 224, 16, 768, 12, 12, 4.0), TextConfig(77, 49408, 512, 12, 8))


def test_a_config_goes_round():
    config = to_openclip_config(WHOLE, {"mean": CLIP_MEAN, "std": CLIP_STD})
    assert from_openclip_config(config) == WHOLE
    assert config["preprocess_cfg"]["resize_mode"] == "longest"
    assert preprocess_config(config) == (CLIP_MEAN, CLIP_STD, [])


def test_the_compact_tower_has_no_openclip_form():
    with pytest.raises(UsageError, match="efficientnet-lite0"):
        to_openclip_config(Architecture(), {"mean": CLIP_MEAN, "std": CLIP_STD})


@pytest.mark.parametrize(
    ("where", "key", "value", "said"),
    [
        ("", "quick_gelu", True, "quick_gelu"),
        ("", "custom_text", True, "custom_text"),
        ("vision_cfg", "timm_model_name", "vit_base", "timm_model_name"),
        ("vision_cfg", "pool_type", "avg", "pool_type"),
        ("vision_cfg", "attentional_pool", True, "attentional_pool"),
        ("vision_cfg", "ls_init_value", 0.1, "ls_init_value"),
        ("vision_cfg", "layers", [3, 4, 6, 3], "ResNet"),
        ("vision_cfg", "head_width", 60, "head width 60"),
        ("vision_cfg", "image_size", [224, 288], "image_size"),
        ("text_cfg", "hf_model_name", "roberta-base", "hf_model_name"),
        ("text_cfg", "pool_type", "last", "pool_type"),
        ("text_cfg", "proj_type", "mlp", "proj_type"),
        ("text_cfg", "width", -1, "impossible"),
        ("text_cfg", "vocab_size", "many", "impossible"),
    ],
)
def test_another_kind_of_model_is_named(where, key, value, said):
    config = copy.deepcopy(PUBLISHED)
    (config[where] if where else config)[key] = value
    with pytest.raises(BadCheckpoint, match=said):
        from_openclip_config(config)


@pytest.mark.parametrize("config", [{}, {"embed_dim": 3}, {"model_cfg": []}, {"vision_cfg": {}, "text_cfg": {}}])
def test_what_is_no_config_is_told(config):
    with pytest.raises(BadCheckpoint, match="describes no CLIP"):
        from_openclip_config(config)


def test_a_config_without_preprocessing_gets_clips_values_and_other_ways_a_note():
    assert preprocess_config(PUBLISHED) == (CLIP_MEAN, CLIP_STD, [])
    stated = {"mean": [0.5] * 3, "std": [0.25] * 3, "resize_mode": "shortest", "interpolation": "bilinear"}
    mean, std, notes = preprocess_config({"preprocess_cfg": stated})
    assert (mean, std) == ((0.5,) * 3, (0.25,) * 3)
    assert len(notes) == 2
    assert "shortest" in notes[0]
    with pytest.raises(BadCheckpoint, match="mean"):
        preprocess_config({"preprocess_cfg": {"mean": [1, 2]}})


NAMES = [
    "visual.conv1.weight",
    "positional_embedding",
    "transformer.resblocks.0.ln_1.weight",
    "ln_final.bias",
    "token_embedding.weight",
    "text_projection",
    "logit_scale",
    "visual.transformer.resblocks.0.ln_1.weight",
]


def test_names_go_round_and_wrappers_come_off():
    state = {name: i for i, name in enumerate(NAMES)}
    ours = rename(state)
    assert ours["text.transformer.resblocks.0.ln_1.weight"] == 2
    assert ours["visual.transformer.resblocks.0.ln_1.weight"] == 7
    assert unname(ours) == state
    wrapped = {f"module._orig_mod.{name}": value for name, value in state.items()}
    assert rename(wrapped) == ours
    assert rename({**state, "attn_mask": 0}) == ours


def test_a_custom_text_checkpoint_is_named():
    with pytest.raises(BadCheckpoint, match="custom-text"):
        rename({"visual.conv1.weight": 1, "text.transformer.embeddings.word_embeddings.weight": 2})
