"""How open a released model is, by the Model Openness Framework: what is there, under which licence, what is missing.

The framework is data (``assets/openness/mof-DATE.json``, the newest counts) and so are the licences
(``assets/openness/licenses.json``). A class is reached when every required component of it and of the classes below is
there under a licence that is open for that kind of component; nothing is reached in part.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from fetalclip.bench.told import cell

SCHEMA = "fetalclip.openness/1"


@dataclass(frozen=True)
class Component:
    """One component of the framework.

    Attributes:
        id, name: its key and what a reader sees.
        level: the class that first asks for it: ``III``, ``II`` or ``I``.
        required: whether that class asks for it or only welcomes it.
        open_as: kinds of licence that open it: ``code``, ``data``, ``document``.
        instead: id of the component that may stand in for it, or empty.
        unlicensed: whether it may come without any licence.
    """

    id: str
    name: str
    level: str
    required: bool
    open_as: tuple[str, ...]
    instead: str = ""
    unlicensed: bool = False


@dataclass(frozen=True)
class Framework:
    """One version of the framework; ``classes`` are (id, name), the least demanding first."""

    name: str
    version: str
    source: str
    classes: tuple[tuple[str, str], ...]
    components: tuple[Component, ...]


@dataclass(frozen=True)
class Found:
    """What was found of one component.

    Attributes:
        present: whether it is there.
        where: files of the folder, modules of this package, or public records.
        licenses: SPDX names of the licences it is under, all of them; empty for none.
        note: what a reader should know; of something missing, why.
    """

    present: bool
    where: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Line:
    """A component, what was found of it, and whether its licence is open for it."""

    component: Component
    found: Found
    open: bool

    @property
    def good(self) -> bool:
        """Whether the component counts: there, and open."""
        return self.found.present and self.open

    @property
    def lacks(self) -> str:
        """What keeps it from counting, in words; empty when nothing does."""
        if self.good:
            return ""
        if not self.found.present:
            return f"{self.component.name}: missing" + (f" ({self.found.note})" if self.found.note else "")
        return f"{self.component.name}: {_closed(self.found.licenses)}"

    def cells(self) -> list[str]:
        """One row of the page, in the order component, class, there, licence, open, where, note."""
        found, optional = self.found, "" if self.component.required else " (o)"
        there, is_open = ("yes" if found.present else "no"), ("yes" if self.open else "no") if found.present else ""
        words = [", ".join(found.licenses), is_open, "; ".join(found.where), found.note]
        return [self.component.name, self.component.level + optional, there, *map(cell, words)]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "id": self.component.id,
            "name": self.component.name,
            "class": self.component.level,
            "required": self.component.required,
            "present": self.found.present,
            "where": list(self.found.where),
            "licenses": list(self.found.licenses),
            "open": self.open if self.found.present else None,
            "note": self.found.note or None,
        }


@dataclass(frozen=True)
class Openness:
    """The framework applied to one model.

    Attributes:
        framework: the version that was applied.
        lines: one for each of its components, in its order.
        remarks: what holds of the whole model, for example that its weights are random.
    """

    framework: Framework
    lines: tuple[Line, ...]
    remarks: tuple[str, ...] = field(default=())

    @property
    def reached(self) -> str:
        """The highest class whose required components, and those of the classes below, all count; else empty."""
        reached = ""
        for level, _ in self.framework.classes:
            if self.lacking(level):
                break
            reached = level
        return reached

    def lacking(self, level: str) -> list[Line]:
        """The required components of a class, and of the classes below it, that do not count."""
        names = [name for name, _ in self.framework.classes]
        asked = names[: names.index(level) + 1]
        good = {line.component.id for line in self.lines if line.good}
        return [
            line
            for line in self.lines
            if line.component.required
            and line.component.level in asked
            and not line.good
            and line.component.instead not in good
        ]

    @property
    def verdict(self) -> str:
        """One sentence: the class that is reached, or that none is."""
        title = dict(self.framework.classes).get(self.reached)
        what = f"Class {self.reached} ({title})" if title else "no class"
        return f"{self.framework.name}, {self.framework.version}: {what} reached."

    def gaps(self) -> Iterator[tuple[str, list[str]]]:
        """Each class that is not reached, with what it lacks; what the class below lacks is not told twice."""
        below = ""
        for level, title in self.framework.classes:
            if lacking := self.lacking(level):
                own = [line.lacks for line in lacking if line.component.level == level]
                yield f"Class {level} ({title})", [*([f"what {below} lacks"] if below else []), *own]
                below = f"Class {level}"

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, the content of ``openness.json``."""
        return {
            "schema": SCHEMA,
            "framework": {
                "name": self.framework.name,
                "version": self.framework.version,
                "source": self.framework.source,
            },
            "class": self.reached or None,
            "missing": {
                level: [line.component.id for line in self.lacking(level)] for level, _ in self.framework.classes
            },
            "remarks": list(self.remarks),
            "components": [line.to_dict() for line in self.lines],
        }

    def to_markdown(self, name: str) -> str:
        """The page ``OPENNESS.md`` of a model of this name."""
        rows = [["component", "class", "there", "licence", "open", "where", "note"], ["---"] * 7]
        rows += [line.cells() for line in self.lines]
        return "\n".join(
            [
                f"# Openness of {name}",
                "",
                f"**{self.verdict}** {self.framework.source}.",
                "",
                *(part for remark in self.remarks for part in (cell(remark), "")),
                *(f"| {' | '.join(row)} |" for row in rows),
                "",
                "A class asks for every required component of it and of the classes above it in this table, each under",
                "a licence that is open for that kind of component. What is marked (o) is welcome and not asked for.",
                "",
                *(part for title, lacks in self.gaps() for part in (f"{title} lacks:", "", *_bullets(lacks), "")),
            ]
        )


def assess(found: Mapping[str, Found], remarks: tuple[str, ...] = ()) -> Openness:
    """Hold what was found against the newest framework.

    Args:
        found: by component id; a component that is not in it is missing.
        remarks: see `Openness`.
    """
    framework = newest()
    lines = []
    for component in framework.components:
        here = found.get(component.id, Found(False))
        lines.append(Line(component, here, here.present and _open(component, here.licenses)))
    return Openness(framework, tuple(lines), remarks)


def newest() -> Framework:
    """The framework of the newest file."""
    folder = files("fetalclip") / "assets" / "openness"
    names = sorted(path.name for path in folder.iterdir() if path.name.startswith("mof-"))
    data = json.loads((folder / names[-1]).read_text("utf-8"))
    components = tuple(
        Component(
            id=c["id"],
            name=c["name"],
            level=c["class"],
            required=c["required"],
            open_as=tuple(c["open_as"]),
            instead=c.get("or", ""),
            unlicensed=c.get("unlicensed", False),
        )
        for c in data["components"]
    )
    classes = tuple((c["id"], c["name"]) for c in data["classes"])
    return Framework(data["name"], data["version"], data["source"], classes, components)


def spdx(name: str) -> str:
    """A licence's name as SPDX writes it; empty for one that is not in the table."""
    return next((known for known in _licenses() if known.casefold() == name.casefold()), "")


def is_open(license_: str, kinds: tuple[str, ...]) -> bool:
    """Whether a licence, by its SPDX name, opens something as one of the kinds; one that is not known does not."""
    return bool(set(kinds) & set(_licenses().get(spdx(license_), {}).get("open_as", ())))


def _bullets(lines: list[str]) -> list[str]:
    return [f"- {cell(line)}" for line in lines]


def _open(component: Component, licenses: tuple[str, ...]) -> bool:
    if not licenses:
        return component.unlicensed
    return all(is_open(name, component.open_as) for name in licenses)


def _closed(licenses: tuple[str, ...]) -> str:
    """Why licences do not open a component."""
    if not licenses:
        return "no licence"
    why = {name: _reason(name) for name in licenses}
    return "not open under " + ", ".join(f"{name} ({reason})" for name, reason in why.items())


def _reason(name: str) -> str:
    known = _licenses().get(spdx(name))
    if known is None:
        return "not in the table of licences"
    return str(known.get("why") or f"open for {' and '.join(known['open_as'])} only")


def _licenses() -> dict[str, Any]:
    path = files("fetalclip") / "assets" / "openness" / "licenses.json"
    table: dict[str, Any] = json.loads(path.read_text("utf-8"))["licenses"]
    return table
