"""Both towers against an independent implementation with the same random weights."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from fetalclip.errors import BadCheckpoint, UsageError
from fetalclip.models.openclip import rename, unname
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.text import TextConfig
from fetalclip.models.transformers_clip import (
    architecture_of,
    config_of,
    from_transformers,
    is_transformers_config,
    to_transformers,
)
from fetalclip.models.vit import ViTConfig
from fetalclip.models.weights import load_strictly

transformers = pytest.importorskip("transformers")

SHAPES = {
    "square": Architecture(48, ViTConfig("vit", 56, 14, 64, 3, 2, 4.0), TextConfig(117, 500, 64, 3, 2)),
    "uneven": Architecture(20, ViTConfig("vit", 48, 8, 72, 2, 6, 2.0), TextConfig(77, 300, 40, 4, 5, 3.0)),
}


@pytest.fixture(params=SHAPES)
def both(request):
    architecture = SHAPES[request.param]
    torch.manual_seed(0)
    theirs = transformers.CLIPModel(transformers.CLIPConfig(**config_of(architecture))).eval()
    for parameter in theirs.parameters():  # as wide as trained weights, so that nothing hides
        torch.nn.init.normal_(parameter, std=0.3 if parameter.ndim < 2 else parameter.shape[-1] ** -0.5)
    ours = DualEncoder(architecture).eval()
    load_strictly(ours, rename(from_transformers(theirs.state_dict())), "test")
    return theirs, ours


@torch.inference_mode()
def test_embeddings_agree_within_a_hundred_thousandth(both):
    theirs, ours = both
    size, vocabulary = ours.architecture.image.image_size, ours.architecture.text.vocab_size
    images = torch.randn(4, 3, size, size)
    ids = torch.randint(1, vocabulary - 2, (5, 30))
    ids[:, 0] = vocabulary - 2
    end = torch.tensor([29, 5, 12, 1, 20])
    for row, last in enumerate(end):
        ids[row, last:] = vocabulary - 1
    found = theirs(pixel_values=images, input_ids=ids)
    assert (normalize(found.image_embeds, dim=-1) - ours.encode_image(images)).abs().max() <= 1e-5
    assert (normalize(found.text_embeds, dim=-1) - ours.encode_text(ids, end)).abs().max() <= 1e-5
    raw = theirs.get_image_features(pixel_values=images)
    raw = raw if isinstance(raw, torch.Tensor) else raw.pooler_output
    torch.testing.assert_close(raw, ours.encode_image(images, normalize=False), atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_token_maps_are_their_hidden_states(both):
    theirs, ours = both
    size = ours.architecture.image.image_size
    images = torch.randn(2, 3, size, size)
    depths = [1, ours.visual.depth]
    hidden = theirs.vision_model(images, output_hidden_states=True).hidden_states
    for depth, found in zip(depths, ours.visual.token_maps(images, depths), strict=True):
        torch.testing.assert_close(found.flatten(2).transpose(1, 2), hidden[depth][:, 1:], atol=1e-4, rtol=1e-4)


def test_names_and_values_go_round(both):
    theirs, ours = both
    state = to_transformers(unname(ours.state_dict()))
    expected = theirs.state_dict()
    assert set(state) == {name for name in expected if not name.endswith("position_ids")}
    assert all(torch.equal(value, expected[name]) for name, value in state.items())
    assert architecture_of(theirs.config.to_dict()) == ours.architecture
    assert is_transformers_config(theirs.config.to_dict())


def test_another_activation_is_named():
    config = config_of(SHAPES["square"])
    del config["vision_config"]["hidden_act"]  # their default
    with pytest.raises(BadCheckpoint, match="quick_gelu"):
        architecture_of(config)


def test_names_that_are_not_theirs_are_told():
    with pytest.raises(BadCheckpoint, match=r"vision_model\.surprise"):
        from_transformers({"vision_model.surprise": torch.ones(1)})
    name = "text_model.encoder.layers.0.self_attn.q_proj.weight"
    with pytest.raises(BadCheckpoint, match="q_proj, k_proj and v_proj"):
        from_transformers({name: torch.ones(1)})
    with pytest.raises(UsageError, match="efficientnet"):
        config_of(Architecture())
