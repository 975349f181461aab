"""Templates of gestational-age prompts: sentences with ``{weeks}``, ``{day}`` and ``{pixel_spacing}``.

Ours stand in ``assets/prompts/age`` and put the spacing last: the texts of one day then begin alike, whatever the
spacing, and what they share is encoded once. A file in the published shape, whatever its order, loads as it is.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import Any

from fetalclip.clinical.prompts import are_texts, read_prompt_file
from fetalclip.errors import BadValue, UsageError

DEFAULT_TEMPLATES = "age-5"
DAYS = range(98, 273)
"""The candidates of the published protocol: 175 days, 14w0d to 38w6d."""

PLACEHOLDERS = {"weeks": ("", "d"), "day": ("", "d"), "pixel_spacing": ("", ".2f")}
"""What a template must hold, with the formats it may ask for: whole numbers, and two decimals."""

_SHAPE = 'JSON ["sentence with {weeks}, {day} and {pixel_spacing}", ...], or such sentences one a line'
_MAX_TEMPLATES, _MAX_CHARACTERS = 100, 2000


@dataclass(frozen=True)
class AgeTemplates:
    """A set of templates whose scores are averaged.

    Attributes:
        name: the bundled set's name, or the file's.
        templates: sentences, each with every one of ``PLACEHOLDERS``.

    Raises:
        UsageError: no template, too many, or one that lacks a placeholder or has another.
    """

    name: str
    templates: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.templates) <= _MAX_TEMPLATES:
            found = f"age templates {self.name!r:.200} hold {len(self.templates)} sentences"
            raise UsageError(found, f"1 to {_MAX_TEMPLATES}: {_SHAPE}")
        for number, template in enumerate(self.templates, 1):
            _check(template, f"template {number} of {self.name!r:.200}")

    def fill(self, days: int, spacing: float) -> list[str]:
        """The texts of one day at one spacing, in the templates' order.

        Args:
            days: gestational age, whole days.
            spacing: mm per pixel of the picture the tower sees; two decimals are written.

        Raises:
            BadValue: an age below 0, or a spacing that is not a number or would be written as 0.00.
        """
        if operator.index(days) < 0:
            raise BadValue(f"an age of {days} days", "0 days or more")
        weeks, day = divmod(operator.index(days), 7)
        values = {"weeks": str(weeks), "day": str(day), "pixel_spacing": spacing_text(spacing)}
        return ["".join(before + values.get(name, "") for before, name in _pieces(t)) for t in self.templates]


def spacing_text(spacing: float) -> str:
    """A spacing as prompts write it: two decimals.

    Raises:
        BadValue: not a number, or nothing is left of it at two decimals.
    """
    text = f"{spacing:.2f}"
    if not math.isfinite(spacing) or float(text) <= 0:
        expected = "0.01 mm per pixel or more, after padding and resizing"
        raise BadValue(f"a pixel spacing of {spacing:g} mm in an age prompt", expected, "--pixel-spacing 0.07")
    return text


def age_template_sets() -> list[str]:
    """Names of the bundled sets."""
    folder = files("fetalclip") / "assets" / "prompts" / "age"
    return sorted(item.name.removesuffix(".json") for item in folder.iterdir() if item.name.endswith(".json"))


def load_age_templates(name_or_path: str | Path = DEFAULT_TEMPLATES) -> AgeTemplates:
    """A set of templates by its bundled name or from a file.

    A file is JSON (a list of sentences, or an object with one such list: that under ``templates``, or the only one)
    or text with one sentence a line.

    Raises:
        UsageError: no such set or file, another shape, or a template without its placeholders.
    """
    name = str(name_or_path)
    if name in age_template_sets():
        text = (files("fetalclip") / "assets" / "prompts" / "age" / f"{name}.json").read_text("utf-8")
        return AgeTemplates(name, parse_age_templates(text, name, is_json=True))
    text = read_prompt_file(name_or_path, age_template_sets(), _SHAPE)
    is_json = Path(name).suffix.lower() == ".json" or text.lstrip().startswith(("[", '{"', "{\n", "{\r"))
    short = Path(name).name
    return AgeTemplates(short, parse_age_templates(text, short, is_json))


def parse_age_templates(text: str, name: str, is_json: bool) -> tuple[str, ...]:
    """The sentences of a template file's text.

    Raises:
        UsageError: not of the expected shape.
    """
    where = f"age template file {name!r:.200}"
    if not is_json:
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"{where} is not JSON", _SHAPE) from None
    if isinstance(data, Mapping):
        named = {key: value for key, value in data.items() if key == "templates"} or data
        lists = [value for value in named.values() if isinstance(value, list)]
        if len(lists) != 1:
            raise UsageError(f"{where} holds {len(lists)} lists of sentences", f"one list: {_SHAPE}")
        data = lists[0]
    if not isinstance(data, list) or not are_texts(data):
        raise UsageError(f"{where} holds no list of sentences", _SHAPE)
    return tuple(data)


def _pieces(template: str) -> Iterator[tuple[str, str]]:
    """Literal text and the name of the placeholder after it (empty: none)."""
    for before, name, _, _ in Formatter().parse(template):
        yield before, name or ""


def _check(template: str, where: str) -> None:
    """Raise ``UsageError`` unless the template holds every placeholder and nothing else between braces.

    The numbers are put in by ``fill`` itself: ``str.format`` would follow ``{weeks.__class__}`` into the program.
    """
    if not are_texts([template]) or len(template) > _MAX_CHARACTERS:
        raise UsageError(f"{where} is no sentence of at most {_MAX_CHARACTERS} characters", _SHAPE)
    expected = "each of " + ", ".join("{" + name + "}" for name in PLACEHOLDERS) + " and no other braces"
    found = set()
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:  # a brace without its other half
        raise UsageError(f"{where} cannot be read ({error})", expected) from None
    for _, name, form, conversion in parsed:
        if name is None:
            continue
        if name not in PLACEHOLDERS:
            raise UsageError(f"{where} has the unknown placeholder {{{name:.60}}}", expected)
        if conversion is not None or form not in PLACEHOLDERS[name]:
            asked = (f"!{conversion}" if conversion else "") + (f":{form:.40}" if form else "")
            plain = "{pixel_spacing} or {pixel_spacing:.2f}" if name == "pixel_spacing" else f"{{{name}}}"
            raise UsageError(f"{where} has {{{name}{asked}}}", plain)
        found.add(name)
    if missing := [name for name in PLACEHOLDERS if name not in found]:
        raise UsageError(f"{where} has no {{{missing[0]}}}: {template[:80]!r}", expected)
