"""Cards of the audit page: rows with their thumbnails, each told without identifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fetalclip.report import text
from fetalclip.report.draw import Thumbnail
from fetalclip.report.text import safe

SHOWN = 60  # cards of one section; the rest is in the JSON
SIDE_BY_SIDE = 4  # pictures of one card

Told = Mapping[str, Any]
"""A piece of the audit's JSON."""
Pictures = Mapping[tuple[str, int], Thumbnail]
"""Thumbnails by data set and row number."""


def wanted(audit: Told) -> list[tuple[str, int]]:
    """Data set and row number of every row that the page shows a picture of, each once."""
    found: list[Told] = []
    for leak in audit["leaks"][:SHOWN]:
        found += leak["rows"][:SIDE_BY_SIDE]
    for part in (audit["groups"]["two_names"], audit["duplicates"]["exact"]):
        for card in part[:SHOWN]:
            found += card["rows"][:SIDE_BY_SIDE]
    for pair in [*audit["duplicates"]["near"][:SHOWN], *(audit["duplicates"]["embedding"] or [])[:SHOWN]]:
        found += [pair["first"], pair["second"]]
    found += (audit["labels"] or {"suspects": []})["suspects"][:SHOWN]
    found += audit["duplicates"]["blank"][:SHOWN]
    return list(dict.fromkeys((row["dataset"], row["row"]) for row in found))


def section(title: str, what: str, cards: Sequence[str], none: str) -> str:
    """A headline, a sentence, and cards; ``none`` is said where there are none."""
    head = f"<section>\n<h2>{safe(title)} ({len(cards)})</h2>\n<p class='what'>{safe(what)}</p>\n"
    if not cards:
        return f"{head}<p class='none'>{safe(none)}</p>\n</section>\n"
    more = f"<p class='what'>The first {SHOWN} of {len(cards)}; all are in the JSON.</p>\n"
    body = "".join(cards[:SHOWN])
    return f"{head}<div class='sets'>\n{body}</div>\n{more if len(cards) > SHOWN else ''}</section>\n"


def card(title: str, facts: Sequence[str], rows: Sequence[Told], pictures: Pictures, bad: bool = False) -> str:
    """Rows side by side under one headline."""
    shots = "".join(_shot(row, pictures) for row in rows[:SIDE_BY_SIDE])
    more = f"<p class='facts'>and {len(rows) - SIDE_BY_SIDE} more</p>" if len(rows) > SIDE_BY_SIDE else ""
    said = " · ".join(f"<span>{safe(fact)}</span>" for fact in facts if fact)
    return (
        f"<article class='set{' bad' if bad else ''}'>\n<h3>{safe(title)}</h3>\n"
        f"<p class='facts'>{said}</p>\n<div class='shots'>{shots}</div>{more}\n</article>\n"
    )


def leak(found: Told, pictures: Pictures) -> str:
    """A card of something on two sides."""
    kinds = {
        "group": "One group on two sides",
        "exact": "The same pixels on two sides",
        "near": "Nearly the same picture on two sides",
        "mirrored": "A mirrored copy on two sides",
    }
    rows = sorted(found["rows"], key=lambda row: _turn(row, found["rows"]))
    facts = [" and ".join(found["sides"]), f"{len(rows)} pictures"]
    return card(kinds.get(found["kind"]) or str(found["kind"]), facts, rows, pictures, bool(found["test"]))


def pair(found: Told, pictures: Pictures) -> str:
    """A card of two pictures that look the same, to a hash or to a model."""
    rows = [found["first"], found["second"]]
    if "cosine" in found:
        return card("Alike to the model", [f"cosine {found['cosine']:.4f}"], rows, pictures)
    title = "Mirrored copy" if found["mirrored"] else "Nearly the same"
    facts = [f"{found['distance']} of 143 bits differ", f"likeness {found['likeness']:.3f}"]
    return card(title, facts, rows, pictures)


def suspect(found: Told, pictures: Pictures) -> str:
    """A card of a label that other pictures contradict."""
    given, other = text.plane_name(found["given"]), text.plane_name(found["suggested"])
    facts = [
        f"{given} {text.percent(found['given_probability'])}",
        f"{other} {text.percent(found['suggested_probability'])}",
    ]
    return card(f"Labelled {given}, looks like {other}", facts, [found], pictures)


def _turn(row: Told, rows: Sequence[Told]) -> tuple[int, str]:
    """Sides taken in turn, so that a long card shows a picture of each."""
    mine = [other for other in rows if other["split"] == row["split"]]
    return mine.index(row), str(row["split"])


def _shot(row: Told, pictures: Pictures) -> str:
    small = pictures.get((row["dataset"], row["row"]))
    where = f"{row['dataset']}, row {row['row']}"
    facts = [row["split"] or "no split", text.plane_name(row["plane"] or "no plane"), f"group {row['group']}"]
    image = "<div class='shot none'>no picture</div>"
    if small is not None:
        image = f"<img src='{small.uri}' width='{small.width}' height='{small.height}' alt='{safe(where)}'>"
        image = f"<div class='shot'>{image}</div>"
    name = f"<br>{safe(row['name'])}" if "name" in row else ""
    words = " · ".join(safe(fact) for fact in facts)
    return f"<figure>{image}<figcaption><b>{safe(where)}</b>{name}<br>{words}</figcaption></figure>"
