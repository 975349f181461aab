"""A probe as a folder: ``config.json``, ``model.safetensors``, ``README.md`` (the card).

A probe answers one question from an embedding: which of some classes, or a number. It is a linear layer, and for very
few labels also the embeddings of the support pictures themselves (Tip-Adapter's cache, Zhang et al. 2022, arXiv
2207.09519). The config names the encoder by the hash of everything an embedding comes from
(`fetalclip.models.fingerprint`): on other embeddings the answers would mean nothing, so it is refused there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save as write_tensors

from fetalclip.cards import read_json
from fetalclip.config import Checker, check_head
from fetalclip.errors import BadCheckpoint, BadValue
from fetalclip.models.mask_head import write_head
from fetalclip.models.weights import read_state

PROBE_SCHEMA = "fetalclip.probe/1"
QUESTIONS = ("classes", "number")
INPUTS = ("spacing",)  # what a number may be told beside the embedding: log of mm per pixel of the prepared square
MAX_BYTES = 256 * 2**20
_MOST_CLASSES = 10_000
_NUMBERS: Mapping[str, tuple[float, float]] = {
    "temperature": (1e-6, 1e6),
    "min_probability": (0, 1),
    "width": (0, 1e9),
    "level": (0, 1),
    "least_likeness": (-1, 1),
}

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ProbeConfig:
    """What a probe is, as it stands in its ``config.json``; the keys are told there in the same words.

    Attributes:
        name, title, license: what it is called and may be used for.
        question: ``classes`` or ``number``.
        classes: names, in the order of the layer's rows; empty of a number.
        unit: of a number, such as ``days``; empty of classes.
        unit_length: embeddings are brought to unit length first.
        inputs: what a number is told beside the embedding, of ``INPUTS``; the last columns of its layer.
        overlay: what was done with burned-in text in the pictures it learned from, ``mask`` or ``keep``.
        temperature: divides the logits, chosen on held-out pictures.
        min_probability: below it the answer is an abstention.
        width: half of a number's interval, found on held-out pictures.
        level: probability of that interval.
        least_likeness: cosine with the nearest class mean below which a picture is unlike what it knows; -1 none.
        cache: weight of the support pictures' vote, 0 without; and its sharpness.
        encoder_name, encoder_sha256: the encoder whose embeddings it learned from.
        told: the whole of the file.
    """

    name: str
    title: str
    license: str
    question: str
    classes: tuple[str, ...]
    unit: str
    unit_length: bool
    inputs: tuple[str, ...]
    overlay: str
    temperature: float
    min_probability: float
    width: float
    level: float
    least_likeness: float
    cache: tuple[float, float]
    encoder_name: str
    encoder_sha256: str
    told: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, eq=False)
class ProbeHead:
    """A probe ready to answer.

    Attributes:
        config: what it is.
        weight: (classes, d), or (1, d + inputs) of a number.
        bias: (classes,), or (1,).
        keys: (m, d) unit-length embeddings of the support pictures; (0, d) without a cache.
        values: (m, classes), each support picture's vote.
        means: (k, d) unit-length means of the classes, one of a number; (0, d) where none were kept.
    """

    config: ProbeConfig
    weight: Array
    bias: Array
    keys: Array
    values: Array
    means: Array

    @property
    def dim(self) -> int:
        """Width of the embedding it expects."""
        return int(self.weight.shape[1]) - len(self.config.inputs)

    def likeness(self, embeddings: npt.ArrayLike) -> Array:
        """Cosine of each of (n, d) raw embeddings with the nearest class mean, (n,); 1 where no means were kept."""
        x = np.asarray(embeddings, np.float64)
        if not len(self.means):
            return np.ones(len(x))
        found: Array = (x @ self.means.T).max(axis=1) / np.maximum(np.linalg.norm(x, axis=1), 1e-12)
        return found

    def logits(self, embeddings: npt.ArrayLike, inputs: npt.ArrayLike | None = None) -> Array:
        """What the layer says before temperature.

        Args:
            embeddings: (n, d) raw.
            inputs: (n, inputs) of a number that is told more than the embedding.

        Returns:
            (n, classes), or (n, 1): a number in its unit.

        Raises:
            BadValue: another width, or values that are not finite.
        """
        x = np.asarray(embeddings, np.float64)
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise BadValue(f"embeddings of shape {x.shape}", f"(n, {self.dim}), as the probe learned from")
        if not np.isfinite(x).all():
            raise BadValue("embeddings that are not finite", "numbers")
        unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        x = unit if self.config.unit_length else x
        if self.config.inputs:
            x = np.concatenate([x, np.asarray(inputs, np.float64).reshape(len(x), -1)], axis=1)
        found: Array = x @ self.weight.T + self.bias
        weight, sharpness = self.config.cache
        if weight and len(self.keys):
            found = found + weight * np.exp(-sharpness * (1 - unit @ self.keys.T)) @ self.values
        return found


def save_probe(head: Mapping[str, npt.ArrayLike], config: Mapping[str, Any], folder: Path) -> Path:
    """Write a head folder: float32 weights, their hash in the config, the card; the config last.

    Args:
        head: ``weight`` (classes, d), ``bias`` (classes,), optionally ``keys``, ``values``, ``means``; see `ProbeHead`.
        config: what `read_probe_config` wants but for ``schema`` and ``weights``.
        folder: where to.

    Raises:
        BadValue: weights that are not finite.
        BadCheckpoint: a config that could not be read again.
        OutputError: the folder cannot be written.
    """
    arrays = {name: np.asarray(value, np.float32) for name, value in head.items()}
    if odd := [name for name, value in arrays.items() if not np.isfinite(value).all()]:
        raise BadValue(f"a probe whose {odd[0]} is not finite", "numbers")
    data = write_tensors({name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()})
    weights = {"file": "model.safetensors", "sha256": hashlib.sha256(data).hexdigest()}
    told = {"schema": PROBE_SCHEMA, **config, "weights": weights}
    _checked(told, folder.name)
    return write_head(folder, data, probe_card(told), told)


def load_probe(folder: Path, encoder_sha256: str) -> ProbeHead:
    """The probe of a folder.

    Args:
        folder: the head folder.
        encoder_sha256: `Encoder.embedding_sha256` of the encoder it is to be used on; empty skips the question.

    Raises:
        BadCheckpoint: a file is missing, damaged or of another shape, or the probe learned from another encoder.
    """
    config = read_probe_config(folder)
    if encoder_sha256 and encoder_sha256 != config.encoder_sha256:
        raise BadCheckpoint(
            f"the probe {config.name} learned from the encoder {config.encoder_sha256[:12]}… "
            f"({config.encoder_name or 'unnamed'}), this model's is {encoder_sha256[:12]}…",
            "the encoder it learned from",
            f"fetalclip probe TABLE.csv --model MODEL -o {folder.name}-2",
        )
    path = folder / config.told["weights"]["file"]
    if not path.is_file():
        raise BadCheckpoint(f"no file {path.name!r} in {folder.name}", "a head folder that is whole")
    if path.stat().st_size > MAX_BYTES:
        raise BadCheckpoint(f"{path.name} of {path.stat().st_size} bytes", f"at most {MAX_BYTES}")
    state = {name: v.double().numpy() for name, v in read_state(path, config.told["weights"]["sha256"]).items()}
    return _fitted(config, state, folder.name)


def _fitted(config: ProbeConfig, state: Mapping[str, Array], where: str) -> ProbeHead:
    """The probe of checked arrays."""
    rows = len(config.classes) or 1
    wrong = BadCheckpoint(f"weights in {where} that do not fit", f"weight ({rows}, d) and bias ({rows},)")
    weight, bias = state.get("weight"), state.get("bias")
    if weight is None or bias is None or not set(state) <= {"weight", "bias", "keys", "values", "means"}:
        raise wrong
    if weight.ndim != 2 or weight.shape[0] != rows or bias.shape != (rows,) or weight.shape[1] <= len(config.inputs):
        raise wrong
    dim = weight.shape[1] - len(config.inputs)
    keys, values = state.get("keys", np.zeros((0, dim))), state.get("values", np.zeros((0, rows)))
    if keys.ndim != 2 or keys.shape[1] != dim or values.shape != (len(keys), rows):
        raise BadCheckpoint(f"a cache in {where} that does not fit", f"keys (m, {dim}) and values (m, {rows})")
    means = state.get("means", np.zeros((0, dim)))
    if means.ndim != 2 or means.shape[1] != dim or len(means) not in (0, rows):
        raise BadCheckpoint(f"class means in {where} that do not fit", f"({rows}, {dim})")
    if not all(np.isfinite(value).all() for value in state.values()):
        raise BadCheckpoint(f"weights in {where} that are not finite", "numbers")
    return ProbeHead(config, weight, bias, keys, values, means)


def read_probe_config(folder: Path) -> ProbeConfig:
    """The config of a probe's folder, checked.

    Raises:
        BadCheckpoint: missing, too large, not JSON, or the first key that is wrong.
    """
    return _checked(read_json(folder / "config.json"), folder.name)


def _checked(data: Mapping[str, Any], where: str) -> ProbeConfig:
    check = Checker(data, f"{where}/config.json")
    check_head(check, PROBE_SCHEMA)
    check.text("question", lambda v: v in QUESTIONS, "'classes' or 'number'")
    check.text("preprocess.overlay", lambda v: v in ("mask", "keep"), "'mask' or 'keep'")
    for key in ("data", "training", "results"):
        check.mapping(key)
    for key in ("title", "summary", "unit"):
        if not isinstance(data.get(key, ""), str) or len(data.get(key, "")) > 1000:
            raise check.wrong(key, data[key], "a short text")
    for key, (low, high) in _NUMBERS.items():
        if key in data:
            check.number(key, low, high)
    if type(data.get("unit_length", False)) is not bool:
        raise check.wrong("unit_length", data["unit_length"], "true or false")
    classes, inputs = data.get("classes", []), data.get("inputs", [])
    number = data["question"] == "number"
    if not _names(classes) or number == bool(classes):
        raise check.wrong("classes", classes, "names, each once, or none where a number is asked")
    if not _names(inputs) or not set(inputs) <= set(INPUTS) or (inputs and not number):
        raise check.wrong("inputs", inputs, "of " + ", ".join(INPUTS) + ", where a number is asked")
    cache = data.get("cache", {"weight": 0.0, "sharpness": 1.0})
    if not isinstance(cache, Mapping):
        raise check.wrong("cache", cache, '{"weight": 1.0, "sharpness": 5.5}')
    if "cache" in data:
        check.number("cache.weight", 0, 1e6)
        check.number("cache.sharpness", 0, 1e6)
    return ProbeConfig(
        name=data["name"],
        title=data.get("title", data["name"]),
        license=data["license"],
        question=data["question"],
        classes=tuple(classes),
        unit=data.get("unit", ""),
        unit_length=data.get("unit_length", False),
        inputs=tuple(inputs),
        overlay=data["preprocess"]["overlay"],
        temperature=float(data.get("temperature", 1.0)),
        min_probability=float(data.get("min_probability", 0.0)),
        width=float(data.get("width", 0.0)),
        level=float(data.get("level", 0.9)),
        least_likeness=float(data.get("least_likeness", -1.0)),
        cache=(float(cache["weight"]), float(cache["sharpness"])),
        encoder_name=data["encoder"]["name"],
        encoder_sha256=data["encoder"]["sha256"].lower(),
        told=data,
    )


def probe_card(told: Mapping[str, Any]) -> str:
    """The written card of a probe, from its config."""
    encoder, lines = told["encoder"], [f"# {told.get('title', told['name'])}", "", str(told.get("summary", "")), ""]
    asked = ", ".join(told["classes"]) if told.get("classes") else f"a number ({told.get('unit') or 'no unit'})"
    lines += [f"- Answers: {asked}", f"- Licence: {told['license']}"]
    lines.append(f"- Encoder: {encoder['name']}, embeddings sha256 `{encoder['sha256']}`")
    lines.append(f"- Overlay: {told['preprocess']['overlay']}")
    for name, facts in told.get("data", {}).items():
        counts = ", ".join(f"{key} {value}" for key, value in facts.items())
        lines.append(f"- Learned from {name}: {counts}")
    if told.get("results"):
        lines += ["", f"Measured on {told['results'].get('on', 'held-out pictures')}:", "", "```json"]
        lines += [json.dumps(told["results"], indent=1), "```"]
    return "\n".join([*lines, "", "Research software. Not a medical device.", ""])


def _names(value: Any) -> bool:
    words = isinstance(value, list) and all(isinstance(word, str) and 0 < len(word) <= 100 for word in value)
    return words and len(set(value)) == len(value) <= _MOST_CLASSES
