"""A CLIP checkpoint of OpenCLIP or transformers into a model folder of this package, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from fetalclip.cards import Card, read_json
from fetalclip.config import MODEL_SCHEMA, check_config
from fetalclip.disk import appearing, free_bytes
from fetalclip.errors import BadCheckpoint, OutputError, UsageError
from fetalclip.models import openclip, positions, transformers_clip
from fetalclip.models.checkpoint import read_checkpoint
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.text import TextTower
from fetalclip.models.tokenizer import Tokenizer
from fetalclip.models.verified import compute, remember
from fetalclip.models.weights import load_folder, load_strictly

WEIGHTS = "model.safetensors"
VOCABULARY = 49408
_SHORT = ("fetal brain", "an ultrasound image of the fetal abdomen", "a photograph", "four-chamber view of the heart")
_TABLE = "text.positional_embedding"


@dataclass(frozen=True)
class ConvertReport:
    """What a conversion did.

    Attributes:
        folder: the model folder that was written.
        parameters: number of parameters.
        positions: rows of the text position table, before and after.
        cosine: of each way of resizing it, the lowest cosine between the features of short texts before and after;
            empty when it was not resized.
        notes: what the user should know.
    """

    folder: Path
    parameters: int
    positions: tuple[int, int]
    cosine: Mapping[str, float]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "schema": "fetalclip.convert/1",
            "folder": str(self.folder),
            "parameters": self.parameters,
            "positions": {"before": self.positions[0], "after": self.positions[1], "cosine": dict(self.cosine)},
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Wanted:
    """How the folder should come out.

    Attributes:
        context_length: rows of the text position table; None keeps them.
        positions: how they are resized, ``keep`` or ``linear``.
        name, summary, license: of the card; the folder's name when ``name`` is empty.
    """

    context_length: int | None = None
    positions: str = "keep"
    name: str = ""
    summary: str = ""
    license: str = "unknown"


def convert(config: Path, weights: Path, out: Path, wanted: Wanted | None = None) -> ConvertReport:
    """Turn a config and a checkpoint into a model folder; nothing is left behind when it fails.

    Args:
        config: OpenCLIP's JSON (plain or with ``model_cfg``), or the ``config.json`` of a ``transformers`` CLIP.
        weights: its ``.pt`` or ``.safetensors``.
        out: the folder to make; it must not hold anything yet.
        wanted: see `Wanted`.

    Raises:
        BadCheckpoint: config or weights are damaged, do not fit each other, or are of another kind of model.
        OutputError: the folder cannot be written, or the disk is too full.
    """
    wanted = wanted or Wanted()
    _free(out, 0)
    data = read_json(config)
    if transformers_clip.is_transformers_config(data):
        architecture = transformers_clip.architecture_of(data)
        state = openclip.rename(transformers_clip.from_transformers(read_checkpoint(weights)))
    else:
        architecture = openclip.from_openclip_config(data)
        state = openclip.rename(read_checkpoint(weights))
    if architecture.text.vocab_size != VOCABULARY:
        found = f"a vocabulary of {architecture.text.vocab_size} tokens"
        raise BadCheckpoint(found, f"CLIP's {VOCABULARY}: another tokenizer would read other words")
    mean, std, notes = openclip.preprocess_config(data)
    _fit(architecture, state, weights)
    rows = architecture.text.context_length
    architecture, state, cosine = _resized(architecture, state, wanted)
    folder_config = _config(architecture, (mean, std), wanted, out)
    _write(out, folder_config, state, Tokenizer.clip(architecture.text.context_length))
    parameters = sum(value.numel() for value in state.values())
    return ConvertReport(out, parameters, (rows, architecture.text.context_length), cosine, tuple(notes))


def export_openclip(card: Card, out: Path) -> Path:
    """Write a model as OpenCLIP reads it from a local folder (``open_clip.create_model("local-dir:OUT")``).

    Raises:
        UsageError: an image tower OpenCLIP does not have.
        OutputError: the folder cannot be written.
    """
    architecture, state = _opened(card)
    config = openclip.to_openclip_config(architecture, card.config["preprocess"])
    return _export(out, openclip.unname(state), {"open_clip_config.json": config}, "open_clip_model.safetensors")


def export_transformers(card: Card, out: Path) -> Path:
    """Write a model as ``transformers.CLIPModel.from_pretrained(OUT)`` reads it.

    Raises:
        UsageError: an image tower CLIPModel does not have.
        OutputError: the folder cannot be written.
    """
    architecture, state = _opened(card)
    config = transformers_clip.config_of(architecture)
    return _export(out, transformers_clip.to_transformers(openclip.unname(state)), {"config.json": config}, WEIGHTS)


def _opened(card: Card) -> tuple[Architecture, dict[str, Tensor]]:
    card = card.require()
    if card.folder is None:
        raise UsageError(f"{card.name}, which has no folder", "a model folder", "fetalclip models list")
    model, _ = load_folder(card.folder, card.config)
    return model.architecture, model.state_dict()


def _fit(architecture: Architecture, state: Mapping[str, Tensor], weights: Path) -> None:
    """Every name of the architecture is there, no other, each of its shape."""
    with torch.device("meta"):
        model = DualEncoder(architecture)
    odd = [name for name, value in state.items() if not value.is_floating_point()]
    if odd:
        raise BadCheckpoint(f"{weights.name}: {odd[0]} is not of floating point", "weights")
    load_strictly(model, state, weights.name)


def _resized(
    architecture: Architecture, state: dict[str, Tensor], wanted: Wanted
) -> tuple[Architecture, dict[str, Tensor], dict[str, float]]:
    rows = wanted.context_length or architecture.text.context_length
    table = state[_TABLE]
    made = positions.resize(table, rows, wanted.positions)
    if rows == len(table):
        return architecture, state, {}
    cosine = {way: _cosine(architecture, state, positions.resize(table, rows, way)) for way in positions.WAYS}
    data = architecture.to_dict()
    data["text"]["context_length"] = rows
    return Architecture.from_dict(data), {**state, _TABLE: made}, cosine


@torch.inference_mode()
def _cosine(architecture: Architecture, state: Mapping[str, Tensor], table: Tensor) -> float:
    """Lowest cosine between the features of short texts under the checkpoint's own table and under another."""
    with torch.device("meta"):
        tower = TextTower(architecture.text, architecture.embed_dim)
    own = {name.removeprefix("text."): value.float() for name, value in state.items() if name.startswith("text.")}
    shortest = min(architecture.text.context_length, len(table))
    ids, end = Tokenizer.clip(shortest)(_SHORT)
    found = []
    for rows in (own["positional_embedding"], table.float()):
        tower.load_state_dict({**own, "positional_embedding": rows[:shortest]}, assign=True, strict=False)
        found.append(_features(tower, ids, end))
    before, after = found
    return float(torch.nn.functional.cosine_similarity(before, after).min())


def _features(tower: TextTower, ids: Tensor, end: Tensor) -> Tensor:
    found: Tensor = tower.eval()(ids, end)
    return found


def _config(
    architecture: Architecture, normalised: tuple[tuple[float, ...], tuple[float, ...]], wanted: Wanted, out: Path
) -> dict[str, Any]:
    image = architecture.to_dict()["image"]
    return {
        "schema": MODEL_SCHEMA,
        "name": wanted.name or out.name,
        "summary": wanted.summary or "A CLIP checkpoint, converted. Not calibrated: its probabilities are raw.",
        "license": wanted.license,
        "architecture": architecture.to_dict(),
        "tokenizer": {"cleaning": "clip"},
        "preprocess": {
            "image_size": image["image_size"],
            "mean": list(normalised[0]),
            "std": list(normalised[1]),
            "colour": True,
            "overlay": "keep",
        },
        "planes": {"prompts": "planes-9", "temperature": 1.0, "outlier_threshold": 1.0, "min_probability": 0.0},
        "training": {},
        "results": {},
    }


def _write(out: Path, config: dict[str, Any], state: Mapping[str, Tensor], tokenizer: Tokenizer) -> None:
    words = {"tokenizer.json": tokenizer.to_json(), "README.md": _readme(config)}

    def finish(folder: Path) -> None:
        sha256 = compute(folder / WEIGHTS)
        whole = {**config, "weights": {"file": WEIGHTS, "sha256": sha256}}
        check_config(whole)
        (folder / "config.json").write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", "utf-8")

    _folder(out, openclip.unname(state), words, WEIGHTS, finish)
    remember(out / WEIGHTS, read_json(out / "config.json")["weights"]["sha256"])


def _export(out: Path, state: Mapping[str, Tensor], configs: Mapping[str, Any], weights: str) -> Path:
    texts = {name: json.dumps(config, indent=2) + "\n" for name, config in configs.items()}
    _folder(out, state, texts, weights, lambda folder: None)
    return out


def _folder(out: Path, state: Mapping[str, Tensor], texts: Mapping[str, str], weights: str, finish: Any) -> None:
    """Write a folder beside its place and move it there when it is whole."""
    _free(out, sum(value.numel() * value.element_size() for value in state.values()))
    try:
        with appearing(out) as part:
            save_file({name: value.contiguous() for name, value in state.items()}, part / weights, {"format": "pt"})
            (part / weights).chmod(part.stat().st_mode & 0o666)  # safetensors leaves it to its owner alone
            for name, text in texts.items():
                (part / name).write_text(text, "utf-8")
            finish(part)
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise OutputError(f"{out} cannot be written ({why})", "a writable folder with room", "--out DIR") from None


def _free(out: Path, size: int) -> None:
    """Look whether the folder may be made and the disk has room.

    Raises:
        OutputError: it holds something, is a file, or the disk is too full.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"--out {out} is there already", "a new folder", f"--out {out}-2")
    free = free_bytes(out)
    if free < size * 1.05:
        raise OutputError(f"{free / 1e9:.1f} GB free for {size / 1e9:.1f} GB of weights", "more room", "--out DIR")


def _readme(config: Mapping[str, Any]) -> str:
    return (
        f"# {config['name']}\n\n{config['summary']}\n\nLicence of the weights: {config['license']}.\n\n"
        "Research software. Not a medical device: do not use it for diagnosis or treatment.\n"
    )
