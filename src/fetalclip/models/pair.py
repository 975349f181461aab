"""The dual encoder: an image tower and a text tower that meet in one joint space."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from fetalclip.errors import BadCheckpoint
from fetalclip.models.efficientnet import EfficientNetLite
from fetalclip.models.text import TextTower


@dataclass(frozen=True)
class ImageConfig:
    """Shape of the image tower; ``kind`` names its file."""

    kind: str = "efficientnet-lite0"


@dataclass(frozen=True)
class TextConfig:
    """Shape of the text tower."""

    context_length: int = 117
    vocab_size: int = 2048
    width: int = 256
    layers: int = 4
    heads: int = 4


@dataclass(frozen=True)
class Architecture:
    """Shape of the whole pair, as it stands in ``config.json``."""

    embed_dim: int = 256
    image: ImageConfig = field(default_factory=ImageConfig)
    text: TextConfig = field(default_factory=TextConfig)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Architecture:
        """From ``config.json``'s ``architecture``.

        Raises:
            BadCheckpoint: a key is missing or unknown, or a value is not a sensible size.
        """
        try:
            image, text = ImageConfig(**data["image"]), TextConfig(**data["text"])
            found = cls(int(data["embed_dim"]), image, text)
            sizes = [found.embed_dim, *asdict(text).values()]
        except (KeyError, TypeError, ValueError) as error:
            raise BadCheckpoint(f"an architecture that does not fit ({error})", "embed_dim, image and text") from None
        sane = all(isinstance(n, int) and 1 <= n <= 100_000 for n in sizes) and text.layers <= 512
        if not sane or text.width % text.heads:
            raise BadCheckpoint("an architecture with impossible sizes", "whole numbers, width divisible by heads")
        if image.kind not in IMAGE_TOWERS:
            raise BadCheckpoint(f"an image tower of kind {image.kind!r}", "one of " + ", ".join(IMAGE_TOWERS))
        return found

    def to_dict(self) -> dict[str, Any]:
        """The form that stands in ``config.json``."""
        return asdict(self)


IMAGE_TOWERS = {"efficientnet-lite0": EfficientNetLite}


class DualEncoder(nn.Module):
    """Image tower, text tower and the scale of their dot products.

    Args:
        architecture: shapes of both towers.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.visual = IMAGE_TOWERS[architecture.image.kind](architecture.embed_dim)
        self.text = TextTower(architecture.embed_dim, **asdict(architecture.text))
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def encode_image(self, images: Tensor, normalize: bool = True) -> Tensor:
        """(B, 3, S, S) to (B, embed_dim); unit length unless ``normalize`` is False."""
        raw = self.visual(images)
        return nn.functional.normalize(raw, dim=-1) if normalize else raw

    def encode_text(self, tokens: Tensor, end: Tensor, normalize: bool = True) -> Tensor:
        """(B, N) ids and (B,) end positions to (B, embed_dim); unit length unless ``normalize`` is False."""
        raw = self.text(tokens, end)
        return nn.functional.normalize(raw, dim=-1) if normalize else raw
