"""The views, the image quality and the triage of exams as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fetalclip.exam import sort_exams, urgency
from fetalclip.quality import CHECKS
from fetalclip.report import exam_text, text
from fetalclip.report.draw import Thumbnail
from fetalclip.report.text import safe
from fetalclip.result import Check, Exam, PictureQuality, View


def order(exams: Sequence[Exam]) -> str:
    """The exams in the order in which they need a person; nothing of one exam, or where nobody asked."""
    if len(exams) < 2 or all(exam.triage is None and not exam.refused for exam in exams):
        return ""
    number = {id(exam): place for place, exam in enumerate(exams, 1)}
    rows = "".join(
        f'<li class="{"now" if exam.refused else urgency(exam) or "none"}"><a href="#exam-{number[id(exam)]}">'
        f"{safe(text.exam_name(exam, short=True)) or 'exam'}</a> {safe(exam_text.most_urgent(exam))}</li>\n"
        for exam in sort_exams(exams)
    )
    return f'<section>\n<h2>Needs a person first</h2>\n<ol class="triage">\n{rows}</ol>\n</section>\n'


def triage(exam: Exam) -> str:
    """What to look at in one exam, the most urgent first."""
    if exam.triage is None:
        return ""
    if not exam.triage:
        return '<p class="calm">Nothing stood out. It is not a finding that all is well.</p>'
    rows = "".join(
        f'<li class="{one.urgency}"><b>{safe(one.urgency)}</b> {safe(text.sentence(one.reason))}</li>\n'
        for one in exam.triage
    )
    return f'<ul class="triage">\n{rows}</ul>'


def views(exam: Exam, small: Mapping[str, Thumbnail]) -> str:
    """The standard views, each with its best picture."""
    if exam.views is None:
        return ""
    rows = "\n".join(_view(view, small.get(view.best)) for view in exam.views)
    return f'<div class="views">\n{rows}\n</div>'


def _view(view: View, small: Thumbnail | None) -> str:
    shot = f'<div class="shot none">{"no picture" if view.seen else "not seen"}</div>'
    if small is not None and view.seen:
        alt = f"Best picture of {view.title}"
        size = f'width="{small.width}" height="{small.height}"'
        shot = f'<div class="shot"><img src="{small.uri}" {size} alt="{safe(alt)}"></div>'
    kind = "" if view.seen else " missing" if view.needed else " spare"
    return (
        f'<figure class="view{kind}">{shot}<figcaption><b>{safe(view.title)}</b>'
        f"<span>{safe(exam_text.seen(view))}</span></figcaption></figure>"
    )


def quality(exam: Exam) -> str:
    """A table of the checks: a row for each picture, a column for each check."""
    if not exam.quality:
        return ""
    names = [
        one.name for one in CHECKS if any(check.name == one.name for found in exam.quality for check in found.checks)
    ]
    titles = {one.name: one.title for one in CHECKS}
    heads = "".join(f'<th scope="col"><abbr title="{safe(titles[name])}">{safe(name)}</abbr></th>' for name in names)
    rows = "".join(_row(one, names) for one in exam.quality)
    words = f"Image quality: {exam_text.summary(exam.quality)}"
    return (
        f'<div class="scroll"><table class="list checks"><caption>{safe(words)}</caption><thead><tr>'
        f'<th scope="col">Picture</th><th scope="col">Plane</th>{heads}</tr></thead><tbody>\n{rows}'
        "</tbody></table></div>"
    )


def _row(one: PictureQuality, names: Sequence[str]) -> str:
    found = {check.name: check for check in one.checks}
    cells = "".join(_cell(found.get(name)) for name in names)
    name, plane = safe(text.file_name(one.path)), safe(text.plane_name(one.plane))
    return f'<tr><th scope="row">{name}</th><td>{plane}</td>{cells}</tr>\n'


def _cell(check: Check | None) -> str:
    if check is None:
        return "<td></td>"
    kind = check.verdict.replace(" ", "-")
    why = safe(text.sentence(check.reason) + exam_text.measured(check))
    said = f"<small>{why}</small>" if check.verdict == "fail" else ""
    return f'<td class="{kind}"><abbr title="{why}">{safe(check.verdict)}</abbr>{said}</td>'
