"""A benchmark as one page that needs nothing else: what its JSON says, with plots. No script, no link out."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from fetalclip.metrics import ReliabilityBin
from fetalclip.report import bench_tables as tables
from fetalclip.report.checklist import Told, checklist, said
from fetalclip.report.curves import draw_curves
from fetalclip.report.html import head
from fetalclip.report.plots import draw_differences, draw_risk_coverage
from fetalclip.report.reliability import draw_reliability
from fetalclip.report.text import safe
from fetalclip.result import DISCLAIMER

_READING = (
    "A value stands with its 95 % interval from resampling whole patients or examinations with replacement: pictures "
    "of one patient resemble each other, so single pictures are never resampled. A goal is met or missed by the value. "
    "A paired difference whose interval leaves 0 out is one beyond the luck of which patients were there. Parts of few "
    "patients have wide intervals, and macro F1 is over the classes that occur in a part, so look at the counts before "
    "you compare parts."
)
_CAPTIONS = {
    "reliability": "Answers in 15 bins of equal width: on the dashed line, a probability is the share that is right. "
    "Below: how many answers each bin holds.",
    "risk": "If only the surest answers were kept, this share of them would be wrong. The dashed line is the share of "
    "wrong answers when all are kept: a model that knows when it errs stays far below it.",
    "curves": "What is learned from how many patients of each class: mean over support sets, with 95 % intervals over "
    "patients and support sets.",
    "differences": "Bland-Altman: how far each estimate lies from the truth. Solid: bias; dashed: 95 % limits of "
    "agreement; shaded: their intervals by examination.",
}


def bench_page(told: Told, title: str, created: datetime) -> Iterator[str]:
    """The page in pieces.

    Args:
        told: the benchmark's JSON, schema ``fetalclip.bench/1``.
        title: of its protocol.
        created: when.
    """
    made = told["provenance"]
    who = str(made.get("model") or "saved answers")
    yield head(f"{title}: {who}", "bench.css")
    yield _header(told, title, who, created)
    yield "<main>\n"
    yield _section("Results", "", tables.scores(told["metrics"]))
    if told["null"]:
        yield _section("Without looking", "What answers get that never saw the picture.", tables.null(told["null"]))
    yield _section("Plots", "", _plots(told, f"{title}: {who}"))
    if told["confusion"]:
        what = "Truth in rows, answers in columns; the wash is the share of the row."
        yield _section("Confusion matrix", what, tables.matrix(told["confusion"]))
    yield _section("Subgroups", "", "".join(tables.parts(told["subgroups"])))
    yield _section(
        "Notes", "", "".join(f"<p class='note-text'>{safe(note.rstrip('.'))}.</p>\n" for note in told["notes"])
    )
    filled = checklist(told, title)
    what = f"{filled.note} {filled.answered} of {len(filled.items)} items are covered. {'; '.join(filled.guidelines)}."
    yield _section(filled.title, what, tables.items(filled))
    yield f"</main>\n<footer>\n<section>\n<h2>How this was made</h2>\n{_provenance(made)}"
    yield f"<p>{safe(_READING)}</p>\n</section>\n</footer>\n</body>\n</html>\n"


def calibration_facts(told: Told) -> str:
    """Below a reliability diagram: pictures and calibration errors."""
    plain, corrected = (told["metrics"][name]["value"] for name in ("ece", "ece_corrected"))
    return f"{told['n']} pictures, calibration error {plain:.3f} in 15 bins, {corrected:.3f} bias-corrected"


def difference_facts(told: Told) -> str:
    """Below a Bland-Altman plot: heads, bias and limits in their unit (days where none is told)."""
    found = told["differences"]
    ends = [found[name]["value"] for name in ("bias", "low", "high")]
    if None in ends:
        return f"{len(found['estimate'])} heads"
    bias, low, high = ends
    count, unit = len(found["estimate"]), found.get("unit", "days")
    return f"{count} heads, bias {bias:+.1f} {unit}, 95 % limits of agreement {low:+.1f} to {high:+.1f} {unit}"


def curve_facts(told: Told) -> str:
    """Below curves: held pictures, and how often support sets were drawn."""
    return f"{told['n']} pictures of other patients, {told['provenance'].get('sets', 1)} support sets"


def _header(told: Told, title: str, who: str, created: datetime) -> str:
    made, metrics = told["provenance"], list(told["metrics"].values())
    first = metrics[0]
    facts = {
        "Model": who,
        "Held against": (made.get("versus") or {}).get("name"),
        "Data": ", ".join(source["name"] for source in made.get("data") or []),
        "Split": made.get("split"),
        "Pictures": tables.number(told["n"]),
        first["group_unit"].capitalize(): tables.number(first["groups"]),
        "Software": f"fetalclip {made.get('version', '')}",
    }
    rows = "".join(f"<div><dt>{safe(key)}</dt><dd>{safe(value)}</dd></div>\n" for key, value in facts.items() if value)
    goals = [metric for metric in metrics if metric["met"] is not None]
    missed = [f"{metric['section']}: {said(metric)}" for metric in goals if not metric["met"]]
    verdict = "All goals are reached." if goals else ""
    if missed:
        verdict = f"{len(missed)} of {len(goals)} goals are not reached. {'; '.join(missed)}."
    kind = "notice verdict missed" if missed else "notice verdict"
    when = created.strftime("%d %B %Y, %H:%M %Z").strip()
    return (
        f"<header>\n<h1>{safe(title)}</h1>\n<p class='when'>{safe(when)}</p>\n"
        f"<dl class='made'>\n{rows}</dl>\n"
        + (f"<p class='{kind}' role='note'>{safe(verdict)}</p>\n" if verdict else "")
        + "".join(_note("notice note note-text", note) for note in _cautions(told))
        + f"<p class='notice' role='note'>{safe(DISCLAIMER)}</p>\n</header>\n"
    )


def _note(kind: str, note: str) -> str:
    return f"<p class='{kind}'>{safe(note.rstrip('.'))}.</p>\n"


def _cautions(told: Told) -> list[str]:
    """Notes that belong above everything: this is no result to report."""
    return [note for note in told["notes"] if "not a result to report" in note]


def _plots(told: Told, title: str) -> str:
    figures = []
    if told["reliability"]:
        points = [ReliabilityBin(**point) for point in told["reliability"]]
        buffer = io.BytesIO()
        draw_reliability(points, title, calibration_facts(told)).save(buffer, "PNG", optimize=True)
        figures.append(_figure("reliability", "Reliability diagram", "png", buffer.getvalue()))
    if told["risk_coverage"]:
        facts = f"{told['n']} pictures, {said(told['metrics']['aurc'])}"
        drawn = draw_risk_coverage(told["risk_coverage"], title, facts)
        figures.append(_figure("risk", "Risk against coverage", "svg+xml", drawn))
    if told["differences"]:
        drawn = draw_differences(told["differences"], title, difference_facts(told))
        figures.append(_figure("differences", "Bland-Altman plot", "svg+xml", drawn))
    if told.get("curves"):
        drawn = draw_curves(told["curves"], title, curve_facts(told))
        figures.append(_figure("curves", "Label-efficiency curves", "svg+xml", drawn))
    return f"<div class='plots'>\n{''.join(figures)}</div>\n" if figures else ""


def _figure(name: str, words: str, kind: str, drawn: bytes) -> str:
    uri = f"data:image/{kind};base64,{base64.b64encode(drawn).decode('ascii')}"
    return f"<figure><img src='{uri}' alt='{words}'><figcaption>{safe(_CAPTIONS[name])}</figcaption></figure>\n"


def _section(title: str, what: str, body: str) -> str:
    """A headline, a sentence and what it is about; nothing where there is nothing."""
    if not body:
        return ""
    told = f"<p class='what'>{safe(what)}</p>\n" if what else ""
    return f"<section>\n<h2>{safe(title)}</h2>\n{told}{body}</section>\n"


def _provenance(made: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<dt>{safe(key.replace('_', ' '))}</dt><dd>{safe(_plain(value))}</dd>\n"
        for key, value in made.items()
        if value is not None
    )
    return f"<dl class='facts-list'>\n{rows}</dl>\n"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items() if item is not None)
    if isinstance(value, (list, tuple)):
        return "; ".join(_plain(item) for item in value)
    return f"{value:.1f}" if isinstance(value, float) else str(value)
