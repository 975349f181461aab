"""The hash by which a head knows its encoder: of the image tower's blocks, whatever file they came in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

_PREFIX = "visual."
_LATER = ("proj", "proj.weight")  # into the joint space: after everything a mask is made from


def tower_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of an image tower as 64 hex digits.

    Names, shapes and float16 values are hashed, so a tower in memory and the same one saved in half precision agree,
    and a text tower or a projection that is trained again changes nothing. Two towers that differ by less than half
    precision are taken for the same.

    Args:
        state: the tower's own names, or a model's, of which those under ``visual.`` count.
    """
    names = {name.removeprefix(_PREFIX): value for name, value in state.items() if name.startswith(_PREFIX)}
    digest = hashlib.sha256()
    for name, value in sorted((names or dict(state)).items()):
        if name in _LATER:
            continue
        half = value.detach().to(device="cpu", dtype=torch.float16).contiguous()
        digest.update(f"{name}{tuple(half.shape)};".encode())
        digest.update(half.numpy().tobytes())
    return digest.hexdigest()
