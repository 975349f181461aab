"""Weights in and out: a model folder is ``config.json``, ``model.safetensors``, ``tokenizer.json``, ``README.md``.

Only safetensors is read here, which holds arrays and no code. Loading is strict: a missing, unexpected or
wrongly shaped name is an error that lists them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_tensors
from safetensors.torch import save as write_tensors
from torch import Tensor

from fetalclip.errors import BadCheckpoint, OutputError
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.tokenizer import Tokenizer

_MAX_BYTES = 8 * 2**30


def load_folder(folder: Path, config: Mapping[str, Any]) -> tuple[DualEncoder, Tokenizer]:
    """Build the model of a folder and fill it.

    Args:
        folder: the model folder.
        config: its checked ``config.json``.

    Raises:
        BadCheckpoint: a file is missing, damaged, not the one the config names, or of another shape.
    """
    architecture = Architecture.from_dict(dict(config["architecture"]))
    tokenizer = Tokenizer.load(_file(folder, "tokenizer.json"), architecture.text.context_length)
    if tokenizer.vocab_size > architecture.text.vocab_size:
        raise BadCheckpoint(
            f"a tokenizer of {tokenizer.vocab_size} tokens in {folder.name}", f"{architecture.text.vocab_size} at most"
        )
    state = read_state(_file(folder, config["weights"]["file"]), config["weights"]["sha256"])
    _check_sizes(architecture, state, folder.name)
    model = DualEncoder(architecture)
    load_strictly(model, state, folder.name)
    return model.eval(), tokenizer


def read_state(path: Path, sha256: str = "") -> dict[str, Tensor]:
    """Read a safetensors file as float32, after checking its hash.

    Raises:
        BadCheckpoint: unreadable, too large, or another file than the hash names.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadCheckpoint(f"{path.name} of {path.stat().st_size} bytes", f"at most {_MAX_BYTES} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise BadCheckpoint(f"{path.name} cannot be read ({error.strerror})", "a safetensors file") from None
    found = hashlib.sha256(data).hexdigest()
    if sha256 and found != sha256.lower():
        raise BadCheckpoint(
            f"{path.name} has sha256 {found[:12]}…, {len(data)} bytes",
            f"{sha256[:12]}…, the hash its config names (the file is truncated or another one)",
            "install the package or copy the model folder again",
        )
    try:
        state = read_tensors(data)
    except (SafetensorError, ValueError, KeyError) as error:
        kind = type(error).__name__
        raise BadCheckpoint(f"{path.name} is not whole ({kind})", "a safetensors file", "copy it again") from None
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def _check_sizes(architecture: Architecture, state: Mapping[str, Tensor], where: str) -> None:
    """Compare the sizes a config asks for with the weights before memory is taken for them."""
    text = architecture.text
    expected = {
        "visual.proj.weight": (architecture.embed_dim, None),
        "text.token_embedding.weight": (text.vocab_size, text.width),
        "text.positional_embedding": (text.context_length, text.width),
        "text.text_projection": (text.width, architecture.embed_dim),
    }
    for name, sizes in expected.items():
        shape = tuple(state[name].shape) if name in state else sizes  # a missing name is told by load_strictly
        if len(shape) != 2 or any(want is not None and want != n for n, want in zip(shape, sizes, strict=True)):
            raise BadCheckpoint(f"weights in {where}: {name} of shape {shape}", f"{sizes}, as its config says")
    layers = sum(name.startswith("text.transformer.") and name.endswith(".ln_1.weight") for name in state)
    if layers != text.layers:
        raise BadCheckpoint(f"weights in {where} with {layers} text layers", f"{text.layers}, as its config says")


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
    model.load_state_dict(dict(state))


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
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(path)


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    if Path(name).name != name or not path.is_file():
        found = f"no file {name!r} in {folder.name}"
        raise BadCheckpoint(found, "a model folder that is whole", "fetalclip models list")
    return path
