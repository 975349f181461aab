"""Where things are kept, which device to use, and recipes as frozen dataclasses.

A recipe is a YAML file that states only how it differs from the defaults of a dataclass, plus ``key=value``
words from the command line. What the dataclass does not know, or of another type, is an error that names it.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
import sys
import types
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from fetalclip.errors import BadRecipe, UsageError

T = TypeVar("T")
Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["fp32", "bf16"]

_MAX_RECIPE_BYTES = 1_000_000
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def cache_folder() -> Path:
    """The folder for things that can be made again; not created here.

    ``FETALCLIP_CACHE`` if set, else the platform's place: ``$XDG_CACHE_HOME`` or ``~/.cache`` on Linux,
    ``~/Library/Caches`` on macOS, ``%LOCALAPPDATA%`` on Windows; ``fetalclip`` below it.
    """
    own = os.environ.get("FETALCLIP_CACHE", "")
    if own:
        return Path(own).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "fetalclip" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "fetalclip"
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG rule: a path that is not absolute is ignored.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "fetalclip"


def device_choice(value: str | None = None) -> Device:
    """Parse a device word; torch is neither loaded nor asked.

    Args:
        value: ``auto``, ``cpu`` or ``cuda``; None reads ``FETALCLIP_DEVICE`` and falls back to ``auto``.

    Raises:
        UsageError: for any other word.
    """
    word = (os.environ.get("FETALCLIP_DEVICE", "") or "auto") if value is None else value
    known = get_args(Device)
    if word.lower() not in known:
        raise UsageError(f"the device {word!r}", "one of " + ", ".join(known), "FETALCLIP_DEVICE=cpu")
    return word.lower()  # type: ignore[return-value]


def precision_choice(value: str | None = None) -> Precision:
    """Parse a precision word.

    Args:
        value: ``fp32`` or ``bf16``; None reads ``FETALCLIP_PRECISION`` and falls back to ``fp32``.

    Raises:
        UsageError: for any other word.
    """
    word = (os.environ.get("FETALCLIP_PRECISION", "") or "fp32") if value is None else value
    known = get_args(Precision)
    if word.lower() not in known:
        raise UsageError(f"the precision {word!r:.40}", "one of " + ", ".join(known), "FETALCLIP_PRECISION=fp32")
    return word.lower()  # type: ignore[return-value]


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = _recipe_folder()
    if not folder.is_dir():
        return []
    return sorted(path.stem for path in folder.iterdir() if path.suffix == ".yaml")


def find_recipe(name: str | Path) -> Path:
    """The file behind a recipe: a path as given, or the name of one that comes with the package.

    Raises:
        BadRecipe: if there is neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    word = path.name.removesuffix(".yaml")
    names = recipe_names()
    if str(name) in (word, word + ".yaml") and word in names:
        return _recipe_folder() / f"{word}.yaml"
    known = ", ".join(names) or "none yet"
    near = get_close_matches(word, names, n=1)
    fix = f"fetalclip train {near[0]}" if near else "a path to a .yaml file that exists"
    raise BadRecipe(f"no recipe {str(name)!r}", f"a YAML file, or one that is included ({known})", fix)


def load_recipe(cls: type[T], path: str | Path, overrides: list[str] | None = None) -> T:
    """Read a recipe into a frozen dataclass.

    Args:
        cls: a frozen dataclass whose fields all have defaults; fields may be frozen dataclasses themselves.
        path: a YAML file, or the name of a recipe that comes with the package.
        overrides: words such as ``epochs=3`` or ``optimiser.rate=1e-4``; the last one of a key counts.

    Returns:
        ``cls`` with the file's values over its defaults and the overrides over both.

    Raises:
        BadRecipe: unknown key (with the nearest one and the list), wrong type, broken YAML, no such file.
    """
    found = find_recipe(path)
    values = _read_yaml(found)
    for word in overrides or []:
        _set(values, word, cls)
    return _build(cls, values, "", found.name)


def recipe_value(path: str | Path, key: str, overrides: list[str] | None = None) -> str:
    """One top-level text of a recipe before its dataclass is known, or empty; errors as `load_recipe`."""
    given = [word.partition("=")[2] for word in overrides or [] if word.partition("=")[0] == key]
    said = given[-1] if given else _read_yaml(find_recipe(path)).get(key, "")
    return said if isinstance(said, str) else ""


def _recipe_folder() -> Path:
    return Path(__file__).parent / "assets" / "recipes"


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key given twice is an error instead of a silent choice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_RECIPE_BYTES:
            raise BadRecipe(f"a recipe of {path.stat().st_size} bytes ({path.name})", "at most 1 MB")
        text = path.read_text(encoding="utf-8")
        values = yaml.load(text, Loader=_Loader)  # a SafeLoader: builds plain values only
    except (OSError, UnicodeDecodeError) as error:
        raise BadRecipe(f"{path.name} could not be read as text", "a UTF-8 YAML file") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or "it cannot be parsed"
        raise BadRecipe(f"{path.name} is not YAML{where}: {what}", "lines of 'key: value'") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise BadRecipe(f"{path.name} holds a {_kind(values)}", "lines of 'key: value' with words as keys")
    return values


def _set(values: dict[str, Any], word: str, cls: type) -> None:
    """Put one ``a.b=value`` into the nested values. What the value means is decided by the field's type."""
    key, equals, text = word.partition("=")
    if not equals or not key:
        raise BadRecipe(f"the word {word!r}", "key=value", "epochs=3 or optimiser.rate=1e-4")
    *parents, last = key.split(".")
    inner: Any = values
    for depth, name in enumerate(parents):
        declared = _fields(cls).get(name)
        if declared is None or not dataclasses.is_dataclass(declared):
            _known(name, cls, ".".join(parents[:depth]), "the command line")
            raise BadRecipe(f"the key {key!r}", f"{name!r} to be a single value, without a dot")
        cls = declared  # type: ignore[assignment]
        inner = inner.setdefault(name, {})
        if not isinstance(inner, dict):
            raise BadRecipe(f"{name!r} is a {_kind(inner)} in the file", f"keys below it, since {key!r} was given")
    _known(last, cls, ".".join(parents), "the command line")
    inner[last] = _Word(text)


class _Word(str):
    """A value typed on the command line: text until the field's type says otherwise."""


@cache
def _fields(cls: type) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}


def _known(name: str, cls: type, where: str, source: str) -> None:
    names = sorted(_fields(cls))
    if name in names:
        return
    dotted = f"{where}.{name}" if where else name
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    fix = f"{where + '.' if where else ''}{near[0]}" if near else ""
    raise BadRecipe(f"the key {dotted!r} in {source} is not known", "one of " + ", ".join(names), fix)


def _build(cls: type[T], values: Mapping[str, Any], where: str, source: str) -> T:
    if not (dataclasses.is_dataclass(cls) and cls.__dataclass_params__.frozen):  # type: ignore[attr-defined]
        raise TypeError(f"{cls.__name__} is not a frozen dataclass")
    made: dict[str, Any] = {}
    for name, value in values.items():
        _known(name, cls, where, source)
        made[name] = _value(_fields(cls)[name], value, f"{where}.{name}" if where else name, source)
    try:
        return cls(**made)
    except ValueError as error:  # the dataclass's own check of its values
        raise BadRecipe(f"{source}: {error}") from error
    except TypeError as error:  # a field without a default was not given
        raise BadRecipe(f"{source} leaves something out: {error}") from error


_WRONG = object()


def _value(kind: Any, value: Any, name: str, source: str) -> Any:
    if isinstance(value, _Word):
        value = _from_word(kind, value, name)
        source = "the command line"
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise BadRecipe(f"{source}: a key of {name!r} is a {_kind(key)}", "words as keys")
        return _build(kind, value, name, source)
    fitted = _fit(kind, value)
    if fitted is _WRONG:
        shown = f"{value!r:.60}"
        raise BadRecipe(f"{name!r} in {source} is {shown}, a {_kind(value)}", _describe(kind))
    return fitted


def _from_word(kind: Any, word: _Word, name: str) -> Any:
    text = str(word)
    try:
        parsed = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError, ValueError):
        parsed = text
    if _fit(kind, parsed) is _WRONG and _fit(kind, text) is not _WRONG:
        return text  # a word for a text field: name=no, name=3
    return parsed


def _fit(kind: Any, value: Any) -> Any:
    """The value as ``kind``, or ``_WRONG``. Lists become tuples so that a recipe stays frozen."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        fits = (_fit(arg, value) for arg in args)
        return next((fitted for fitted in fits if fitted is not _WRONG), _WRONG)
    if origin is Literal:
        # bool equals int in Python: True must not pass as 1.
        return next((arg for arg in args if type(arg) is type(value) and arg == value), _WRONG)
    if origin is tuple:
        return _fit_tuple(args, value)
    if origin in (dict, Mapping):
        return _fit_mapping(args, value)
    if kind is Any:
        return value
    if kind is type(None):
        return None if value is None else _WRONG
    if kind is float:
        return _fit_float(value)
    if kind is Path:
        return Path(value) if isinstance(value, str) else _WRONG
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        return _build(kind, value, "", "the recipe")
    if kind in (int, str, bool):
        return value if type(value) is kind else _WRONG
    return _WRONG


def _fit_float(value: Any) -> Any:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)  # YAML 1.1 reads 1e-4, without a dot, as text
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return _WRONG
    try:
        number = float(value)
    except OverflowError:
        return _WRONG
    return number if math.isfinite(number) else _WRONG


def _fit_tuple(args: tuple[Any, ...], value: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        return _WRONG
    if len(args) == 2 and args[1] is Ellipsis:
        args = (args[0],) * len(value)
    if len(args) != len(value):
        return _WRONG
    fitted = tuple(_fit(arg, item) for arg, item in zip(args, value, strict=True))
    return _WRONG if any(item is _WRONG for item in fitted) else fitted


def _fit_mapping(args: tuple[Any, ...], value: Any) -> Any:
    if not isinstance(value, dict):
        return _WRONG
    fitted = {_fit(args[0], key): _fit(args[1], item) for key, item in value.items()}
    wrong = any(key is _WRONG or item is _WRONG for key, item in fitted.items())
    return _WRONG if wrong else fitted


_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    type(None): "null",
    Path: "a path",
}


def _describe(kind: Any) -> str:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(_describe(arg) for arg in args)
    if origin is Literal:
        return "one of " + ", ".join(str(arg) for arg in args)
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return f"a list, each item {_describe(args[0])}"
        return f"a list of {len(args)}: " + ", ".join(_describe(arg) for arg in args)
    if origin in (dict, Mapping):
        return f"keys with values, each {_describe(args[1])}"
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return "keys below it: " + ", ".join(sorted(_fields(kind)))
    return _WORDS.get(kind, str(kind))


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "set of keys"
    if isinstance(value, (list, tuple)):
        return "list"
    return _WORDS.get(type(value), type(value).__name__).removeprefix("a ").replace("null", "null value")
