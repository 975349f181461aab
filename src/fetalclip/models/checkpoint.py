"""Other people's weight files: a safetensors file, or a PyTorch checkpoint that holds arrays and nothing else."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from fetalclip.errors import BadCheckpoint
from fetalclip.models.weights import mapped

_INNER = ("state_dict", "model_state_dict", "model")
_MAX_BYTES = 32 * 2**30


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The arrays of a checkpoint by name.

    A pickled file is read by torch's ``weights_only`` reader, which builds arrays and refuses whatever would run code.

    Args:
        path: ``.safetensors``, or what ``torch.save`` wrote (``.pt``, ``.pth``, ``.bin``); told by content.

    Raises:
        BadCheckpoint: missing, empty, damaged, with code in it, a TorchScript archive, or no table of arrays.
    """
    first, size = _look(path)
    if size > _MAX_BYTES:
        raise BadCheckpoint(f"{path.name} of {size} bytes", f"at most {_MAX_BYTES} bytes")
    if _is_safetensors(first, size):
        try:
            return mapped(path)
        except (SafetensorError, ValueError, KeyError, OSError) as error:
            raise _broken(path, size, type(error).__name__) from None
    if not (zipfile.is_zipfile(path) or first.startswith(b"\x80")):
        if first.startswith(b"PK"):
            raise _broken(path, size, "an archive without its end: partly downloaded?")
        raise BadCheckpoint(f"{path.name} is no weight file", "safetensors, or a checkpoint written by torch.save")
    return _table(_unpickle(path, size), path)


def _look(path: Path) -> tuple[bytes, int]:
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            first = stream.read(16)
    except OSError as error:
        fix = "--weights FILE"
        raise BadCheckpoint(f"{path.name} cannot be read ({error.strerror})", "a weight file", fix) from None
    if not size:
        raise BadCheckpoint(f"{path.name} is empty", "a weight file", "download it again")
    return first, size


def _is_safetensors(first: bytes, size: int) -> bool:
    header = int.from_bytes(first[:8], "little")
    return len(first) > 8 and first[8:9] == b"{" and 2 <= header <= 100_000_000 and header < size + 100_000_000


def _unpickle(path: Path, size: int) -> Any:
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise _broken(path, size, type(error).__name__) from None
        if any("/code/" in name or name.endswith("constants.pkl") for name in names):
            found = f"{path.name} is a TorchScript archive, which is code"
            raise BadCheckpoint(found, "a table of arrays", "torch.save(model.state_dict(), FILE) where it came from")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        if "weights_only" in str(error) or "Unsupported" in str(error):
            found = f"{path.name} holds more than arrays, as code does, or is damaged; it was not loaded"
            fix = "torch.save(model.state_dict(), FILE) where it came from, or safetensors"
            raise BadCheckpoint(found, "a checkpoint of arrays alone", fix) from None
        raise _broken(path, size, type(error).__name__) from None


def _table(found: Any, path: Path) -> dict[str, Tensor]:
    for _ in range(3):
        inner = next(
            (found[k] for k in _INNER if isinstance(found, Mapping) and isinstance(found.get(k), Mapping)), None
        )
        if inner is None:
            break
        found = inner
    if not isinstance(found, Mapping) or not found or not all(isinstance(name, str) for name in found):
        raise BadCheckpoint(f"{path.name} holds a {type(found).__name__}", "a state dict: names and arrays")
    odd = [name for name, value in found.items() if not isinstance(value, Tensor)]
    if odd:
        raise BadCheckpoint(f"{path.name} has {len(odd)} entries that are no arrays ({odd[0]:.60})", "a state dict")
    return dict(found)


def _broken(path: Path, size: int, why: str) -> BadCheckpoint:
    return BadCheckpoint(f"{path.name} ({size} bytes) is not whole ({why})", "a whole weight file", "download it again")
