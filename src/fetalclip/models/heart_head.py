"""A heart head as a folder: ``config.json``, ``model.safetensors``, ``README.md`` (the card).

The config names the encoder by the hash of everything an embedding comes from (`fetalclip.models.fingerprint`): on
other embeddings the head's answers would mean nothing, so it is refused there. The folder also holds what makes the
head abstain: a gate that knows the training frames' spread, and conformal bounds for each finding.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as write_tensors
from torch import Tensor, nn

from fetalclip.cards import read_json
from fetalclip.config import Checker, check_head
from fetalclip.errors import BadCheckpoint
from fetalclip.models.heart import MOST_CELLS, HeartNet, HeartShape
from fetalclip.models.mask_head import write_head
from fetalclip.models.weights import load_strictly, read_state

HEART_SCHEMA = "fetalclip.heart/1"
SIMULATED_WARNING = "trained on simulated clips, not for real patients"
MAX_BYTES = 64 * 2**20
_RIDGE = 0.001  # share of the mean variance that every direction is given


class Gate(nn.Module):
    """How far embeddings lie from the training frames, and how much more they are like strangers.

    The distance is Mahalanobis' of unit-length embeddings (Lee et al., NeurIPS 2018, without classes). The covariance
    is mixed with a little of its mean variance (Ledoit & Wolf, J Multivar Anal 2004;88:365-411, with a fixed share).
    Strangers are pictures the head is not for, shown while it was made (outlier exposure, Hendrycks et al., ICLR 2019):
    a linear logit tells them from the training frames; without any it is 0 everywhere.

    Args:
        dim: width of an embedding.
    """

    centre: Tensor
    whiten: Tensor
    lean: Tensor
    shift: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(dim))
        self.register_buffer("whiten", torch.eye(dim))
        self.register_buffer("lean", torch.zeros(dim))
        self.register_buffer("shift", torch.zeros(()))

    def fit_to(self, frames: Tensor) -> None:
        """Take centre and spread of the training frames, (n, dim)."""
        x = nn.functional.normalize(frames.double(), dim=-1)
        centre = x.mean(dim=0)
        covariance = (x - centre).T @ (x - centre) / max(1, len(x) - 1)
        ridge = covariance.diagonal().mean().clamp_min(1e-12)
        values, vectors = torch.linalg.eigh((1 - _RIDGE) * covariance + _RIDGE * ridge * torch.eye(len(centre)))
        self.centre.copy_(centre)
        self.whiten.copy_(vectors / values.clamp_min(1e-12).sqrt())

    def forward(self, frames: Tensor) -> Tensor:
        """(n, dim) embeddings to (n,) distances, about 1 for frames like those of the training."""
        x = nn.functional.normalize(frames, dim=-1) - self.centre
        found: Tensor = (x @ self.whiten).square().mean(dim=-1).sqrt()
        return found

    def stranger(self, frames: Tensor) -> Tensor:
        """(n, dim) embeddings to (n,) logits of a stranger against a training frame."""
        found: Tensor = (nn.functional.normalize(frames, dim=-1) - self.centre) @ self.lean + self.shift
        return found


@dataclass(frozen=True)
class HeartConfig:
    """What a heart head is, as it stands in its ``config.json``; the keys are told there in the same words.

    Attributes:
        name, title, license: what it is called and may be used for.
        findings: in the order of its logits.
        shape: of its net.
        stride: frames from one window to the next.
        join: how windows become the clip's answer, see `fetalclip.tasks.windows`.
        segment: look for the best four-chamber segment of a clip first.
        overlay: what is done with burned-in text, ``mask`` or ``keep``.
        rate: frames looked at per second, at most.
        locator, margin, grids: how the heart is looked at, see `fetalclip.tasks.sight.Sight`.
        embedding: width of an embedding, the first part of what the net is given of a frame and all the gate sees.
        temperatures: finding to what divides its logit, chosen on held-out clips.
        offsets: finding to what is added then, likewise; makes up for class weights.
        bounds: finding to the largest 1 - p of ``absent`` and of ``present`` that is still believed, likewise.
        level: the chance with which the true answer is among those believed.
        gate: distance above which a clip is unlike the training clips, likewise.
        stranger: logit above which it is like the strangers, likewise.
        simulated: trained on simulated clips only.
        encoder_name, encoder_sha256: the backbone it was trained on.
        told: the whole of the file.
    """

    name: str
    title: str
    license: str
    findings: tuple[str, ...]
    shape: HeartShape
    stride: int
    join: str
    segment: bool
    overlay: str
    rate: float
    locator: str
    margin: float
    grids: Mapping[int, int]
    embedding: int
    temperatures: Mapping[str, float]
    offsets: Mapping[str, float]
    bounds: Mapping[str, tuple[float, float]]
    level: float
    gate: float
    stranger: float
    simulated: bool
    encoder_name: str
    encoder_sha256: str
    told: Mapping[str, Any] = field(repr=False)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What every answer of this head must say."""
        return (f"heart: {SIMULATED_WARNING}",) if self.simulated else ()


@dataclass(frozen=True, eq=False)
class HeartHead:
    """A head ready to answer: its config, its net and its gate."""

    config: HeartConfig
    net: HeartNet
    gate: Gate


def read_heart_config(folder: Path) -> HeartConfig:
    """The config of a heart head's folder, checked.

    Raises:
        BadCheckpoint: missing, too large, not JSON, or the first key that is wrong.
    """
    data = read_json(folder / "config.json")
    check = Checker(data, f"{folder.name}/config.json")
    check_head(check, HEART_SCHEMA)
    check.text("clips.overlay", lambda v: v in ("mask", "keep"), "'mask' or 'keep'")
    check.text("clips.join", lambda v: v in ("mean", "log-mean-exp"), "'mean' or 'log-mean-exp'")
    check.number("clips.rate", 0.1, 1000)
    check.number("level", 0.5, 0.999)
    check.number("gate", 0, 1e6)
    check.number("stranger", -1e6, 1e6)
    for key in ("shape", "temperatures", "offsets", "bounds", "data", "training", "results"):
        check.mapping(key)
    for key in ("simulated", "clips.segment"):
        if type(value := check.find(key, "true or false")) is not bool:
            raise check.wrong(key, value, "true or false")
    for key in ("title", "summary"):
        if not isinstance(data.get(key, ""), str):
            raise check.wrong(key, data[key], "text")
    findings = check.find("findings", "names, each once")
    if not _names(findings):
        raise check.wrong("findings", findings, "names, each once")
    shape = HeartShape.from_dict(data.get("shape", {}))
    if shape.findings != len(findings):
        raise check.wrong("shape.findings", shape.findings, f"{len(findings)}, as there are findings")
    check.whole("clips.stride", 1, shape.frames)
    return _config(data, check, tuple(findings), shape)


def _config(data: Mapping[str, Any], check: Checker, findings: tuple[str, ...], shape: HeartShape) -> HeartConfig:
    """The checked parts as one value; the numbers of each finding are checked here."""
    heat, offsets, bounds = (data.get(key, {}) for key in ("temperatures", "offsets", "bounds"))
    clips = data["clips"]
    return HeartConfig(
        name=data["name"],
        title=data.get("title", data["name"]),
        license=data["license"],
        findings=findings,
        shape=shape,
        stride=clips["stride"],
        join=clips["join"],
        segment=clips["segment"],
        overlay=clips["overlay"],
        rate=float(clips["rate"]),
        locator=_locator(check, clips.get("locator", ""), clips["segment"]),
        margin=_number(check, "clips.margin", clips.get("margin", 1.35), 0.5, 10),
        grids=_grids(check, clips.get("grids", {})),
        embedding=_embedding(check, clips.get("embedding", shape.dim - shape.whole), shape),
        temperatures={name: _number(check, f"temperatures.{name}", heat.get(name), 1e-3, 1e3) for name in findings},
        offsets={name: _number(check, f"offsets.{name}", offsets.get(name), -100, 100) for name in findings},
        bounds={name: _pair(check, name, bounds.get(name)) for name in findings},
        level=float(data["level"]),
        gate=float(data["gate"]),
        stranger=float(data["stranger"]),
        simulated=data["simulated"],
        encoder_name=data["encoder"]["name"],
        encoder_sha256=data["encoder"]["sha256"].lower(),
        told=data,
    )


def load_heart(folder: Path, encoder_sha256: str) -> HeartHead:
    """The head of a folder.

    Args:
        folder: the head folder.
        encoder_sha256: `Encoder.embedding_sha256` of the encoder it is to be used on; empty skips the question.

    Raises:
        BadCheckpoint: a file is missing, damaged or of another shape, or the head was trained on another encoder.
    """
    config = read_heart_config(folder)
    if encoder_sha256 and encoder_sha256 != config.encoder_sha256:
        raise BadCheckpoint(
            f"the heart head {config.name} was trained on the encoder {config.encoder_sha256[:12]}… "
            f"({config.encoder_name or 'unnamed'}), this model's is {encoder_sha256[:12]}…",
            "the encoder it was trained on",
            "fetalclip train heart.yaml model.encoder=MODEL",
        )
    path = folder / config.told["weights"]["file"]
    if not path.is_file():
        raise BadCheckpoint(f"no file {path.name!r} in {folder.name}", "a head folder that is whole")
    if path.stat().st_size > MAX_BYTES:
        raise BadCheckpoint(f"{path.name} of {path.stat().st_size} bytes", f"at most {MAX_BYTES}")
    state = read_state(path, config.told["weights"]["sha256"])
    net, gate = HeartNet(config.shape), Gate(config.embedding)
    load_strictly(nn.ModuleDict({"net": net, "gate": gate}), state, folder.name)
    if any(not bool(torch.isfinite(value).all()) for value in state.values() if value.is_floating_point()):
        raise BadCheckpoint(f"weights in {folder.name} that are not finite", "numbers")
    return HeartHead(config, net.eval(), gate.eval())


def save_heart(net: HeartNet, gate: Gate, config: Mapping[str, Any], folder: Path) -> Path:
    """Write a head folder: float32 weights, their hash in the config, the card; the config last.

    Args:
        net, gate: what was trained.
        config: what `read_heart_config` wants but for ``schema``, ``shape`` and ``weights``.
        folder: where to.

    Raises:
        OutputError: the folder cannot be written.
    """
    state: dict[str, Tensor] = nn.ModuleDict({"net": net, "gate": gate}).state_dict()
    # float32: the gate's whitening would not survive half precision.
    data = write_tensors({name: value.detach().cpu().float().contiguous() for name, value in state.items()})
    weights = {"file": "model.safetensors", "sha256": hashlib.sha256(data).hexdigest()}
    told = {"schema": HEART_SCHEMA, **config, "shape": net.shape.to_dict(), "weights": weights}
    return write_head(folder, data, heart_card(told), told)


def heart_card(told: Mapping[str, Any]) -> str:
    """The written card of a heart head, from its config."""
    encoder, clips = told["encoder"], told["clips"]
    lines = [f"# {told.get('title', told['name'])}", "", str(told.get("summary", "")), ""]
    if told["simulated"]:
        lines += [f"**Warning: {SIMULATED_WARNING}.** What it scores is a test of software, never of diagnosis.", ""]
    lines += [f"- Findings: {', '.join(told['findings'])}", f"- Licence: {told['license']}"]
    lines.append(f"- Encoder: {encoder['name']}, embeddings sha256 `{encoder['sha256']}`")
    shape = told["shape"]
    if clips.get("locator"):
        lines.append(f"- Looks at the square about the heart that the head {clips['locator']} draws")
    lines.append(
        f"- Head: {shape['kind']}, windows of {shape['frames']} frames, stride {clips['stride']}, {clips['join']}"
    )
    for name, facts in told.get("data", {}).items():
        if "pictures" in facts:
            lines.append(
                f"- The gate was shown {facts['pictures']} pictures of {name}, {facts.get('license')}, as strangers"
            )
        else:
            lines.append(f"- Trained on {name}: {facts.get('clips')} clips of {facts.get('patients')} patients")
    lines += ["", "| finding | temperature | offset | absent up to | present from |", "|---|---|---|---|---|"]
    for name in told["findings"]:
        absent, present = told["bounds"][name]
        numbers = (told["temperatures"][name], told["offsets"][name], absent, 1 - present)
        lines.append(f"| {name} | " + " | ".join(f"{number:.3f}" for number in numbers) + " |")
    lines += [
        "",
        f"Abstains where both or neither answer is believed (level {told['level']:g}), and on clips farther from",
    ]
    lines.append(f"the training frames than {told['gate']:.3f}.")
    if told.get("results"):
        lines += ["", "From held-out clips of the training, not a result to report:", "", "```json"]
        lines += [json.dumps(told["results"], indent=1), "```"]
    return "\n".join([*lines, "", "Research software. Not a medical device.", ""])


def _number(check: Checker, key: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise check.wrong(key, value, f"a number from {low:g} to {high:g}")
    return float(value)


def _grids(check: Checker, value: Any) -> dict[int, int]:
    """Block to cells along a side."""
    blocks = isinstance(value, dict) and len(value) <= 16 and all(re.fullmatch("[1-9][0-9]{0,2}", b) for b in value)
    if not blocks or not all(type(cells) is int and 1 <= cells <= MOST_CELLS for cells in value.values()):
        raise check.wrong("clips.grids", value, 'block to cells, 1 to 32, such as {"5": 8}')
    return dict(sorted((int(block), cells) for block, cells in value.items()))


def _locator(check: Checker, value: Any, segment: bool) -> str:
    """The name of a head of the same model; a downloaded config names no folder elsewhere."""
    if not isinstance(value, str) or len(value) > 100 or Path(value).name != value:
        raise check.wrong("clips.locator", value, "the name of a head that draws, or nothing")
    if value and segment:
        raise check.wrong("clips.segment", segment, "false for a head that looks about the heart")
    return value


def _embedding(check: Checker, value: Any, shape: HeartShape) -> int:
    most = shape.dim - shape.whole
    if type(value) is not int or not 1 <= value <= most:
        raise check.wrong("clips.embedding", value, f"1 to {most}")
    return value


def _pair(check: Checker, name: str, value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise check.wrong(f"bounds.{name}", value, "two numbers, of absent and of present")
    return _number(check, f"bounds.{name}", value[0], 0, 1), _number(check, f"bounds.{name}", value[1], 0, 1)


def _names(value: Any) -> bool:
    words = isinstance(value, list) and all(isinstance(word, str) and 0 < len(word) <= 60 for word in value)
    return words and 0 < len(set(value)) == len(value) <= 64
