"""From a card to the encoder of its weights."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from fetalclip.cards import Card
from fetalclip.encoder.engine import Encoder, Normalisation
from fetalclip.encoder.store import PromptStore
from fetalclip.models.tiny import SHOUT, TINY, build_tiny
from fetalclip.models.weights import load_folder


def open_encoder(card: Card, device: str, precision: str) -> tuple[Mapping[str, Any], Encoder]:
    """The config and the towers of a card whose weights are here.

    Args:
        card: what `fetalclip.cards.get_card` gives.
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: ``fp32`` or ``bf16``.

    Raises:
        BadCheckpoint: the folder is damaged.
    """
    config: Mapping[str, Any]
    if card.folder is None and card.name == TINY:
        config, model, tokenizer = build_tiny()
        warnings.warn(SHOUT, stacklevel=3)
        store = None
    else:
        assert card.folder is not None
        config = card.config
        model, tokenizer = load_folder(card.folder, config)
        store = PromptStore.of(card, device, precision)
    pre = config["preprocess"]
    flags = {name: bool(pre.get(name, False)) for name in ("mirror", "colour")}
    normalisation = Normalisation(int(pre["image_size"]), tuple(pre["mean"]), tuple(pre["std"]), **flags)
    return config, Encoder(model, tokenizer, normalisation, device, precision=precision, store=store)
