"""The tiny model: the same for the same seed, and quiet about the caller's random state."""

from __future__ import annotations

import torch

from fetalclip.config import check_config
from fetalclip.models.tiny import build_tiny


def test_the_same_seed_builds_the_same_model():
    torch.manual_seed(1)
    config, model, tokenizer = build_tiny(4)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again = build_tiny(4)
    assert torch.equal(before, torch.get_rng_state())
    assert (again[0], again[2].to_json()) == (config, tokenizer.to_json())
    for name, value in model.state_dict().items():
        assert torch.equal(value, again[1].state_dict()[name])
    other = build_tiny(5)[1]
    assert not torch.equal(other.text.text_projection, model.text.text_projection)
    assert not model.training


def test_its_config_is_a_whole_one():
    config, _, _ = build_tiny()
    words = {"schema": "fetalclip.model/1", "name": "t", "summary": "", "license": "CC0-1.0"}
    check_config({**words, **config, "weights": {"file": "a", "sha256": "0" * 64}, "training": {}, "results": {}})
