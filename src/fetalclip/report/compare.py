"""A comparison of models as one page that needs nothing else: what its JSON says. No script, no link out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from fetalclip.report.html import head
from fetalclip.report.text import safe
from fetalclip.result import DISCLAIMER

Told = Mapping[str, Any]
_SEEN = {True: "yes", False: "no", None: "unknown"}


def compare_page(told: Told, created: datetime) -> Iterator[str]:
    """The page in pieces.

    Args:
        told: the comparison's JSON, schema ``fetalclip.compare/1``.
        created: when.
    """
    when = created.strftime("%d %B %Y, %H:%M %Z").strip()
    yield head("Comparison of models", "bench.css")
    yield f"<header>\n<h1>Comparison of models</h1>\n<p class='when'>{safe(when)}</p>\n"
    yield f"<p class='notice' role='note'>{safe(DISCLAIMER)}</p>\n</header>\n<main>\n"
    yield f"<section>\n<h2>Results</h2>\n<p class='what'>{safe(told['meaning'])}</p>\n{_table(told)}</section>\n"
    notes = [f"{row['name']}: {row['error']}" for row in told["rows"] if row["error"]]
    notes += [f"{row['name']}: {note}" for row in told["rows"] for note in row["notes"]]
    notes += [f"{row['name']} ({row['of']}): {row['note']}" for row in told["published"] if row["note"]]
    notes += [*told["notes"], *dict.fromkeys(f"Published rows: {row['citation']}" for row in told["published"])]
    paragraphs = "".join(f"<p class='note-text'>{safe(note.rstrip('.'))}.</p>\n" for note in notes)
    yield f"<section>\n<h2>Notes</h2>\n{paragraphs}</section>\n"
    yield f"</main>\n<footer>\n<section>\n<h2>How this was made</h2>\n{_made(told)}</section>\n</footer>\n"
    yield "</body>\n</html>\n"


def _table(told: Told) -> str:
    columns = told["columns"]
    heads = "".join(f"<th scope='col' class='number'>{safe(word)}</th>" for word in (*columns.values(), "Pictures"))
    heads += "<th scope='col'>Labels seen</th><th scope='col'>Licence</th>"
    body = [_measured(row, columns) for row in told["rows"]]
    body.append(
        f"<tr class='section'><th colspan='{len(columns) + 4}' scope='rowgroup'>Published, other pictures</th></tr>\n"
    )
    body += [_published(row, columns) for row in told["published"]]
    top = f"<thead><tr><th scope='col'>Model</th>{heads}</tr></thead>"
    return f"<table class='list scores'>\n{top}\n<tbody>\n{''.join(body)}</tbody>\n</table>\n"


def _measured(row: Told, columns: Sequence[str] | Mapping[str, str]) -> str:
    cells = "".join(_number(row["cells"][column], bool(row["error"])) for column in columns)
    count = next((f"{one['n']:,}" for one in row["cells"].values() if one), "–")
    tail = f"<td class='number'>{count}</td><td>{_SEEN[row['labels_seen']]}</td><td>{safe(row['license'])}</td>"
    return f"<tr><th scope='row'>{safe(row['name'])}</th>{cells}{tail}</tr>\n"


def _published(row: Told, columns: Sequence[str] | Mapping[str, str]) -> str:
    values = (row["cells"][column] for column in columns)
    cells = "".join(f"<td class='number'>{'–' if value is None else f'{value:.3f}'}</td>" for value in values)
    return f"<tr><th scope='row'>{safe(row['name'])}</th>{cells}<td></td><td></td><td></td></tr>\n"


def _number(found: Told | None, failed: bool) -> str:
    if found is None or found["value"] is None:
        return f"<td class='number'>{'failed' if failed else '–'}</td>"
    low = "" if found["low"] is None else f" <small>{found['low']:.3f} to {found['high']:.3f}</small>"
    return f"<td class='number'>{found['value']:.3f}{low}</td>"


def _made(told: Told) -> str:
    rows = [(key.replace("_", " "), value) for key, value in told["provenance"].items() if value is not None]
    for row in told["rows"]:
        if row["provenance"]:
            rows.append((row["name"], row["provenance"]))
    told_rows = "".join(f"<dt>{safe(key)}</dt><dd>{safe(_plain(value))}</dd>\n" for key, value in rows)
    return f"<dl class='facts-list'>\n{told_rows}</dl>\n"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key.replace('_', ' ')} {_plain(item)}" for key, item in value.items() if item is not None)
    if isinstance(value, (list, tuple)):
        return "; ".join(_plain(item) for item in value)
    return f"{value:.1f}" if isinstance(value, float) else str(value)
