"""A map of embeddings as one page: a field to move in, small pictures, the numbers. One script, inside; no link out."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any

import numpy as np

from fetalclip.report.html import head
from fetalclip.report.maps import UNLABELLED, Places, by_size, colours
from fetalclip.report.sprite import SIDE, Sprite
from fetalclip.report.text import safe, sentence

Told = dict[str, Any]

TITLES = {"umap": "UMAP", "pca": "PCA"}
MOST_POINTS = 50_000  # on one page
_LONG = 160  # characters of a name or text

_THUMBNAILS = (
    "The small pictures and the file names on this page come from patients. Do not pass the page on as it is: "
    "--no-thumbnails --no-names makes one without them."
)
_NAMES = "The names on this page can hold identifiers of patients; --no-names makes a page without them."
_READING = (
    "One dot is one embedding. A map has two dimensions and an embedding has hundreds, so no map is true: the numbers "
    "of the embedding come first, and those of a map say how much of it the map kept. On a UMAP who is near whom is "
    "meant; distances between clusters, their sizes and their places are not. On a PCA distances are true as far as "
    "the share of variance goes. Intervals are of 95 % over patients, or over pictures where no patients are known, "
    "and hold each picture's own value fixed. Numbers of pictures that a model was trained on flatter it."
)


@dataclass(frozen=True)
class Points:
    """What is on the map, row for row.

    Attributes:
        rows: places in the file of embeddings.
        labels: of each; empty as a whole without.
        names: of each; None shows row numbers instead.
        thumbs: place in the sprite, -1 for none; None without small pictures.
        sprite: the small pictures.
    """

    rows: Sequence[int]
    labels: Sequence[str]
    names: Sequence[str] | None = None
    thumbs: Sequence[int] | None = None
    sprite: Sprite | None = None


def map_page(told: Told, maps: Sequence[tuple[str, Places]], points: Points, created: datetime) -> Iterator[str]:
    """The page in pieces.

    Args:
        told: the map's JSON, schema ``fetalclip.map/1``.
        maps: method and (n, 2) places of each, in the order of their buttons.
        points: what the rows are.
        created: when.
    """
    folder = resources.files("fetalclip.report")
    script = folder.joinpath("map.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    yield head("Map of embeddings", "map.css", policy=policy)
    yield _header(told, points, created)
    yield "<main>\n"
    kept = _kept(len(points.rows))
    yield _field([name for name, _ in maps], points, len(kept))
    yield _numbers(told)
    yield "</main>\n<footer><section>\n<h2>How to read this</h2>\n"
    made = told["provenance"]
    by = f", model {safe(made['model'])}" if made.get("model") else ""
    yield f"<p>{safe(_READING)}</p>\n<p>Made by fetalclip {safe(made['version'])}{by}.</p>\n</section></footer>\n"
    if points.sprite is not None:
        yield f'<img id="sprite" src="{points.sprite.uri}" alt="" hidden>\n'
    data = json.dumps(_data(maps, points, kept), ensure_ascii=True, separators=(",", ":"))
    data = data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    yield f'<script type="application/json" id="map-data">{data}</script>\n'
    yield f"<script>{script}</script>\n</body>\n</html>\n"


def _header(told: Told, points: Points, created: datetime) -> str:
    seen = told["input"]
    facts = {
        "Embeddings": f"{told['shown']} of width {seen['width']}",
        "Model": told["provenance"].get("model") or "not told",
        "Coloured by": told["label"] or "nothing",
        "Patients": told["patients"] if told["patients"] is not None else "not told",
        "Only rows with": told["where"],
    }
    rows = "".join(f"<div><dt>{k}</dt><dd>{safe(v)}</dd></div>\n" for k, v in facts.items() if v != "")
    notes = [_THUMBNAILS if points.sprite is not None else _NAMES if points.names is not None else ""]
    said = "".join(f'<p class="notice" role="note">{safe(note)}</p>\n' for note in [*notes, *told["warnings"]] if note)
    when = created.strftime("%d %B %Y, %H:%M %Z").strip()
    return (
        f'<header>\n<h1>Map of embeddings</h1>\n<p class="when">{safe(when)}</p>\n'
        f'<dl class="made">\n{rows}</dl>\n{said}</header>\n'
    )


def _field(methods: Sequence[str], points: Points, shown: int) -> str:
    """Buttons, the field itself and the legend; the script brings them to life."""
    pressed = ("true", "false")
    buttons = "".join(
        f'<button type="button" data-map="{i}" aria-pressed="{pressed[i > 0]}">{safe(TITLES[name])}</button>\n'
        for i, name in enumerate(methods)
    )
    classes = by_size(points.labels)
    rows = [(name, count, code) for code, (name, count) in enumerate(classes)]
    bare = sum(not label for label in points.labels)
    rows += [("no label", bare, -1)] if bare else []
    legend = "".join(
        f'<li><button type="button" data-code="{code}" aria-pressed="true"><i></i>'
        f"{safe(name)}<small>{count}</small></button></li>\n"
        for name, count, code in rows
    )
    few = f" {shown} of {len(points.rows)} dots are on this page, drawn at random." if shown < len(points.rows) else ""
    thumbs = [thumb for thumb in points.thumbs or () if thumb >= 0]
    if points.sprite is not None and len(thumbs) < len(points.rows):
        few += f" {len(thumbs)} of them have a small picture."
    hint = (
        "Drag to move, wheel or + and − to go closer, 0 for the whole, . and , to go from picture to picture, Esc to "
        "let go. A label's button hides it; with Shift it shows that label alone." + few
    )
    return (
        f'<section>\n<h2>Map</h2>\n<noscript><p class="notice">The map itself needs JavaScript.</p></noscript>\n'
        f'<div class="map"><div>\n<div class="bar">{buttons}<span class="gap"></span>'
        '<button type="button" id="closer" aria-label="Closer">+</button>'
        '<button type="button" id="farther" aria-label="Farther">−</button>'
        '<button type="button" id="whole">Whole map</button></div>\n'
        '<div class="stage" id="stage"><canvas class="field" id="field" tabindex="0" role="application" '
        f'aria-label="Map of {shown} embeddings" aria-describedby="hint"></canvas>'
        '<div class="tip" id="tip" hidden></div></div>\n'
        f'<p class="hint" id="hint">{safe(hint)}</p><p class="heard" id="heard" aria-live="polite"></p>\n</div>\n'
        f'<ul class="legend" aria-label="Labels">\n{legend}</ul>\n</div>\n</section>\n'
    )


def _numbers(told: Told) -> str:
    """A table for the embedding, then one for each map."""
    parts = [("Of the embedding itself", told["embedding"]["numbers"])]
    parts += [(f"Of the {TITLES[one['method']]} map", one["numbers"]) for one in told["maps"]]
    out = "<section>\n<h2>Numbers</h2>\n"
    for title, numbers in parts:
        if numbers:
            cells = "".join(f'<th scope="col">{n}</th>' for n in (title, "Value", "95 %", "By chance", "What it means"))
            rows = "".join(
                "<tr>" + "".join(f"<td>{safe(c)}</td>" for c in number_cells(n)) + "</tr>\n" for n in numbers
            )
            out += f'<div class="scroll"><table class="list numbers"><thead><tr>{cells}</tr></thead><tbody>\n{rows}'
            out += "</tbody></table></div>\n"
    return out + "</section>\n"


def number_cells(number: Told) -> tuple[str, str, str, str, str]:
    """A number in words: title, value, interval, by chance, meaning; empty where it has none."""
    low, high, chance = number["low"], number["high"], number["chance"]
    value = "not defined" if number["value"] is None else f"{number['value']:.3f}"
    between = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
    return number["title"], value, between, "" if chance is None else f"{chance:.3f}", number["meaning"]


def _data(maps: Sequence[tuple[str, Places]], points: Points, kept: Sequence[int]) -> Told:
    """What the script reads."""
    classes = [name for name, _ in by_size(points.labels)]
    code = {name: i for i, name in enumerate(classes)}
    codes = [code.get(points.labels[i], -1) if points.labels else -1 for i in kept]
    inks = colours(max(1, len(classes)))
    made: Told = {
        "maps": [_unit(places) for _, places in maps],
        "labels": [sentence(name) for name in classes],
        "colours": inks,
        "unlabelled": UNLABELLED if points.labels else inks[0],
        "codes": codes,
        "rows": [points.rows[i] for i in kept],
        "names": None if points.names is None else [_short(points.names[i]) for i in kept],
        "thumbs": None if points.thumbs is None else [points.thumbs[i] for i in kept],
    }
    for one in made["maps"]:
        one["places"] = [number for i in kept for number in one["places"][i]]
    if points.sprite is not None:
        made["sprite"] = {"side": SIDE, "columns": points.sprite.columns, "sizes": points.sprite.sizes}
    return made


def _unit(places: Places) -> Told:
    """Places between 0 and 1 along the longer side, and how far they reach."""
    low, high = places.min(axis=0).astype(np.float64), places.max(axis=0).astype(np.float64)
    longest = max(float((high - low).max()), 1e-12)
    size = [round(float(one), 5) for one in (high - low) / longest]
    return {"places": np.round((places - low) / longest, 5).tolist(), "size": size}


def _kept(n: int) -> list[int]:
    """Which dots are on the page: all, or as many as it takes, drawn at random."""
    if n <= MOST_POINTS:
        return list(range(n))
    return sorted(np.random.default_rng(0).choice(n, MOST_POINTS, replace=False).tolist())


def _short(name: str) -> str:
    words = sentence(name)
    return words if len(words) <= _LONG else words[: _LONG - 1] + "…"
