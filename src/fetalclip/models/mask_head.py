"""A head that draws masks, as a folder: ``config.json``, ``model.safetensors``, ``README.md`` (the card).

One folder holds one structure set. The config names the encoder the head was trained on by the hash of its image tower
(`fetalclip.models.fingerprint`): on another one the head's masks would mean nothing, so it is refused. A head whose
encoder was trained with it carries that encoder and asks nothing of the model's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as write_tensors
from torch import Tensor, nn

from fetalclip.caliper import SHAPES
from fetalclip.cards import read_json
from fetalclip.config import Checker, check_head
from fetalclip.disk import replacing
from fetalclip.errors import BadCheckpoint, OutputError
from fetalclip.models.dense import LEVELS, DecoderConfig, MaskDecoder
from fetalclip.models.pair import Architecture, image_tower
from fetalclip.models.weights import load_strictly, read_state

HEAD_SCHEMA = "fetalclip.head/1"
MAX_BYTES = 8 * 2**20  # of a head that carries no encoder
_ENCODER, _DECODER = "encoder.", "decoder."


@dataclass(frozen=True)
class HeadConfig:
    """What a head is, as it stands in its ``config.json``; the keys are told there in the same words.

    Attributes:
        name, title, license: what it is called and may be used for.
        structures: in the order of its maps.
        plane: on which it is asked for; empty for any.
        measures: symbols of what is measured from its masks.
        outset: structure to (pixels, side), see `fetalclip.data.structures.StructureSet`.
        habit: the same of what the head itself draws further out than its annotators, found on validation.
        shapes: structure to ``ellipse`` where its masks are tidied to one, see the same.
        guides: structure that tells a measure's direction to the head of the same model that draws it, see the same.
        thresholds: structure to the probability from which a pixel belongs to it, chosen on validation.
        widen: measure to the factor from the spread over looks to its interval, chosen on validation.
        level: probability of that interval.
        image_size, overlay, depths: what the tower is shown, and which of its blocks the decoder sees.
        encoder_name, encoder_sha256: the backbone it was trained on.
        told: the whole of the file.
    """

    name: str
    title: str
    license: str
    structures: tuple[str, ...]
    plane: str
    measures: tuple[str, ...]
    outset: Mapping[str, tuple[float, float]]
    habit: Mapping[str, tuple[float, float]]
    shapes: Mapping[str, str]
    guides: Mapping[str, str]
    thresholds: Mapping[str, float]
    widen: Mapping[str, float]
    level: float
    image_size: int
    overlay: str
    depths: tuple[int, ...]
    encoder_name: str
    encoder_sha256: str
    decoder: DecoderConfig
    told: Mapping[str, Any] = field(repr=False)

    @property
    def own_encoder(self) -> bool:
        """Whether the head carries the encoder it was trained with."""
        return bool(self.told["encoder"].get("architecture"))

    @property
    def simulated(self) -> bool:
        """Whether the head was trained on simulated pictures only."""
        return set(self.told.get("data", {})) == {"phantom"}

    def outset_of(self, width: int, height: int) -> dict[str, float]:
        """Structure to the pixels by which the head's masks lie outside it, on a picture of this size."""
        found = self.convention_of(width, height)
        for name, (pixels, side) in self.habit.items():
            found[name] = found.get(name, 0.0) + pixels * max(width, height) / side
        return found

    def convention_of(self, width: int, height: int) -> dict[str, float]:
        """Structure to the pixels by which its annotators' masks lie outside it, on a picture of this size."""
        return {name: pixels * max(width, height) / side for name, (pixels, side) in self.outset.items()}


@dataclass(frozen=True, eq=False)
class MaskHead:
    """A head ready to draw: its config, its decoder, and its own image tower where it has one."""

    config: HeadConfig
    decoder: MaskDecoder
    tower: nn.Module | None = None


def read_head_config(folder: Path) -> HeadConfig:
    """The config of a head folder, checked.

    Raises:
        BadCheckpoint: missing, too large, not JSON, or the first key that is wrong.
    """
    data = read_json(folder / "config.json")
    check = Checker(data, f"{folder.name}/config.json")
    check_head(check, HEAD_SCHEMA)
    check.text("preprocess.overlay", lambda v: v in ("mask", "keep"), "'mask' or 'keep'")
    check.whole("preprocess.image_size", 32, 1024)
    for key in ("decoder", "thresholds", "outset", "habit", "widen", "training", "results", "data"):
        check.mapping(key)
    structures: list[str] = data.get("structures") or []
    depths = data["preprocess"].get("depths")
    if not _words(structures) or len(set(structures)) != len(structures) or not structures:
        raise check.wrong("structures", structures, "names, each once")
    if not isinstance(depths, list) or len(depths) != LEVELS or not all(type(d) is int for d in depths):
        raise check.wrong("preprocess.depths", depths, f"{LEVELS} block numbers")
    for key in ("title", "plane", "summary", "convention"):
        if not isinstance(data.get(key, ""), str):
            raise check.wrong(key, data[key], "text")
    if not _words(data.get("measures", [])):
        raise check.wrong("measures", data["measures"], "a list of symbols")
    shapes = data.get("shapes", {})
    if not isinstance(shapes, dict) or not set(shapes) <= set(structures) or not set(shapes.values()) <= set(SHAPES):
        raise check.wrong("shapes", shapes, '{"structure": "ellipse"}')
    guides = data.get("guides", {})
    if not isinstance(guides, dict) or not _words(list(guides.values())):
        raise check.wrong("guides", guides, '{"spine": "abdomen-view"}')
    decoder = DecoderConfig.from_dict(data.get("decoder", {}))
    if decoder.structures != len(structures):
        raise check.wrong("decoder.structures", decoder.structures, f"{len(structures)}, as there are structures")
    return HeadConfig(
        name=data["name"],
        title=data.get("title", data["name"]),
        license=data["license"],
        structures=tuple(structures),
        plane=data.get("plane", ""),
        measures=tuple(data.get("measures", [])),
        outset=_outset(check, "outset", structures),
        habit=_outset(check, "habit", structures),
        shapes=shapes,
        guides=guides,
        thresholds={
            name: _number(check, "thresholds", data.get("thresholds", {}).get(name, 0.5), 0.01, 0.99)
            for name in structures
        },
        widen={name: _number(check, "widen", value, 0, 1e4) for name, value in data.get("widen", {}).items()},
        level=_number(check, "level", data.get("level", 0.9), 0.5, 1.0),
        image_size=data["preprocess"]["image_size"],
        overlay=data["preprocess"]["overlay"],
        depths=tuple(depths),
        encoder_name=data["encoder"]["name"],
        encoder_sha256=data["encoder"]["sha256"].lower(),
        decoder=decoder,
        told=data,
    )


def load_head(folder: Path, encoder_sha256: str) -> MaskHead:
    """The head of a folder.

    Args:
        folder: the head folder.
        encoder_sha256: hash of the image tower it is to draw on; empty skips the question.

    Raises:
        BadCheckpoint: a file is missing, damaged or of another shape, or the head was trained on another encoder.
    """
    config = read_head_config(folder)
    if encoder_sha256 and not config.own_encoder and encoder_sha256 != config.encoder_sha256:
        raise BadCheckpoint(
            f"the head {config.name} was trained on the encoder {config.encoder_sha256[:12]}… "
            f"({config.encoder_name or 'unnamed'}), this model's is {encoder_sha256[:12]}…",
            "the encoder it was trained on",
            f"fetalclip train segment.yaml structures={config.name} model.encoder=MODEL",
        )
    path, wanted = folder / config.told["weights"]["file"], config.told["weights"]["sha256"]
    if not path.is_file():
        raise BadCheckpoint(f"no file {path.name!r} in {folder.name}", "a head folder that is whole")
    if not config.own_encoder and path.stat().st_size > 4 * MAX_BYTES:
        raise BadCheckpoint(f"{path.name} of {path.stat().st_size} bytes", f"at most {4 * MAX_BYTES}")
    state = read_state(path, wanted)
    decoder = MaskDecoder(config.decoder)
    tower = _tower(config.told["encoder"]["architecture"]) if config.own_encoder else None
    whole = nn.ModuleDict({"decoder": decoder, **({"encoder": tower} if tower is not None else {})})
    load_strictly(whole, state, folder.name)
    if any(not bool(torch.isfinite(value).all()) for value in state.values() if value.is_floating_point()):
        raise BadCheckpoint(f"weights in {folder.name} that are not finite", "numbers")
    return MaskHead(config, decoder.eval(), tower.eval() if tower is not None else None)


def _tower(architecture: Any) -> nn.Module:
    if not isinstance(architecture, Mapping):
        raise BadCheckpoint("an encoder without an architecture", "image and embed_dim")
    return image_tower(Architecture.from_dict({**architecture, "text": {}}))


def save_head(decoder: MaskDecoder, config: Mapping[str, Any], folder: Path, tower: nn.Module | None = None) -> Path:
    """Write a head folder: float16 weights, their hash in the config, the card; the config last.

    Args:
        decoder: the trained decoder.
        config: what `read_head_config` wants but for ``schema``, ``decoder`` and ``weights``.
        folder: where to.
        tower: the encoder to carry along, or None.

    Raises:
        OutputError: the folder cannot be written.
    """
    state: dict[str, Tensor] = {_DECODER + name: value for name, value in decoder.state_dict().items()}
    if tower is not None:
        state |= {_ENCODER + name: value for name, value in tower.state_dict().items()}
    data = write_tensors({name: v.detach().cpu().half().contiguous() for name, v in state.items()})
    weights = {"file": "model.safetensors", "sha256": hashlib.sha256(data).hexdigest()}
    told = {"schema": HEAD_SCHEMA, **config, "decoder": decoder.config.to_dict(), "weights": weights}
    return write_head(folder, data, card(told), told)


def write_head(folder: Path, weights: bytes, words: str, told: Mapping[str, Any]) -> Path:
    """Put a head of any kind into its folder: weights, card, and the config last.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / "model.safetensors") as part:
            part.write_bytes(weights)
        _write_words(folder, words, told)
    except OSError as error:
        raise unwritable(folder, error) from None
    return folder


def change_head(folder: Path, **changes: Any) -> HeadConfig:
    """Put what was found later, such as ``widen`` or ``results``, into a head's config and card.

    Raises:
        BadCheckpoint: the folder is no head folder, or would be none afterwards (it is left as it was).
        OutputError: it cannot be written.
    """
    before = dict(read_head_config(folder).told)
    try:
        after = {**before, **changes}
        _write_words(folder, card(after), after)
        return read_head_config(folder)
    except BadCheckpoint:
        _write_words(folder, card(before), before)
        raise
    except OSError as error:
        raise unwritable(folder, error) from None


def unwritable(folder: Path, error: OSError) -> OutputError:
    """Why a head's folder was not written."""
    return OutputError(f"the head folder {folder} cannot be written ({error.strerror})", "a writable folder")


def _write_words(folder: Path, words: str, told: Mapping[str, Any]) -> None:
    with replacing(folder / "README.md") as part:
        part.write_text(words, encoding="utf-8")
    with replacing(folder / "config.json") as part:
        part.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def card(told: Mapping[str, Any]) -> str:
    """The written card of a head, from its config."""
    encoder, lines = told["encoder"], [f"# {told.get('title', told['name'])}", "", str(told.get("summary", "")), ""]
    lines += [f"- Structures: {', '.join(told['structures'])}", f"- Licence: {told['license']}"]
    carried = " (carried by this head, trained with it)" if encoder.get("architecture") else ""
    lines.append(f"- Encoder: {encoder['name']}, image tower sha256 `{encoder['sha256']}`{carried}")
    lines.append(f"- Pictures of {told['preprocess']['image_size']} px, overlay: {told['preprocess']['overlay']}")
    if told.get("convention"):
        lines.append(f"- Annotations: {told['convention']}")
    for name, facts in told.get("data", {}).items():
        lines.append(f"- Trained on {name}: {facts.get('pictures')} pictures, {facts.get('license')}")
    if told.get("results"):
        lines += ["", "Chosen on validation pictures, not a result to report:", "", "```json"]
        lines += [json.dumps(told["results"], indent=1), "```"]
    return "\n".join([*lines, "", "Research software. Not a medical device.", ""])


def _outset(check: Checker, key: str, structures: list[str]) -> dict[str, tuple[float, float]]:
    made = {}
    for name, pair in check.data.get(key, {}).items():
        if name not in structures or not isinstance(pair, Mapping):
            raise check.wrong(key, name, '{"structure": {"pixels": 1.4, "side": 800}}')
        pixels = _number(check, f"{key}.pixels", pair.get("pixels"), -50, 50)
        made[name] = (pixels, _number(check, f"{key}.side", pair.get("side"), 1, 1e5))
    return made


def _number(check: Checker, key: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise check.wrong(key, value, f"a number from {low:g} to {high:g}")
    return float(value)


def _words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) and 0 < len(word) <= 100 for word in value)
