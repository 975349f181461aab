"""EfficientNet-Lite0 as ImageNet left it, for comparison: pooled features of 1280 numbers, no words.

Pictures are shown to it as to the bundled model, which starts from these weights: what a probe on both differs by is
what training on ultrasound has brought.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fetalclip.encoder.engine import Normalisation
from fetalclip.encoder.foreign import Towers
from fetalclip.foreign import IMAGENET, Foreign
from fetalclip.models.efficientnet import HEAD_CHANNELS, EfficientNetLite, LiteConfig
from fetalclip.models.imagenet import load_imagenet

SIZE = 192  # pixels, as the bundled model
MEAN, STD = (0.498, 0.498, 0.498), (0.502, 0.502, 0.502)  # (x - 127) / 128, what the weights were trained with
MIRROR = True  # as the bundled model


class Features(nn.Module):
    """The tower up to its pooled features; there is no projection."""

    def __init__(self) -> None:
        super().__init__()
        tower = EfficientNetLite(LiteConfig(), 1)
        load_imagenet(tower)
        del tower.proj  # random, and of no use here
        self.tower = tower

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) to (B, 1280)."""
        return self.tower.features(images)


def open_towers(found: Foreign) -> Towers:
    """The towers of ``imagenet``.

    Raises:
        MissingPackage: the package that carries the weights is not installed.
        BadCheckpoint: it does not hold this tower.
    """
    assert found.kind == IMAGENET
    with torch.random.fork_rng(devices=[]):
        features = Features()
    told = {"embed_dim": HEAD_CHANNELS, "image": {"kind": "efficientnet-lite0"}}
    return Towers(features.eval(), Normalisation(SIZE, MEAN, STD, MIRROR), engine=IMAGENET, told=told)
