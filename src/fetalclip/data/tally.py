"""What a run of the caption factory wrote: counts, lengths, coverage, duplicates, refusals; as JSON and as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from fetalclip.clinical.factory import Record, Written
from fetalclip.data.manifest import Problem
from fetalclip.report.html import head
from fetalclip.report.text import safe

SCHEMA = "fetalclip.captions/1"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # no pictures on this page
FACTS = ("views", "subplane", "age", "spacing", "machine", "findings", "text")
_CSS = "main table { width: auto } main th, main td { text-align: left; padding: 2px 28px 2px 0; font-weight: 400 }\n"


@dataclass
class Tally:
    """Counts of one run.

    Attributes:
        problems: rows refused and repaired.
    """

    problems: list[Problem] = field(default_factory=list)
    rows: int = 0
    captions: int = 0
    wrong: list[str] = field(default_factory=list)
    checked: int = 0
    _known: Counter[str] = field(default_factory=Counter)
    _could: Counter[str] = field(default_factory=Counter)
    _said: Counter[str] = field(default_factory=Counter)
    _dropped: Counter[str] = field(default_factory=Counter)
    _styles: Counter[str] = field(default_factory=Counter)
    _sources: Counter[str] = field(default_factory=Counter)
    _tokens: Counter[int] = field(default_factory=Counter)
    _characters: int = 0
    _texts: Counter[bytes] = field(default_factory=Counter)
    _pending: tuple[str, ...] = ()

    def row(self, known: Record, captions: int) -> None:
        """A row that got captions; call before `caption`."""
        self.rows += 1
        self._pending = tuple(name for name in FACTS if getattr(known, name))
        self._known.update(self._pending)

    def caption(self, written: Written, source: str) -> None:
        """A caption of the row given last."""
        self.captions += 1
        self._could.update(self._pending)
        self._said.update(name for name in FACTS if getattr(written.said, name))
        self._dropped.update(written.dropped)
        self._styles[written.style] += 1
        self._sources[source] += 1
        self._tokens[written.tokens] += 1
        self._characters += len(written.text)
        self._texts[blake2b(written.text.encode(), digest_size=12).digest()] += 1  # not the text: millions fit

    def read_back(self, row: int, text: str, wrong: list[str]) -> None:
        """A caption whose facts were read back, and what was wrong with them."""
        self.checked += 1
        if wrong:
            self.wrong.append(f"row {row}: {text!r:.300}: {'; '.join(wrong)}")

    def to_dict(self, provenance: Mapping[str, Any], reworded: Mapping[str, int] | None = None) -> dict[str, Any]:
        """The report's JSON form. ``provenance``: how it was made; ``reworded``: counts of the endpoint's answers."""
        refused = [problem for problem in self.problems if not problem.repaired]
        distinct = len(self._texts)
        return {
            "schema": SCHEMA,
            "rows": self.rows,
            "rows_refused": len({problem.row for problem in refused if problem.row}),
            "captions": self.captions,
            "per_row": round(self.captions / self.rows, 3) if self.rows else None,
            "tokens": self._lengths(),
            "characters_mean": round(self._characters / self.captions, 1) if self.captions else None,
            "coverage": {
                name: {
                    "rows_known": self._known[name],
                    "captions_that_could": self._could[name],
                    "captions_that_say": self._said[name],
                    "share": round(self._said[name] / self._could[name], 4) if self._could[name] else None,
                }
                for name in FACTS
            },
            "dropped_for_length": dict(self._dropped),
            "styles": dict(sorted(self._styles.items())),
            "sources": dict(sorted(self._sources.items())),
            "duplicates": {
                "distinct": distinct,
                "copies": self.captions - distinct,
                "share": round((self.captions - distinct) / self.captions, 4) if self.captions else None,
                "most_frequent": max(self._texts.values(), default=0),
            },
            "read_back": {"checked": self.checked, "wrong": len(self.wrong), "first": self.wrong[:10]},
            "rewording": None if reworded is None else dict(reworded),
            "problems": [vars(problem) for problem in self.problems],
            "provenance": dict(provenance),
        }

    def _lengths(self) -> dict[str, Any]:
        """Quantiles and a histogram in steps of ten."""
        if not self.captions:
            return {}
        ordered = sorted(self._tokens.items())
        steps: Counter[int] = Counter()
        for length, count in ordered:
            steps[length // 10 * 10] += count
        return {
            "least": ordered[0][0],
            "median": self._quantile(0.5),
            "p95": self._quantile(0.95),
            "most": ordered[-1][0],
            "histogram": {f"{step}-{step + 9}": count for step, count in sorted(steps.items())},
        }

    def _quantile(self, share: float) -> int:
        seen = 0
        for length, count in sorted(self._tokens.items()):
            seen += count
            if seen >= share * self.captions:
                return length
        return 0


def told(problems: Sequence[Problem], most: int = 20) -> list[str]:
    """The problems as lines for a person: the first of each outcome, and how many more."""
    lines = []
    for repaired, word in ((False, "Refused"), (True, "Repaired")):
        mine = [problem for problem in problems if problem.repaired == repaired]
        lines += [f"{word}: {problem}" for problem in mine[:most]]
        if len(mine) > most:
            rest = ", ".join(str(problem.row) for problem in mine[most : most + 200])
            lines.append(f"{word}: {len(mine) - most} more, rows {rest}" + (" …" if len(mine) > most + 200 else ""))
    return lines


def page(report: Mapping[str, Any]) -> str:
    """The report as one HTML page: no script, nothing loaded. ``report``: of `Tally.to_dict`."""
    coverage = [
        (name, *(cell[key] for key in ("rows_known", "captions_that_could", "captions_that_say", "share")))
        for name, cell in report["coverage"].items()
    ]
    problems = [
        (p["row"], p["path"], "repaired" if p["repaired"] else "refused", p["kind"], p["what"])
        for p in report["problems"]
    ]
    parts = [
        _table("Counts", (), [(name.replace("_", " "), report[name]) for name in _PLAIN]),
        _table("Tokens", (), [pair for pair in report["tokens"].items() if pair[0] != "histogram"]),
        _table("Captions by tokens", ("tokens", "captions"), list(report["tokens"].get("histogram", {}).items())),
        _table("Coverage of facts", ("fact", "rows that know it", "captions that could", "say it", "share"), coverage),
        _table("Styles", ("style", "captions"), list(report["styles"].items())),
        _table("Duplicates", (), list(report["duplicates"].items())),
        _table("Read back", (), [(key, report["read_back"][key]) for key in ("checked", "wrong")]),
        _table("Left out for length", ("fact", "captions"), list(report["dropped_for_length"].items())),
        _table("Rewording", ("outcome", "captions"), list((report["rewording"] or {}).items())),
        _table("Rows refused or repaired", ("row", "picture", "outcome", "kind", "what"), problems),
        _table("How it was made", (), list(report["provenance"].items())),
    ]
    body = f"<header><h1>Captions</h1></header>\n<main>\n{''.join(parts)}</main>\n"
    return f"{head('Captions', more=_CSS, policy=_POLICY)}{body}</body>\n</html>\n"


_PLAIN = ("rows", "rows_refused", "captions", "per_row", "characters_mean")


def _table(title: str, header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    if not rows:
        return ""
    columns = "".join(f"<th>{safe(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{safe('–' if cell is None else cell)}</td>" for cell in row) + "</tr>\n" for row in rows
    )
    return f"<h2>{safe(title)}</h2>\n<table>\n<tr>{columns}</tr>\n{body}</table>\n"
