"""From a model's card to its encoder, whoever made it: one place for every kind of name."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from typing import Any

from fetalclip.cards import Card
from fetalclip.encoder.engine import Encoder, Normalisation
from fetalclip.encoder.foreign import ForeignEncoder, Towers
from fetalclip.encoder.store import PromptStore
from fetalclip.foreign import IMAGENET, OPENCLIP, TRANSFORMERS
from fetalclip.models.tiny import SHOUT, TINY, build_tiny
from fetalclip.models.weights import load_folder

# Kind of name to the module with its ``open_towers``.
ENGINES = {
    IMAGENET: "fetalclip.encoder.imagenet",
    TRANSFORMERS: "fetalclip.encoder.transformers_images",
    OPENCLIP: "fetalclip.encoder.openclip",
}
# Not calibrated: raw probabilities, no abstention; as of a converted checkpoint.
_RAW = {"prompts": "planes-9", "temperature": 1.0, "outlier_threshold": 1.0, "min_probability": 0.0}


@dataclass(frozen=True)
class Opened:
    """A model that is ready.

    Attributes:
        card: what it is; of somebody else's model with the hash and the preprocessing found on loading.
        encoder: its towers.
        config: as of ``config.json``.
    """

    card: Card
    encoder: Encoder
    config: Mapping[str, Any]


def open_model(card: Card, device: str, precision: str) -> Opened:
    """The encoder of a card that can be loaded.

    Args:
        card: see `fetalclip.cards.get_card`.
        device, precision: as of `Encoder`.

    Raises:
        NotAvailable: something of it is not here.
        BadCheckpoint: it is damaged.
        UsageError: as `Encoder`.
    """
    if card.foreign is not None:
        return _foreign(card, device, precision)
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
    return Opened(card, Encoder(model, tokenizer, normalisation, device, precision=precision, store=store), config)


def _foreign(card: Card, device: str, precision: str) -> Opened:
    found = card.foreign
    assert found is not None
    towers: Towers = import_module(ENGINES[found.kind]).open_towers(found)
    encoder = ForeignEncoder(card.name, towers, device, precision)
    config = {
        **card.config,
        "architecture": {"embed_dim": encoder.dim, **(towers.told or {})},
        # A converted checkpoint keeps the picture as it is, and so does the same one unconverted.
        "preprocess": {**asdict(towers.normalisation), "overlay": "keep" if encoder.has_text else "mask"},
        "planes": _RAW,
    }
    return Opened(replace(card, config=config, sha256=encoder.embedding_sha256), encoder, config)
