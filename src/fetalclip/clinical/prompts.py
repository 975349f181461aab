"""Prompt sets: JSON ``{class: [prompt, …]}``, ours in ``assets/prompts``, a user's from any file of that shape.

A prompt set in the published file's shape loads as it is; its class ``heart`` is shown as ``thorax``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from fetalclip.clinical.vocabulary import ALIASES, REJECTS
from fetalclip.errors import UsageError

PromptSet = dict[str, list[str]]

Prompts = PromptSet | str | Path | None
"""What a call takes: a prompt set, its name or a file; None for the model's own."""

_SHAPE = 'JSON of the form {"class": ["prompt", ...], ...} with two classes or more'
_MAX_BYTES = 5_000_000


def prompt_sets() -> list[str]:
    """Names of the bundled prompt sets."""
    folder = files("fetalclip") / "assets" / "prompts"
    return sorted(item.name.removesuffix(".json") for item in folder.iterdir() if item.name.endswith(".json"))


def load_prompts(name_or_path: str | Path) -> PromptSet:
    """A prompt set by its bundled name or from a file.

    Args:
        name_or_path: ``planes-9``, ``planes-4``, ``brain-3`` or a path to a JSON file.

    Returns:
        Class name to prompts, in the file's order, aliases resolved (``heart`` is ``thorax``).

    Raises:
        UsageError: no such set or file, or the file has another shape.
    """
    name = str(name_or_path)
    if name in prompt_sets():
        return parse_prompts((files("fetalclip") / "assets" / "prompts" / f"{name}.json").read_text("utf-8"), name)
    text = read_prompt_file(name_or_path, prompt_sets(), _SHAPE)
    return parse_prompts(text, name)


def prompt_set(prompts: Prompts) -> PromptSet | None:
    """A checked prompt set, from whatever a call takes; None for the model's own.

    Raises:
        UsageError: as `load_prompts` and `check_prompts`.
    """
    if prompts is None:
        return None
    return load_prompts(prompts) if isinstance(prompts, (str, Path)) else check_prompts(prompts)


def read_prompt_file(path: str | Path, bundled: Iterable[str], shape: str) -> str:
    """The text of a file of prompts.

    Args:
        path: as the user gave it.
        bundled: the names it could have been instead, for the message.
        shape: what such a file holds, for the message.

    Raises:
        UsageError: no such file, too large, or no text.
    """
    name, path = str(path), Path(path)
    try:
        there = path.is_file()
    except (OSError, ValueError):  # a name too long for a path, or with a zero byte
        there = False
    if not there:
        raise UsageError(f"no prompt set or file {name!r:.200}", "a file or one of " + ", ".join(bundled))
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UsageError(f"prompt file {name!r} of {path.stat().st_size} bytes", f"at most {_MAX_BYTES} bytes")
        return path.read_text("utf-8-sig")  # some editors put a byte order mark first
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"prompt file {name!r} cannot be read ({type(error).__name__})", shape) from None


def parse_prompts(text: str, name: str = "prompts") -> PromptSet:
    """Read and check the text of a prompt file.

    Raises:
        UsageError: not of the expected shape, or a class stands there twice.
    """
    try:
        data = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise UsageError(f"prompt file {name!r} is not JSON", _SHAPE) from None
    return check_prompts(data.pairs if isinstance(data, _Pairs) else data, f"prompt file {name!r}")


def check_prompts(data: Any, where: str = "the prompt set") -> PromptSet:
    """Check a prompt set.

    Args:
        data: a mapping of class to prompts, or its (class, prompts) pairs.
        where: how a message names it.

    Returns:
        A copy with aliases resolved.

    Raises:
        UsageError: fewer than two classes, a class twice, or one without texts.
    """
    pairs = list(data.items()) if isinstance(data, Mapping) else data
    if not isinstance(pairs, list) or len(pairs) < 2 or not all(isinstance(pair, tuple) for pair in pairs):
        raise UsageError(f"{where} holds no set of classes", _SHAPE)
    result: PromptSet = {}
    for key, prompts in pairs:
        texts = list(prompts) if isinstance(prompts, (list, tuple)) else []
        if not texts or not are_texts([key, *texts]):
            raise UsageError(f"class {key!r:.80} in {where} has no list of texts", _SHAPE)
        label = ALIASES.get(key, key)
        if label in result:
            raise UsageError(f"class {label!r:.80} twice in {where} (aliases: {ALIASES})", _SHAPE)
        result[label] = texts
    return result


class _Pairs:
    """A JSON object as it was written: a key that stands there twice is still seen."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def are_texts(values: Iterable[Any]) -> bool:
    """Whether all are texts that can be written, with something in them."""
    for value in values:
        # JSON may spell half of a character (a lone surrogate), which no encoding can write.
        if not isinstance(value, str) or not value.strip() or any("\ud800" <= c <= "\udfff" for c in value):
            return False
    return True


def reject_prompts() -> list[str]:
    """Texts for pictures that should get no plane."""
    return [text for phrases in REJECTS.values() for text in phrases]
