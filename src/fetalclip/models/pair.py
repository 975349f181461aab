"""The dual encoder: an image tower and a text tower that meet in one joint space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from fetalclip.errors import BadCheckpoint
from fetalclip.models.efficientnet import EfficientNetLite, LiteConfig
from fetalclip.models.text import TextConfig, TextTower
from fetalclip.models.vit import VisionTransformer, ViTConfig

ImageConfig = LiteConfig | ViTConfig

# Kind of image tower, as it stands in config.json: its config and its module.
IMAGE_TOWERS: dict[str, tuple[type[ImageConfig], Any]] = {
    "efficientnet-lite0": (LiteConfig, EfficientNetLite),
    "vit": (ViTConfig, VisionTransformer),
}


@dataclass(frozen=True)
class Architecture:
    """Shape of the whole pair, as it stands in ``config.json``."""

    embed_dim: int = 256
    image: ImageConfig = field(default_factory=LiteConfig)
    text: TextConfig = field(default_factory=TextConfig)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Architecture:
        """From ``config.json``'s ``architecture``.

        Raises:
            BadCheckpoint: a key is missing or unknown, or a value is not a sensible size.
        """
        try:
            kind = data["image"]["kind"]
            if kind not in IMAGE_TOWERS:
                raise BadCheckpoint(f"an image tower of kind {kind!r:.100}", "one of " + ", ".join(IMAGE_TOWERS))
            found = cls(data["embed_dim"], IMAGE_TOWERS[kind][0](**data["image"]), TextConfig(**data["text"]))
        except (KeyError, TypeError, ValueError) as error:
            raise BadCheckpoint(f"an architecture that does not fit ({error})", "embed_dim, image and text") from None
        found._check()
        return found

    def _check(self) -> None:
        towers = [asdict(self.image), asdict(self.text)]
        sizes = [n for tower in towers for name, n in tower.items() if name not in ("kind", "mlp_ratio")]
        ratios = [tower["mlp_ratio"] for tower in towers if "mlp_ratio" in tower]
        whole = all(type(n) is int and 1 <= n <= 1_000_000 for n in [self.embed_dim, *sizes])
        sane = whole and all(type(r) in (int, float) and 0 < r <= 64 for r in ratios)
        if not sane or any(n > 512 for tower in towers for n in [tower.get("layers", 1)]):
            raise BadCheckpoint("an architecture with impossible sizes", "whole numbers and at most 512 layers")
        for tower in towers:
            if tower.get("width", 0) % tower.get("heads", 1):
                raise BadCheckpoint(f"a tower of width {tower['width']} with {tower['heads']} heads", "a divisor")
        if isinstance(self.image, ViTConfig) and self.image.image_size % self.image.patch_size:
            found = f"pictures of {self.image.image_size} pixels in patches of {self.image.patch_size}"
            raise BadCheckpoint(found, "a side that the patch divides")

    def to_dict(self) -> dict[str, Any]:
        """The form that stands in ``config.json``."""
        return asdict(self)


class DualEncoder(nn.Module):
    """Image tower, text tower and the scale of their dot products.

    Args:
        architecture: shapes of both towers.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.visual = IMAGE_TOWERS[architecture.image.kind][1](architecture.image, architecture.embed_dim)
        self.text = TextTower(architecture.text, architecture.embed_dim)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def encode_image(self, images: Tensor, normalize: bool = True, seeds: Tensor | None = None) -> Tensor:
        """(B, 3, S, S) to (B, embed_dim); unit length unless ``normalize`` is False.

        Args:
            images: (B, 3, S, S).
            normalize: to unit length.
            seeds: (B,) int64, in training: what each picture's drops are drawn from; None: nothing is dropped.
        """
        raw: Tensor = self.visual(images) if seeds is None else self.visual(images, seeds)
        return nn.functional.normalize(raw, dim=-1) if normalize else raw

    def encode_text(self, tokens: Tensor, end: Tensor, normalize: bool = True) -> Tensor:
        """(B, N) ids and (B,) end positions to (B, embed_dim); unit length unless ``normalize`` is False."""
        raw: Tensor = self.text(tokens, end)
        return nn.functional.normalize(raw, dim=-1) if normalize else raw


def image_tower(architecture: Architecture) -> nn.Module:
    """An image tower alone, with random weights."""
    tower: nn.Module = IMAGE_TOWERS[architecture.image.kind][1](architecture.image, architecture.embed_dim)
    return tower
