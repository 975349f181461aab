"""``fetalclip-tiny``: the compact architecture with seeded random weights, for tests of software.

Its answers mean nothing.
"""

from __future__ import annotations

from typing import Any

import torch

from fetalclip.clinical.sampling import texts
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.text import TextConfig
from fetalclip.models.tokenizer import Tokenizer

TINY = "fetalclip-tiny"
SHOUT = f"{TINY} HAS RANDOM WEIGHTS: ITS ANSWERS MEAN NOTHING"
CONTEXT = 117


def build_tiny(seed: int = 0) -> tuple[dict[str, Any], DualEncoder, Tokenizer]:
    """Config, model and tokenizer; the same for the same seed, and the caller's random state is untouched."""
    tokenizer = Tokenizer.learn(texts(300, seed), 400, CONTEXT)
    text = TextConfig(CONTEXT, tokenizer.vocab_size, width=32, layers=1, heads=2)
    architecture = Architecture(embed_dim=16, text=text)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = DualEncoder(architecture)
    config = {
        "architecture": architecture.to_dict(),
        "preprocess": {"image_size": 64, "mean": [0.498] * 3, "std": [0.502] * 3, "overlay": "mask"},
        "planes": {"prompts": "planes-9", "temperature": 1.0, "outlier_threshold": 1.0, "min_probability": 0.0},
    }
    return config, model.eval(), tokenizer
