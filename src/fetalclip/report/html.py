"""The page's HTML, in pieces: header, summary, a card per picture, failures, how it was made.

No script, no link out, pictures inside; the page itself forbids the browser to load anything. Everything that
comes from outside (paths, messages, labels, model names) is escaped.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import resources

from fetalclip.clinical.age import age_text
from fetalclip.report import heart, probe, text
from fetalclip.report.draw import Thumbnail
from fetalclip.report.measure_tables import exams as exam_section
from fetalclip.report.measure_tables import picture_measures
from fetalclip.report.text import safe
from fetalclip.result import DISCLAIMER, AgeEstimate, Analysis, Exam, PlaneScores, Provenance

_SHOWN = 3  # candidates on a card

_AGES = {
    "age by prompts": "Gestational age by the head, by prompts",
    "age by measured head": "Gestational age by the measured head",
}
"""The ages of ``text.ages`` as a card calls them, where there are two of them or only the measured one."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_READING = (
    "The probability of a plane is calibrated and shared among the candidates the model was offered; it "
    "is not the probability that the picture is of diagnostic quality. Abstained means that the picture "
    "is too unlike what the model was trained on, or too undecided, to be given a plane: its closest "
    "candidates are shown for information only. The sub-plane of a brain is the closest of those offered, "
    "with probabilities of their own; a brain that shows none of them is not told apart. The gestational age "
    "is the one whose WHO median is this head; the model alone errs by its own interval, and healthy heads of one "
    "age differ, which the wider interval adds. It dates no pregnancy anew, least of all after 24 weeks. The age by "
    "the measured head is read off its circumference instead: two answers of their own, never averaged. Measures are "
    "of the lines drawn on the picture, from masks of the head that is named. A centile stands only by an age that "
    "was known without the picture, and only on a chart that takes the measure the same way. The plane of a clip is "
    "the mean of frames spread over it; its sub-plane, age, measures and quality are of the frame that is shown. The "
    "outlier score says how unlike the training pictures a picture is: 0 is alike, 1 is unlike. Burned-in text, "
    "rulers and markers are hidden from the model unless that was switched off."
)


@dataclass(frozen=True)
class Entry:
    """One result, its picture if there is one, and a heat map of its plane with its words if one was asked for."""

    analysis: Analysis
    picture: Thumbnail | None = None
    heat: Thumbnail | None = None
    heat_words: str = ""


def page(
    title: str, note: str, created: datetime, entries: Sequence[Entry], exams: Sequence[Exam] = ()
) -> Iterator[str]:
    """The page in pieces, so that a report of thousands is never held twice."""
    analyses = [entry.analysis for entry in entries]
    made = Counter(replace(a.provenance, seconds=0.0) for a in analyses if a.provenance)
    yield head(title)
    yield _header(title, note, created, list(made))
    yield f"<main>\n{_summary(analyses)}"
    small = {entry.analysis.input.path: entry.picture for entry in entries if entry.picture} if exams else {}
    yield from exam_section(exams, small)
    yield from _cards([entry for entry in entries if entry.analysis.error is None])
    yield from _failures([a for a in analyses if a.error is not None])
    yield "</main>\n"
    yield _footer(made, sum(a.provenance.seconds for a in analyses if a.provenance))
    yield "</body>\n</html>\n"


def head(title: str, *styles: str, more: str = "", policy: str = POLICY) -> str:
    """From the first byte of a page to its ``<body>``.

    Args:
        title: of the window.
        styles: further style files of this folder, after ``page.css``.
        more: further rules.
        policy: what the page forbids the browser; the default lets pictures inside it be shown.
    """
    folder = resources.files("fetalclip.report")
    css = "".join(folder.joinpath(name).read_text("utf-8") for name in ("page.css", *styles)) + more
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{safe(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
    )


def _header(title: str, note: str, created: datetime, made: list[Provenance]) -> str:
    when = created.strftime("%d %B %Y, %H:%M %Z").strip()
    models = dict.fromkeys((p.model, p.license, p.model_sha256) for p in made)
    facts = {
        "Software": [f"fetalclip {p.version}" for p in made],
        "Model": [model for model, _, _ in models],
        "Licence of the weights": [license_ for _, license_, _ in models],
        "Weights (SHA-256)": [_short(sha256) for _, _, sha256 in models if sha256],
    }
    rows = "".join(
        f"<div><dt>{name}</dt><dd>{safe(', '.join(dict.fromkeys(values)))}</dd></div>\n"
        for name, values in facts.items()
        if values
    )
    pieces = [
        "<header>",
        f"<h1>{safe(title)}</h1>",
        f'<p class="when"><time datetime="{created.isoformat("T", "seconds")}">{safe(when)}</time></p>',
        f'<dl class="made">\n{rows}</dl>' if rows else "",
        f'<p class="notice note" role="note">{safe(note)}</p>' if note else "",
        f'<p class="notice" role="note">{safe(DISCLAIMER)}</p>',
        "</header>\n",
    ]
    return "\n".join(piece for piece in pieces if piece)


def _summary(analyses: Sequence[Analysis]) -> str:
    answered = [a for a in analyses if a.error is None]
    planes = [a.plane for a in answered if a.plane and a.plane.scores]
    named = Counter(plane.label for plane in planes if not plane.abstained)
    abstained = sum(plane.abstained for plane in planes)
    unasked = len(answered) - len(planes)
    warned = sum(bool(text.other_warnings(a)) for a in answered)
    failed = len(analyses) - len(answered)
    tiles = [("all", "picture" if len(analyses) == 1 else "pictures", len(analyses))]
    tiles += [("", text.plane_name(name), n) for name, n in sorted(named.items(), key=lambda i: (-i[1], i[0]))]
    tiles += [("abstained" if abstained else "", "abstained", abstained)]
    tiles += [("failed" if failed else "", "failed", failed)]
    tiles += [("", "no plane asked for", unasked)] if unasked else []
    tiles += [("", "with warnings", warned)] if warned else []
    rows = "".join(f'<div class="tile {kind}"><dt>{safe(name)}</dt><dd>{n}</dd></div>\n' for kind, name, n in tiles)
    return f'<section>\n<h2>Summary</h2>\n<dl class="tiles">\n{rows}</dl>\n</section>\n'


def _cards(entries: Sequence[Entry]) -> Iterator[str]:
    if not entries:
        return
    yield '<section>\n<h2>Pictures</h2>\n<div class="cards">\n'
    for number, entry in enumerate(entries, 1):
        yield _card(entry, number)
    yield "</div>\n</section>\n"


def _card(entry: Entry, number: int) -> str:
    read, plane, small = entry.analysis.input, entry.analysis.plane, entry.picture
    name = safe(text.file_name(read.path)) or f"Picture {number}"
    folder = os.path.dirname(read.path)
    shot = '<div class="shot none">no picture</div>'
    heat = entry.heat
    if small:
        alt = f"Thumbnail of {name}"
        shot = f'<img src="{small.uri}" width="{small.width}" height="{small.height}" alt="{alt}">'
        if heat:
            words = safe(f"Heat map: {entry.heat_words}")
            shot += f'<img src="{heat.uri}" width="{heat.width}" height="{heat.height}" alt="{words}" title="{words}">'
        shot = f'<div class="shot{" pair" if heat else ""}">{shot}</div>'
    ages = text.ages(entry.analysis)
    pixels = text.size(entry.analysis)
    facts = [pixels, text.spacing(read.mm_per_pixel)] if pixels else []
    facts += [f"shown: best {read.best_frame}"] if read.best_frame else []
    facts += [f"heat map: {entry.heat_words}"] if heat else []
    facts += [f"outlier score {plane.outlier:.3f}"] if plane and plane.outlier is not None else []
    warnings = [f"<li><b>Warning:</b> {safe(w)}</li>" for w in text.other_warnings(entry.analysis)]
    others = entry.analysis.biometry or entry.analysis.heart or entry.analysis.probes
    both = f'<div class="ages">{"".join(_age(*one) for one in ages)}</div>' if len(ages) > 1 else ""
    measures = picture_measures(entry.analysis.biometry or ())
    below = "\n".join(
        filter(None, (both, measures, heart.table(entry.analysis.heart), probe.table(entry.analysis.probes)))
    )
    pieces = [
        f'<article class="card{" abstained" if plane and plane.abstained else ""}">',
        shot,
        '<div class="body">',
        f'<p class="file"><b>{name}</b>' + (f" <span>in {safe(folder)}</span></p>" if folder else "</p>"),
        _answer(plane) if plane or not (ages or others) else "",
        _subplanes(entry.analysis.subplane),
        _age(*ages[0]) if len(ages) == 1 else "",
        f'<p class="facts">{" · ".join(f"<span>{safe(fact)}</span>" for fact in facts)}</p>' if facts else "",
        f'<ul class="warnings">{"".join(warnings)}</ul>' if warnings else "",
        "</div>",
        f'<div class="below">\n{below}\n</div>' if below else "",
        "</article>\n",
    ]
    return "\n".join(piece for piece in pieces if piece)


def _answer(plane: PlaneScores | None) -> str:
    """Heading and candidates of one card."""
    if plane is None or not plane.scores:
        return '<div class="head"><h3>No plane asked for</h3></div>'
    name, share = safe(text.plane_name(plane.label)), safe(text.percent(plane.probability))
    head = f'<div class="head"><h3>{name}</h3><span class="share">{share}</span></div>'
    words = "Candidates"
    if plane.abstained:
        head = '<div class="head"><h3>Abstained: no plane given</h3></div>\n'
        head += f'<p class="why">{safe(text.reason(plane))}</p>'
        words = "Closest candidates"
    return f"{head}\n{_bars(plane, words)}"


def _subplanes(found: PlaneScores | None) -> str:
    """Sub-planes below the candidates; of a brain only."""
    if found is None or not found.scores:
        return ""
    return _bars(found, "Sub-plane: none is likely enough" if found.abstained else "Sub-plane", "bars sub")


def _age(name: str, found: AgeEstimate, alone: str) -> str:
    """One age and its two intervals, each by its name."""
    rows = {
        _AGES.get(name, "Gestational age by the head"): age_text(found.days or 0),
        text.WITH_SPREAD: text.span(found.low, found.high),
    }
    if found.model_low is not None or found.model_high is not None:
        rows[f"{alone} ({100 * found.level:.0f} %)"] = text.span(found.model_low, found.model_high)
    cells = "".join(f"<div><dt>{safe(name)}</dt><dd>{safe(value)}</dd></div>" for name, value in rows.items())
    return f'<dl class="age">{cells}</dl>'


def _bars(plane: PlaneScores, words: str, kind: str = "bars") -> str:
    if len(plane.scores) > _SHOWN:
        words += f" (first {_SHOWN} of {len(plane.scores)})"
    rows = "\n".join(_bar(name, share) for name, share in plane.top(_SHOWN))
    kind += " unsure" if plane.abstained else ""
    return f'<table class="{kind}"><caption>{words}</caption><tbody>\n{rows}\n</tbody></table>'


def _bar(name: str, share: float) -> str:
    width = 100 * min(max(share, 0.0), 1.0) if share == share else 0.0  # not a number: an empty bar
    return (
        f'<tr><th scope="row">{safe(text.plane_name(name))}</th>'
        f'<td><span class="track"><span style="width:{width:.1f}%"></span></span></td>'
        f'<td class="number">{safe(text.percent(share))}</td></tr>'
    )


def _failures(failed: Sequence[Analysis]) -> Iterator[str]:
    if not failed:
        return
    yield f"<section>\n<h2>Could not be analysed ({len(failed)})</h2>\n"
    yield _table_head("files", ("File", "What happened"))
    for analysis in failed:
        path, message = safe(analysis.input.path) or "picture", safe(text.sentence(analysis.error))
        yield f"<tr><td>{path}</td><td>{message}</td></tr>\n"
    yield "</tbody></table></div>\n</section>\n"


def _footer(made: Counter[Provenance], seconds: float) -> str:
    pieces = ["<footer>\n<section>\n<h2>How this was made</h2>\n"]
    if made:
        columns = ("Software", "Model", "Licence of the weights", "Engine", "Pictures", "Weights (SHA-256)")
        pieces.append(_table_head("models", columns))
        for p, n in made.items():
            cells = [safe(cell) for cell in (f"fetalclip {p.version}", p.model, p.license, p.engine, n)]
            cells.append(f"<code>{safe(p.model_sha256) or 'none'}</code>")
            pieces.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n")
        pieces.append("</tbody></table></div>\n")
        pieces.append(f"<p>Time spent on the pictures: {seconds:.1f} s.</p>\n")
    pieces.append(f"<p>{safe(_READING)}</p>\n</section>\n</footer>\n")
    return "".join(pieces)


def _table_head(kind: str, columns: Sequence[str]) -> str:
    cells = "".join(f'<th scope="col">{safe(name)}</th>' for name in columns)
    return f'<div class="scroll"><table class="list {kind}"><thead><tr>{cells}</tr></thead><tbody>\n'


def _short(sha256: str) -> str:
    return f"{sha256[:12]}…" if len(sha256) > 12 else sha256
