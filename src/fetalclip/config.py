"""What a model's ``config.json`` must hold, checked before anything is built from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from fetalclip.errors import BadCheckpoint

MODEL_SCHEMA = "fetalclip.model/1"

_LICENSES_BY_NAME = "an SPDX name such as CC-BY-4.0"
_AGE_NUMBERS: Mapping[str, tuple[float, float]] = {
    "temperature": (1e-6, 1e6),
    "quantile": (0.0, 1e3),
    "level": (0.5, 1.0),
    "max_sd": (0.0, 1e3),
    "max_edge": (0.0, 1.0),
}


def check_config(data: Mapping[str, Any], where: str = "config.json") -> None:
    """Check the whole of a ``config.json`` before anything is built from it.

    Raises:
        BadCheckpoint: names the first key that is missing or wrong.
    """
    check = Checker(data, where)
    check.text("schema", lambda v: v == MODEL_SCHEMA, repr(MODEL_SCHEMA))
    check.text("name", _plain_name, "a plain name of at most 100 letters, digits, '.', '_' and '-'")
    check.text("summary", lambda v: len(v) <= 1000, "at most 1000 characters")
    check.text("license", lambda v: 0 < len(v) <= 100, _LICENSES_BY_NAME)
    check.whole("architecture.embed_dim", 1, 65_536)
    check.text("architecture.image.kind", lambda v: 0 < len(v) <= 100, "the kind of image tower")
    check.whole("architecture.text.context_length", 1, 65_536)
    check.whole("architecture.text.vocab_size", 1, 10_000_000)
    check.whole("preprocess.image_size", 16, 4096)
    check.triple("preprocess.mean", -10.0, 10.0)
    check.triple("preprocess.std", 1e-6, 10.0)
    check.text("preprocess.overlay", lambda v: v in ("mask", "keep"), "'mask' or 'keep'")
    check.text("planes.prompts", _plain_name, "the name of a prompt set")
    check.number("planes.temperature", 1e-6, 1e6)
    check.number("planes.outlier_threshold", -1e9, 1e9)
    check.number("planes.min_probability", 0.0, 1.0)
    if "subplanes" in data:
        check.text("subplanes.prompts", _plain_name, "the name of a prompt set")
        check.number("subplanes.temperature", 1e-6, 1e6)
        check.number("subplanes.min_probability", 0.0, 1.0)
    if "age" in data:
        check.text("age.templates", _plain_name, "the name of a set of age templates")
        check.triple("age.spread", 0.0, 1e3)
        check.knots("age.knots")
        for key, (low, high) in _AGE_NUMBERS.items():
            check.number(f"age.{key}", low, high)
    check.text("weights.file", _plain_name, "a file name without folders")
    check.text("weights.sha256", _is_sha256, "64 hexadecimal digits")
    if "tasks" in data and not _are_words(data["tasks"]):
        raise check.wrong("tasks", data["tasks"], "a list of the questions it answers, such as ['probes']")
    check.mapping("training")
    check.mapping("results")


def check_head(check: Checker, schema: str) -> None:
    """The keys that every head's config has: what it is, its licence, its encoder and its weights.

    Raises:
        BadCheckpoint: the first key that is wrong.
    """
    check.text("schema", lambda v: v == schema, repr(schema))
    check.text("name", lambda v: 0 < len(v) <= 60 and Path(v).name == v, "a plain name")
    check.text("license", lambda v: 0 < len(v) <= 100, "an SPDX name such as CC-BY-4.0")
    check.text("encoder.sha256", lambda v: len(v) == 64, "64 hexadecimal digits")
    check.text("encoder.name", lambda v: len(v) <= 100, "a model's name")
    check.text("weights.file", lambda v: Path(v).name == v and v.endswith(".safetensors"), "a file name")
    check.text("weights.sha256", lambda v: len(v) == 64, "64 hexadecimal digits")


class Checker:
    """Looks values up by dotted key and complains in one voice.

    Args:
        data: one JSON object.
        where: how a message names its file.
    """

    def __init__(self, data: Mapping[str, Any], where: str) -> None:
        self.data, self.where = data, where

    def find(self, key: str, expected: str) -> Any:
        value: Any = self.data
        for name in key.split("."):
            if not isinstance(value, Mapping) or name not in value:
                raise BadCheckpoint(f"{self.where} has no {key!r}", expected, "a model folder that is whole")
            value = value[name]
        return value

    def wrong(self, key: str, value: Any, expected: str) -> BadCheckpoint:
        shown = f"{value!r:.60}" if isinstance(value, (str, int, float, bool, type(None))) else type(value).__name__
        return BadCheckpoint(f"{key!r} in {self.where} is {shown}", expected, "a model folder that is whole")

    def text(self, key: str, fits: Any, expected: str) -> None:
        value = self.find(key, expected)
        if not isinstance(value, str) or not fits(value):
            raise self.wrong(key, value, expected)

    def whole(self, key: str, low: int, high: int) -> None:
        expected = f"a whole number from {low} to {high}"
        value = self.find(key, expected)
        if type(value) is not int or not low <= value <= high:
            raise self.wrong(key, value, expected)

    def number(self, key: str, low: float, high: float) -> None:
        expected = f"a number from {low:g} to {high:g}"
        value = self.find(key, expected)
        if not _is_number(value) or not low <= value <= high:
            raise self.wrong(key, value, expected)

    def triple(self, key: str, low: float, high: float) -> None:
        expected = f"three numbers from {low:g} to {high:g}"
        value = self.find(key, expected)
        fits = isinstance(value, list) and len(value) == 3 and all(_is_number(v) and low <= v <= high for v in value)
        if not fits:
            raise self.wrong(key, value, expected)

    def knots(self, key: str) -> None:
        value = self.find(key, expected := "2 to 100 pairs of days, the first of each rising")
        pairs = isinstance(value, list) and all(isinstance(p, list) and len(p) == 2 for p in value)
        if not pairs or not all(_is_number(v) and 0 <= v <= 400 for pair in value for v in pair):
            raise self.wrong(key, value, expected)
        if not 2 <= len(value) <= 100 or any(a[0] >= b[0] for a, b in pairwise(value)):
            raise self.wrong(key, value, expected)

    def mapping(self, key: str) -> None:
        if not isinstance(self.data.get(key, {}), Mapping):
            raise self.wrong(key, self.data[key], "keys with values")


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 20 and all(isinstance(word, str) for word in value)


def _is_sha256(value: str) -> bool:
    return len(value) == 64 and all(c in "0123456789abcdefABCDEF" for c in value)


def _plain_name(value: str) -> bool:
    plain = all(c.isascii() and (c.isalnum() or c in "._-") for c in value)
    return plain and 0 < len(value) <= 100 and value.strip(".") != "" and not value.startswith("-")
