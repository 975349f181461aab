"""How long a heavy model will take, told before it takes it."""

from __future__ import annotations

import time

import torch

from fetalclip.encoder.engine import PRECISIONS, Encoder
from fetalclip.models.vit import ViTConfig

_HEAVY = 100_000_000  # parameters from which a line is worth its 50 ms
_SIDE = 1024  # of the trial product: as wide as the layers of a large tower


def expected_time(name: str, encoder: Encoder) -> str:
    """One line: size, seconds per picture, device; empty for a model that is quick anywhere.

    The time is the tower's multiplications at the speed of a trial product on this device.
    """
    count = sum(p.numel() for p in encoder.model.parameters())
    image = getattr(getattr(encoder.model, "architecture", None), "image", None)
    if count < _HEAVY or not isinstance(image, ViTConfig):
        return ""
    work = multiplications(image) / rate(encoder.device, encoder.precision)
    seconds = f"{work:.1f} s" if work >= 0.1 else f"{1000 * work:.0f} ms"
    threads = f", {torch.get_num_threads()} threads" if encoder.device == "cpu" else ""
    where = f"{encoder.device}{threads}, {encoder.precision}"
    return f"{name}: {count / 1e6:.0f} million parameters; about {seconds} a picture here ({where})."


def multiplications(image: ViTConfig) -> float:
    """Multiply-adds of one picture through a vision transformer."""
    tokens, width = image.grid**2 + 1, image.width
    block = tokens * width * width * (4 + 2 * image.mlp_ratio) + 2 * tokens * tokens * width
    return image.layers * block + image.grid**2 * width * 3 * image.patch_size**2


@torch.inference_mode()
def rate(device: str, precision: str) -> float:
    """Multiply-adds per second of a square product, best of three."""
    a = torch.randn(_SIDE, _SIDE, device=device, dtype=PRECISIONS[precision])
    best = float("inf")
    for _ in range(4):  # the first warms up
        began = time.perf_counter()
        (a @ a).sum().item()  # waits for the device
        best = min(best, time.perf_counter() - began)
    return _SIDE**3 / best
