"""Weights in and out: a model folder is ``config.json``, ``model.safetensors``, ``tokenizer.json``, ``README.md``.

Only safetensors is read here, which holds arrays and no code. Loading is strict: a missing, unexpected or
wrongly shaped name is an error that lists them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as read_tensors
from safetensors.torch import save as write_tensors
from torch import Tensor
from torch.overrides import TorchFunctionMode

from fetalclip.disk import replacing
from fetalclip.errors import BadCheckpoint, OutputError
from fetalclip.models.openclip import rename
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.tokenizer import Tokenizer
from fetalclip.models.verified import hash_of

MAPPED_FROM = 64 * 2**20  # bytes: a larger file is mapped, not read
_MAX_BYTES = 8 * 2**30


def load_folder(folder: Path, config: Mapping[str, Any]) -> tuple[DualEncoder, Tokenizer]:
    """Build the model of a folder and fill it.

    Nothing is allocated for the towers: their parameters are the file's own arrays. Of a large file those are mapped
    pages, read when a tower is first used, in the number type they are stored in; ``Encoder`` brings a tower to the
    type it computes in.

    Args:
        folder: the model folder.
        config: its checked ``config.json``.

    Raises:
        BadCheckpoint: a file is missing, damaged, not the one the config names, or of another shape.
    """
    architecture = Architecture.from_dict(dict(config["architecture"]))
    cleaning = config.get("tokenizer", {}).get("cleaning")
    tokenizer = Tokenizer.load(_file(folder, "tokenizer.json"), architecture.text.context_length, cleaning)
    if tokenizer.vocab_size > architecture.text.vocab_size:
        raise BadCheckpoint(
            f"a tokenizer of {tokenizer.vocab_size} tokens in {folder.name}", f"{architecture.text.vocab_size} at most"
        )
    state = read_state(_file(folder, config["weights"]["file"]), config["weights"]["sha256"])
    if "token_embedding.weight" in state:  # OpenCLIP's names, with the text tower at the root
        state = rename(state)
    with torch.device("meta"), _Unfilled():
        model = DualEncoder(architecture)
    load_strictly(model, state, folder.name)
    return model.eval(), tokenizer


class _Unfilled(TorchFunctionMode):
    """Modules without first values: the file brings them, and on ``meta`` asking for them loads sympy (0.8 s)."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The call itself, unless it fills a tensor."""
        if getattr(func, "__module__", "") == "torch.nn.init" or func in (torch.Tensor.normal_, torch.Tensor.uniform_):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def read_state(path: Path, sha256: str = "") -> dict[str, Tensor]:
    """The arrays of a safetensors file, after checking its hash.

    A file of up to 64 MiB is read whole, as float32. A larger one is mapped and keeps its number types; its hash is
    computed the first time it is seen here and again when its size or date has changed.

    Raises:
        BadCheckpoint: unreadable, too large, or another file than the hash names.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise BadCheckpoint(f"{path.name} of {size} bytes", f"at most {_MAX_BYTES} bytes")
        data = path.read_bytes() if size <= MAPPED_FROM else None
        found = hash_of(path) if data is None and sha256 else hashlib.sha256(data or b"").hexdigest()
    except OSError as error:
        raise BadCheckpoint(f"{path.name} cannot be read ({error.strerror})", "a safetensors file") from None
    if sha256 and found != sha256.lower():
        raise BadCheckpoint(
            f"{path.name} has sha256 {found[:12]}…, {size} bytes",
            f"{sha256[:12]}…, the hash its config names (the file is truncated or another one)",
            "install the package or copy the model folder again",
        )
    try:
        if data is None:
            return mapped(path)
        state = read_tensors(data)
    except (SafetensorError, ValueError, KeyError, OSError) as error:
        kind = type(error).__name__
        raise BadCheckpoint(f"{path.name} is not whole ({kind})", "a safetensors file", "copy it again") from None
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def mapped(path: Path) -> dict[str, Tensor]:
    """The arrays of a safetensors file as mapped pages, nothing read yet."""
    with safe_open(path, framework="pt", device="cpu") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a mapping)


def load_strictly(model: torch.nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Fill a module; every name must be there, no other, each of the right shape.

    Raises:
        BadCheckpoint: lists the names that do not fit.
    """
    expected = model.state_dict()
    missing = sorted(set(expected) - set(state))
    unexpected = sorted(set(state) - set(expected))
    misshapen = sorted(n for n in set(state) & set(expected) if state[n].shape != expected[n].shape)
    odd = {"missing": missing, "unexpected": unexpected, "of another shape": misshapen}
    said = [f"{len(n)} {word} ({', '.join(n[:5])}{' …' if len(n) > 5 else ''})" for word, n in odd.items() if n]
    if said:
        raise BadCheckpoint(f"weights in {where}: " + "; ".join(said), "exactly the names of the architecture")
    model.load_state_dict(dict(state), assign=any(value.is_meta for value in expected.values()))


def save_folder(model: DualEncoder, tokenizer: Tokenizer, config: dict[str, Any], folder: Path, readme: str) -> Path:
    """Write a model folder: float16 weights, config with their hash, tokenizer and card.

    The config is written last, so that a folder cut short has none and does not load.

    Raises:
        OutputError: the folder cannot be written.
    """
    state = {name: value.detach().cpu().half().contiguous() for name, value in model.state_dict().items()}
    data = write_tensors(state, metadata={"format": "pt"})
    config = {**config, "weights": {"file": "model.safetensors", "sha256": hashlib.sha256(data).hexdigest()}}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / "model.safetensors", data)
        _replace(folder / "tokenizer.json", tokenizer.to_json().encode())
        _replace(folder / "README.md", readme.encode())
        _replace(folder / "config.json", (json.dumps(config, indent=1, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        found = f"the model folder {folder} cannot be written ({error.strerror})"
        raise OutputError(found, "a writable folder") from None
    return folder


def _replace(path: Path, data: bytes) -> None:
    with replacing(path) as part:
        part.write_bytes(data)


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    if Path(name).name != name or not path.is_file():
        found = f"no file {name!r} in {folder.name}"
        raise BadCheckpoint(found, "a model folder that is whole", "fetalclip models list")
    return path
