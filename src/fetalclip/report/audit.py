"""The audit as one page that needs nothing else: what its JSON says, with small pictures. No script, no link out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from fetalclip.report import text
from fetalclip.report.audit_cards import Pictures, Told, card, leak, pair, section, suspect, wanted
from fetalclip.report.html import head
from fetalclip.report.text import safe

__all__ = ["audit_page", "wanted"]

_GROUPS = 12  # groups listed; the rest is in the JSON

_READING = (
    "A group is the split key of the table: a patient or an examination. It is shown as a tag, and a picture by its "
    "data set and row number. Burned-in marks that were found are blanked in the small pictures; that is no "
    "de-identification, so look at the page before you pass it on. A leak is a group or a copy of a picture on two "
    "sides of the split; one that touches the test side makes every test result on this table too good. Pictures "
    "that only a model finds alike are for a look and are no leak. A label under suspicion is one that a classifier "
    "which never saw that patient contradicts: a person has to decide. A fact is flagged when it predicts the label "
    "clearly better than the constant answer: no model may be given it."
)


def audit_page(audit: Told, pictures: Pictures, created: datetime) -> Iterator[str]:
    """The page in pieces.

    Args:
        audit: the audit's JSON, schema ``fetalclip.audit/1``.
        pictures: thumbnails of the rows in ``wanted(audit)``.
        created: when.
    """
    yield head("Data audit", "audit.css")
    yield _header(audit, created)
    yield f"<main>\n{_tiles(audit)}"
    leaks = sorted(audit["leaks"], key=lambda found: not found["test"])
    what = "A group, or a copy of a picture, on more than one side of the split."
    yield section("Leaks", what, [leak(found, pictures) for found in leaks], "None was found.")
    yield _groups(audit["groups"], pictures)
    yield _copies(audit["duplicates"], pictures)
    yield _labels(audit["labels"], pictures)
    yield _shortcuts(audit["shortcuts"])
    yield _overlay(audit["overlay"])
    yield _failures(audit)
    yield from map(_balance, audit["balance"])
    yield "</main>\n"
    made = audit["provenance"]
    model = f", model {safe(made['model'])}" if made["model"] else ""
    yield f"<footer><section>\n<h2>How to read this</h2>\n<p>{safe(_READING)}</p>\n"
    yield f"<p>Made by fetalclip {safe(made['version'])}{model}.</p>\n</section></footer>\n</body>\n</html>\n"


def _header(audit: Told, created: datetime) -> str:
    tests = sum(bool(found["test"]) for found in audit["leaks"])
    verdict, kind = "No leak touches the test side.", "good"
    if tests:
        verdict, kind = f"{tests} {'leak touches' if tests == 1 else 'leaks touch'} the test side.", "bad"
    elif audit["leaks"]:
        verdict += f" {len(audit['leaks'])} between training and validation."
    said = "".join(f"<p class='notice'>{safe(warning)}</p>\n" for warning in audit["warnings"])
    when = created.strftime("%d %B %Y, %H:%M %Z").strip()
    return (
        f"<header>\n<h1>Data audit</h1>\n<p class='when'>{safe(when)}</p>\n"
        f"<p class='notice verdict {kind}' role='note'>{safe(verdict)}</p>\n{said}</header>\n"
    )


def _tiles(audit: Told) -> str:
    copies, labels = audit["duplicates"], audit["labels"]
    tests = sum(bool(found["test"]) for found in audit["leaks"])
    tiles = [
        ("all", "pictures", audit["rows"]),
        ("failed" if tests else "", "leaks, test side", tests),
        ("abstained" if len(audit["leaks"]) > tests else "", "leaks, other sides", len(audit["leaks"]) - tests),
        ("", "sets of the same pixels", len(copies["exact"])),
        ("", "near duplicates", len(copies["near"])),
        ("", "suspicious labels", len(labels["suspects"]) if labels else "not asked"),
        ("", "facts that give labels away", sum(rule["flagged"] for rule in audit["shortcuts"])),
        ("failed" if audit["unreadable"] else "", "unreadable", len(audit["unreadable"])),
    ]
    rows = "".join(f"<div class='tile {kind}'><dt>{safe(name)}</dt><dd>{n}</dd></div>\n" for kind, name, n in tiles)
    return f"<section>\n<h2>Summary</h2>\n<dl class='tiles'>\n{rows}</dl>\n</section>\n"


def _groups(groups: Told, pictures: Pictures) -> str:
    cards = [
        card("One picture, two groups", [found["kind"], *found["groups"]], found["rows"], pictures)
        for found in groups["two_names"]
    ]
    what = "Copies of a picture under different groups: one patient with two names, or a picture filed twice."
    out = section("One patient, two names", what, cards, "None was found.")
    sets = groups["across_datasets"]
    shown = sets[:_GROUPS]
    rows = [(f"group {g['group']}", ", ".join(f"{name}: {n}" for name, n in g["datasets"].items())) for g in shown]
    if len(sets) > len(shown):
        rows.append((f"and {len(sets) - len(shown)} more", "in the JSON"))
    head = f"<section>\n<h2>Groups in more than one data set ({len(sets)})</h2>\n"
    return out + head + (_table(("Group", "Pictures"), rows) or "<p class='none'>None.</p>") + "</section>\n"


def _copies(copies: Told, pictures: Pictures) -> str:
    exact = [
        card(
            "The same pixels" + (", labelled differently" if found["labels_differ"] else ""),
            [f"{len(found['rows'])} pictures"],
            found["rows"],
            pictures,
            found["labels_differ"],
        )
        for found in copies["exact"]
    ]
    out = section("Exact duplicates", "The same decoded pixels.", exact, "None was found.")
    what = "By perceptual hash of the grey picture without its overlay; within a group often frames of one sweep."
    out += section("Near duplicates", what, [pair(p, pictures) for p in copies["near"]], "None was found.")
    if copies["embedding"] is not None:
        what = "Of different groups, closest first. For a look: pictures of one plane are alike, so most are no copies."
        out += section("Alike to the model", what, [pair(p, pictures) for p in copies["embedding"]], "None.")
    blank = [card("Blank", [], [row], pictures) for row in copies["blank"]]
    return out + (section("Blank pictures", "They show next to nothing.", blank, "") if blank else "")


def _labels(labels: Told | None, pictures: Pictures) -> str:
    if labels is None:
        said = "Not checked: this needs embeddings (--embed MODEL)."
        return f"<section>\n<h2>Suspicious labels</h2>\n<p class='none'>{said}</p>\n</section>\n"
    what = f"{labels['method']}. {labels['checked']} labels of {', '.join(labels['classes'])} were checked."
    return section("Suspicious labels", what, [suspect(s, pictures) for s in labels["suspects"]], "None was found.")


def _shortcuts(rules: Sequence[Told]) -> str:
    rows = []
    for rule in rules:
        if rule["low"] is not None:
            gain = f"{100 * rule['low']:+.1f} to {100 * rule['high']:+.1f}"
            told = (rule["dataset"], rule["fact"], rule["target"], text.percent(rule["accuracy"]))
            rows.append((*told, text.percent(rule["constant"]), gain, "yes" if rule["flagged"] else ""))
    columns = ("Data set", "Fact", "Predicts", "Accuracy", "Constant answer", "Gain, points (95 %)", "Flagged")
    tried = f"<p class='what'>{len(rules)} pairs of a fact and a label were tried; shown are those that gain 2 points."
    body = _table(columns, rows) or "<p class='none'>No fact gains 2 points.</p>"
    return f"<section>\n<h2>Facts that give labels away</h2>\n{tried}</p>\n{body}</section>\n"


def _overlay(found: Told) -> str:
    share = found["with_marks"] / found["pictures"] if found["pictures"] else 0.0
    covered = found["covered"]
    said = (
        f"{found['with_marks']} of {found['pictures']} pictures ({text.percent(share)}) carry burned-in marks; they "
        f"cover {text.percent(covered['median'])} of the sector (median), {text.percent(covered['most'])} at most."
    )
    rows = [(kind["kind"], kind["place"], kind["pictures"]) for kind in found["kinds"]]
    body = _table(("Mark", "Place", "Pictures"), rows)
    return f"<section>\n<h2>Burned-in marks</h2>\n<p class='what'>{safe(said)}</p>\n{body}</section>\n"


def _failures(audit: Told) -> str:
    rows: list[Sequence[Any]] = [(f"{f['dataset']}, row {f['row']}", f["error"]) for f in audit["unreadable"]]
    rows += [(f"row {p['row']}", f"left out: {p['kind']}") for p in audit["refused"]]
    if not rows:
        return ""
    return f"<section>\n<h2>Could not be used ({len(rows)})</h2>\n{_table(('Row', 'What happened'), rows)}</section>\n"


def _balance(part: Told) -> str:
    sides = list(part["splits"])
    rows: list[Sequence[Any]] = [("pictures", "", *part["splits"].values(), part["pictures"])]
    rows.append(("groups", "", *(part["groups_by_split"][side] for side in sides), part["groups"]))
    for kind, name in (("planes", "plane"), ("subplanes", "sub-plane"), ("ages", "age"), ("machines", "machine")):
        for word, counts in part[kind].items():
            if len(part[kind]) > 1 or word != "unknown":
                rows.append((name, word, *(counts.get(side, 0) for side in sides), sum(counts.values())))
    body = _table(("What", "Class", *sides, "All"), rows)
    return f"<section>\n<h2>Balance: {safe(part['dataset'])}</h2>\n{body}</section>\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table, or nothing where there are no rows."""
    if not rows:
        return ""
    head = "".join(f"<th scope='col'>{safe(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{safe(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return (
        f"<div class='scroll'><table class='list'><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>\n"
    )
