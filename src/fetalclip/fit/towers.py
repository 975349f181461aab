"""The towers a pretraining starts from: random, the compact one with ImageNet weights, or a model that is there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fetalclip.cards import Card, get_card, read_folder, read_json
from fetalclip.clinical.sampling import texts as caption_texts
from fetalclip.errors import BadRecipe, NotAvailable, OutputError
from fetalclip.fit.pretrain_recipe import PretrainRecipe
from fetalclip.fit.start import start_numbers
from fetalclip.foreign import CONFIGS, IMAGENET, OPENCLIP, WEIGHTS
from fetalclip.models import openclip, positions
from fetalclip.models.convert import VOCABULARY, convert
from fetalclip.models.efficientnet import LiteConfig
from fetalclip.models.imagenet import load_imagenet
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.tiny import TINY, build_tiny
from fetalclip.models.tokenizer import Tokenizer
from fetalclip.models.verified import compute
from fetalclip.models.vit import ViTConfig
from fetalclip.models.weights import load_folder, load_strictly

RANDOM = "random"
FROM_NOTHING = (RANDOM, IMAGENET)  # starts whose architecture stands in the recipe
CAPTIONS = 20_000  # that a vocabulary is learned from
_TABLE = "text.positional_embedding"


@dataclass(frozen=True, eq=False)
class Start:
    """A model that a training starts from.

    Attributes:
        tokenizer: its own, of its own context.
        model: its towers as they are.
        config: its ``config.json``.
    """

    tokenizer: Tokenizer
    model: DualEncoder
    config: dict[str, Any]


def architecture_of(recipe: PretrainRecipe) -> Architecture:
    """The architecture that is trained: of a start that is a model its own, else the recipe's.

    Raises:
        BadRecipe: the start's vision transformer sees another size, or the recipe's words do not fit each other.
        NotAvailable: the start is not here.
        BadCheckpoint: it is damaged, or of an architecture that is not here.
    """
    if recipe.model.start in FROM_NOTHING:
        return written(recipe, words_of(recipe).vocab_size)
    return _fitted(_own(recipe.model.start), recipe)


def written(recipe: PretrainRecipe, vocab_size: int = 0) -> Architecture:
    """The architecture that stands in a recipe, whatever its start.

    Args:
        recipe: the recipe.
        vocab_size: rows of the table of tokens; 0 takes the recipe's number, which a learned vocabulary may not reach.

    Raises:
        BadRecipe: an image tower that the start cannot fill.
        BadCheckpoint: sizes that cannot be.
    """
    wanted = recipe.model
    if wanted.start == IMAGENET and wanted.image != LiteConfig().kind:
        found = f"model.start=imagenet with model.image={wanted.image}"
        raise BadRecipe(found, f"model.image={LiteConfig().kind}: there are no others", "model.start=random")
    vit = wanted.image == ViTConfig().kind
    image = replace(wanted.vit, image_size=wanted.image_size) if vit else LiteConfig()
    text = replace(wanted.text, vocab_size=vocab_size or wanted.text.vocab_size)
    return Architecture.from_dict(Architecture(wanted.embed_dim, image, text).to_dict())


def build_towers(recipe: PretrainRecipe, folder: Path | None = None) -> tuple[Tokenizer, DualEncoder]:
    """Tokenizer and towers at the start of a recipe, float32, every parameter trainable.

    The same recipe builds the same towers; the caller's random state is untouched.

    Args:
        recipe: the recipe.
        folder: below which a start in OpenCLIP's layout is converted to a folder named by its hashes, and found again;
            None converts it to one that is gone afterwards.

    Raises:
        BadRecipe, NotAvailable, BadCheckpoint: as `architecture_of`.
        MissingPackage: the ImageNet weights are not installed.
    """
    if recipe.model.start in FROM_NOTHING:
        return _from_nothing(recipe)
    with open_start(recipe.model.start, folder) as start:
        architecture = _fitted(start.model.architecture, recipe)
        state = {name: value.float().clone() for name, value in start.model.state_dict().items()}
        rows = architecture.text.context_length
        state[_TABLE] = positions.resize(state[_TABLE], rows, recipe.model.positions)
        start.tokenizer.context_length = rows
        return start.tokenizer, _filled(architecture, state, recipe.model.start)


def tokenizer_of(recipe: PretrainRecipe) -> Tokenizer:
    """The tokenizer that is trained with, without the towers; errors as `build_towers`."""
    start, rows = recipe.model.start, recipe.model.text.context_length
    if start in FROM_NOTHING:
        return words_of(recipe)
    if _openclip_folder(start) is not None:
        return Tokenizer.clip(rows)
    if start == TINY:
        tokenizer = build_tiny()[2]
        tokenizer.context_length = rows
        return tokenizer
    card = _foldered(start)
    assert card.folder is not None
    return Tokenizer.load(card.folder / "tokenizer.json", rows, card.config.get("tokenizer", {}).get("cleaning"))


@contextmanager
def open_start(start: str, folder: Path | None = None) -> Iterator[Start]:
    """A start that is a model, opened for the length of the block; arguments and errors as `build_towers`."""
    with tempfile.TemporaryDirectory(prefix="fetalclip-start-", ignore_cleanup_errors=True) as fresh:
        if start == TINY:
            config, model, tokenizer = build_tiny()
            yield Start(tokenizer, model, config)
            return
        card = _foldered(start, folder if folder is not None else Path(fresh) / "start")
        assert card.folder is not None
        model, tokenizer = load_folder(card.folder, card.config)
        yield Start(tokenizer, model, dict(card.config))


def _card(start: str, folder: Path) -> Card:
    """The card of a start; one in OpenCLIP's layout is converted first."""
    source = _openclip_folder(start)
    if source is None:
        return get_card(start)
    config, weights = source / CONFIGS[OPENCLIP], _weights(source)
    made = folder / (compute(config)[:8] + compute(weights)[:8])  # of another start another folder
    if not (made / "config.json").is_file():
        try:
            convert(config, weights, made)
        except OutputError:
            if not (made / "config.json").is_file():  # else another machine was first
                raise
    return read_folder(made)


def _openclip_folder(start: str) -> Path | None:
    """A local folder in OpenCLIP's layout, or None for any other start."""
    word, named = start.removeprefix(f"{OPENCLIP}:"), start.startswith(f"{OPENCLIP}:")
    if named:
        found = get_card(start).foreign
        return None if found is None else found.folder
    path = Path(word)
    try:
        return path if (path / CONFIGS[OPENCLIP]).is_file() else None
    except (OSError, ValueError):  # a name too long for a path, or with a zero byte
        return None


def _weights(folder: Path) -> Path:
    found = next((folder / name for name in WEIGHTS[OPENCLIP] if (folder / name).is_file()), None)
    if found is None:
        raise NotAvailable(f"no weights in the folder {folder.name}", "one of " + ", ".join(WEIGHTS[OPENCLIP]))
    return found


def _own(start: str) -> Architecture:
    """Architecture of a start that is a model, without its weights."""
    if start == TINY:
        return build_tiny()[1].architecture
    source = _openclip_folder(start)
    if source is not None:
        return openclip.from_openclip_config(read_json(source / CONFIGS[OPENCLIP]))
    return Architecture.from_dict(dict(_foldered(start).config["architecture"]))


def _foldered(start: str, folder: Path | None = None) -> Card:
    """The card of a start that has a model folder."""
    card = (get_card(start) if folder is None else _card(start, folder)).require()
    if card.folder is None:
        fix = "fetalclip models convert --config C --weights W --out DIR"
        raise NotAvailable(f"{card.name} as the start of a training", "a model of this package, or OpenCLIP's", fix)
    return card


def _fitted(own: Architecture, recipe: PretrainRecipe) -> Architecture:
    """A start's architecture with the recipe's context.

    Raises:
        BadRecipe: its vision transformer sees another size than the recipe's.
    """
    size = recipe.model.image_size
    if isinstance(own.image, ViTConfig) and own.image.image_size != size:
        found = f"model.image_size = {size} with a start that sees {own.image.image_size} pixels"
        raise BadRecipe(found, "the one size of its vision transformer", f"model.image_size={own.image.image_size}")
    text = replace(own.text, context_length=recipe.model.text.context_length)
    return Architecture.from_dict(replace(own, text=text).to_dict())


def words_of(recipe: PretrainRecipe) -> Tokenizer:
    """The tokenizer of a start from nothing: CLIP's, or one learned from captions.

    Raises:
        BadRecipe: a vocabulary larger than CLIP's.
    """
    wanted = recipe.model.text
    if wanted.vocab_size > VOCABULARY:
        found = f"model.text.vocab_size = {wanted.vocab_size}"
        raise BadRecipe(found, f"CLIP's {VOCABULARY}, or fewer to learn", f"model.text.vocab_size={VOCABULARY}")
    if wanted.vocab_size == VOCABULARY:
        return Tokenizer.clip(wanted.context_length)
    return Tokenizer.learn(caption_texts(CAPTIONS, recipe.seed), wanted.vocab_size, wanted.context_length)


def _from_nothing(recipe: PretrainRecipe) -> tuple[Tokenizer, DualEncoder]:
    tokenizer = words_of(recipe)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = DualEncoder(written(recipe, tokenizer.vocab_size))
    if tokenizer.vocab_size != VOCABULARY:
        start_numbers(model.text.token_embedding, tokenizer)
    if recipe.model.start == IMAGENET:
        load_imagenet(model.visual)
    return tokenizer, model


def _filled(architecture: Architecture, state: dict[str, Tensor], where: str) -> DualEncoder:
    """Towers whose parameters are the arrays given."""
    with torch.device("meta"):
        model = DualEncoder(architecture)
    load_strictly(model, state, where)
    return model
