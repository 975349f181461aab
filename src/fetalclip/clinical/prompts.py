"""Prompt sets: JSON ``{class: [prompt, …]}``, ours in ``assets/prompts``, a user's from any file of that shape.

A prompt set in the published file's shape loads as it is; its class ``heart`` is shown as ``thorax``.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from fetalclip.clinical.vocabulary import ALIASES, REJECTS
from fetalclip.errors import UsageError

PromptSet = dict[str, list[str]]

_SHAPE = 'JSON of the form {"class": ["prompt", ...], ...} with two classes or more'
_MAX_BYTES = 5_000_000


def prompt_sets() -> list[str]:
    """Names of the bundled prompt sets."""
    folder = files("fetalclip") / "assets" / "prompts"
    return sorted(item.name.removesuffix(".json") for item in folder.iterdir() if item.name.endswith(".json"))


def load_prompts(name_or_path: str | Path) -> PromptSet:
    """A prompt set by its bundled name or from a file.

    Args:
        name_or_path: ``planes-9``, ``planes-4`` or a path to a JSON file.

    Returns:
        Class name to prompts, in the file's order, aliases resolved (``heart`` is ``thorax``).

    Raises:
        UsageError: no such set or file, or the file has another shape.
    """
    name = str(name_or_path)
    if name in prompt_sets():
        return parse_prompts((files("fetalclip") / "assets" / "prompts" / f"{name}.json").read_text("utf-8"), name)
    path = Path(name_or_path)
    if not path.is_file():
        raise UsageError(f"no prompt set or file {name!r}", "a file or one of " + ", ".join(prompt_sets()))
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UsageError(f"prompt file {name!r} of {path.stat().st_size} bytes", f"at most {_MAX_BYTES} bytes")
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"prompt file {name!r} cannot be read ({type(error).__name__})", _SHAPE) from None
    return parse_prompts(text, name)


def parse_prompts(text: str, name: str = "prompts") -> PromptSet:
    """Check and read a prompt set.

    Raises:
        UsageError: not of the expected shape.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"prompt file {name!r} is not JSON", _SHAPE) from None
    if not isinstance(data, dict) or len(data) < 2:
        raise UsageError(f"prompt file {name!r} holds no set of classes", _SHAPE)
    result: PromptSet = {}
    for key, prompts in data.items():
        good = isinstance(prompts, list) and prompts and all(isinstance(p, str) and p.strip() for p in prompts)
        if not good:
            raise UsageError(f"class {key!r} in prompt file {name!r} has no list of texts", _SHAPE)
        label = ALIASES.get(key, key)
        if label in result:
            raise UsageError(f"class {label!r} twice in prompt file {name!r} (aliases: {ALIASES})", _SHAPE)
        result[label] = list(prompts)
    return result


def reject_prompts() -> list[str]:
    """Texts for pictures that should get no plane."""
    return [text for phrases in REJECTS.values() for text in phrases]
