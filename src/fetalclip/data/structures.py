"""Structure sets: which structures a head draws and where masks of them come from; files in ``assets/structures``.

A source gives rows of (picture, masks of the structures it knows, place in the split). A structure that a source does
not know is no empty mask: nothing is said of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from fetalclip.caliper import SHAPES
from fetalclip.data.masks import Mask
from fetalclip.errors import BadRecipe
from fetalclip.frame import Frame

SCHEMA = "fetalclip.structures/1"
SOURCES = ("hc18", "head-structures", "phantom", "outlines", "folder")
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, eq=False)
class Outlined:
    """One picture with masks.

    Attributes:
        load: reads or draws it: the frame, and structure to bool (H, W) on its pixels, of every known structure.
        known: the structures that its masks are whole for.
        name: plain file name; never a feature.
        group: split key.
        split: ``train``, ``val`` or ``test``.
        dataset: where it comes from, or ``phantom``.
        license: of picture and masks.
        stamp: changes when the masks do, as far as can be told without reading them.
    """

    load: Callable[[], tuple[Frame, dict[str, Mask]]]
    known: tuple[str, ...]
    name: str
    group: str
    split: str
    dataset: str
    license: str
    stamp: str = ""


@dataclass(frozen=True)
class StructureSet:
    """What one head draws.

    Attributes:
        name: what the user types.
        title: in a headline.
        structures: in the order of the head's maps.
        plane: the plane on which it is asked for; empty for any.
        measures: symbols of what is measured from its masks.
        outset: structure to (pixels, side): by how much its annotations lie outside the structure's own edge, in
            pixels of a picture whose longer side has ``side`` pixels.
        shapes: structure to ``ellipse`` where its annotators draw nothing else: masks of it are tidied to one.
        guides: structure to the head that draws it, of those that tell the direction of a measure and that this head
            does not draw itself, such as the spine.
        convention: how the annotators drew, in words.
        sources: where masks come from, each with ``source`` and ``structures`` (ours to theirs).
    """

    name: str
    title: str
    structures: tuple[str, ...]
    plane: str = ""
    measures: tuple[str, ...] = ()
    outset: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    shapes: Mapping[str, str] = field(default_factory=dict)
    guides: Mapping[str, str] = field(default_factory=dict)
    convention: str = ""
    sources: tuple[Mapping[str, Any], ...] = ()


def set_names() -> list[str]:
    """Names of the structure sets that come with the package."""
    folder = _folder()
    return sorted(path.stem for path in folder.iterdir() if path.suffix == ".json") if folder.is_dir() else []


def load_set(name: str | Path) -> StructureSet:
    """A structure set by its name or file.

    Raises:
        BadRecipe: no such set, or a file that is not one; the message names the key.
    """
    path = Path(name)
    if not path.is_file():
        path = _folder() / f"{path.name.removesuffix('.json')}.json"
        if not path.is_file():
            known = set_names()
            near = get_close_matches(str(name), known, n=1)
            found = f"no structure set {str(name)!r:.100}"
            raise BadRecipe(found, "a JSON file, or one of " + ", ".join(known), *near)
    try:
        raw = path.read_bytes() if path.stat().st_size <= _MAX_BYTES else b""
        data = json.loads(raw.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadRecipe(f"{path.name} cannot be read ({type(error).__name__})", "a small JSON file") from None
    return _checked(data, path.name)


def _folder() -> Path:
    return Path(__file__).parents[1] / "assets" / "structures"


def _checked(data: Any, where: str) -> StructureSet:
    """A set from JSON; raises `BadRecipe` for the first key that is wrong."""

    def need(fits: bool, key: str, expected: str) -> None:
        if not fits:
            raise BadRecipe(f"{key!r} in {where}", expected)

    need(isinstance(data, dict) and data.get("schema") == SCHEMA, "schema", repr(SCHEMA))
    unknown = sorted(set(data) - {"schema", *StructureSet.__dataclass_fields__})
    need(not unknown, unknown[0] if unknown else "", "no such key")
    name, structures = data.get("name"), data.get("structures")
    need(isinstance(name, str) and 0 < len(name) <= 60 and Path(name).name == name, "name", "a plain name")
    named = _words(structures) and 0 < len(structures) <= 64 and len(set(structures)) == len(structures)
    need(named, "structures", "one to 64 names, each once")
    for key in ("title", "plane", "convention"):
        need(isinstance(data.get(key, ""), str), key, "text")
    need(_words(data.get("measures", [])), "measures", "a list of symbols")
    outset = data.get("outset", {})
    need(isinstance(outset, dict) and set(outset) <= set(structures), "outset", "structures of this set")
    for value in outset.values():
        fits = isinstance(value, dict) and _number(value.get("pixels"), -50, 50) and _number(value.get("side"), 1, 1e5)
        need(fits, "outset", '{"structure": {"pixels": 1.4, "side": 800}}')
    shapes = data.get("shapes", {})
    fits = isinstance(shapes, dict) and set(shapes) <= set(structures) and set(shapes.values()) <= set(SHAPES)
    need(fits, "shapes", '{"structure": "ellipse"}')
    guides = data.get("guides", {})
    need(isinstance(guides, dict) and _words(list(guides.values())), "guides", '{"spine": "abdomen-view"}')
    sources = data.get("sources")
    need(isinstance(sources, list) and 0 < len(sources) <= 20, "sources", "one or more")
    for source in sources:
        need(isinstance(source, dict) and source.get("source") in SOURCES, "source", " or ".join(SOURCES))
        maps = source.get("structures")
        fits = (
            isinstance(maps, dict) and bool(maps) and set(maps) <= set(structures) and all(map(_words, maps.values()))
        )
        need(fits, "sources.structures", "our structures, each with a list of theirs")
    return StructureSet(
        name,
        data.get("title", name),
        tuple(structures),
        data.get("plane", ""),
        tuple(data.get("measures", [])),
        {key: (float(value["pixels"]), float(value["side"])) for key, value in outset.items()},
        dict(shapes),
        dict(guides),
        data.get("convention", ""),
        tuple(sources),
    )


def _words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) and 0 < len(word) <= 100 for word in value)


def _number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def joined(masks: Mapping[str, Mask], wanted: Mapping[str, Sequence[str]]) -> dict[str, Mask]:
    """Our structures from theirs: the union of the ones named."""
    return {ours: _union([masks[name] for name in names]) for ours, names in wanted.items()}


def _union(masks: Iterable[Mask]) -> Mask:
    first, *rest = masks
    whole = first.astype(bool)
    for mask in rest:
        whole = whole | mask
    return whole
