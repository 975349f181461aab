"""Where weights start: numbers at their size, a mask decoder at another head's; the image tower's ImageNet weights
are in `fetalclip.models.imagenet`."""

from __future__ import annotations

import math
import re

import torch
from torch import nn

from fetalclip.errors import BadRecipe
from fetalclip.models.dense import MaskDecoder
from fetalclip.models.tokenizer import Tokenizer

_WAVES, _LONGEST, _SHORTEST = 16, 15.0, 0.5  # wave lengths in units of the logarithm of 1 + number
_SWING = 0.25  # of the waves; other entries start at a deviation of 0.02


def start_numbers(embedding: nn.Embedding, tokenizer: Tokenizer) -> None:
    """Let the tokens that are whole numbers start alike when their numbers are: waves along the logarithm.

    What is learned of one number is then half learned of its neighbours; from a random start each of some hundred
    numbers must be met many times.

    Args:
        embedding: the text tower's; of a number's row as many entries as there are waves are set, or all it has.
        tokenizer: which token is which number.
    """
    lengths = torch.logspace(math.log10(_LONGEST), math.log10(_SHORTEST), min(_WAVES, embedding.embedding_dim // 2))
    with torch.no_grad():
        for token, row in tokenizer.engine.get_vocab().items():
            if re.fullmatch(r"\d{1,6}", word := token.removeprefix("Ġ"), re.ASCII):
                phase = 2 * math.pi * math.log1p(int(word)) / lengths
                embedding.weight[row, : 2 * len(lengths)] = _SWING * torch.cat([phase.cos(), phase.sin()])


def start_decoder(decoder: MaskDecoder, trained: MaskDecoder) -> None:
    """Let a decoder start at a trained one's weights, but for the last layer where it draws more or fewer structures.

    Raises:
        BadRecipe: they are not of one shape.
    """
    same = decoder.config.structures == trained.config.structures
    state = {name: value for name, value in trained.state_dict().items() if same or not name.startswith("logits.")}
    own = decoder.state_dict()
    odd = sorted(name for name, value in state.items() if name not in own or own[name].shape != value.shape)
    if odd:
        raise BadRecipe(f"model.start of another shape ({odd[0]})", "a head on the same encoder, of the same widths")
    decoder.load_state_dict(state, strict=False)


def blend_decoder(decoder: MaskDecoder, start: MaskDecoder, share: float) -> None:
    """Put the weighted mean of both decoders' weights into the first.

    Raises:
        BadRecipe: they are not of one shape, the last layer included.
    """
    if decoder.config != start.config:
        raise BadRecipe("model.blend with a start of another shape", "a start with the same structures and widths")
    own, other = decoder.state_dict(), start.state_dict()
    decoder.load_state_dict({name: (1 - share) * value + share * other[name].to(value) for name, value in own.items()})
