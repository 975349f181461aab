"""The hash by which a head knows its encoder: of the image tower's blocks, whatever file they came in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

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
    return _digest(state, _LATER)


def embedding_sha256(state: Mapping[str, Tensor], shown: str) -> str:
    """SHA-256 of everything an embedding comes from, for heads on embeddings: the projection into the joint space too.

    Args:
        state: as of `tower_sha256`.
        shown: how a picture is shown to the tower (side, normalisation), as words.
    """
    return hashlib.sha256(f"{_digest(state, ())};{shown}".encode()).hexdigest()


def _digest(state: Mapping[str, Tensor], without: Sequence[str]) -> str:
    names = {name.removeprefix(_PREFIX): value for name, value in state.items() if name.startswith(_PREFIX)}
    digest = hashlib.sha256()
    for name, value in sorted((names or dict(state)).items()):
        if name in without:
            continue
        half = value.detach().to(device="cpu", dtype=torch.float16).contiguous()
        digest.update(f"{name}{tuple(half.shape)};".encode())
        digest.update(half.numpy().tobytes())
    return digest.hexdigest()
