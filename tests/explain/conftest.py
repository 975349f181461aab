"""Tiny models of both kinds of tower, untrained, seeded."""

from __future__ import annotations

import pytest
import torch

from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Normalisation
from fetalclip.explain import Explainer, score_cam
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.text import TextConfig
from fetalclip.models.tiny import build_tiny
from fetalclip.models.vit import ViTConfig
from fetalclip.tasks import PlaneRule, PlaneTask


def explainer_of(encoder: Encoder) -> Explainer:
    return Explainer(encoder, PlaneTask(encoder, PlaneRule()))


@pytest.fixture(scope="session")
def lite() -> Explainer:
    _, model, tokenizer = build_tiny(2)
    return explainer_of(Encoder(model, tokenizer, Normalisation(64, (0.498,) * 3, (0.502,) * 3), "cpu", batch=16))


@pytest.fixture(scope="session")
def vit() -> Explainer:
    _, _, tokenizer = build_tiny(2)
    image = ViTConfig(image_size=64, patch_size=8, width=32, layers=3, heads=2)
    text = TextConfig(117, tokenizer.vocab_size, width=32, layers=1, heads=2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = DualEncoder(Architecture(16, image, text))
    return explainer_of(Encoder(model, tokenizer, Normalisation(64, (0.498,) * 3, (0.502,) * 3), "cpu", batch=16))


@pytest.fixture(autouse=True)
def few_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each channel costs a run of the tower."""
    monkeypatch.setattr(score_cam, "CHANNELS", 12)
