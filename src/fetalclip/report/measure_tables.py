"""Measures as HTML: a small table on each picture's card, and a section for each exam."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fetalclip.clinical.biometry import BIOMETRICS
from fetalclip.report import exam_tables, text
from fetalclip.report.draw import Thumbnail
from fetalclip.report.text import safe
from fetalclip.result import Exam, Measurement

_TITLES = {"EFW": "estimated fetal weight"}


def picture_measures(taken: Sequence[Measurement]) -> str:
    """The measures of one picture that were not refused; the refused are among its warnings."""
    found = [one for one in taken if one.value is not None]
    if not found:
        return ""
    sources, levels = dict.fromkeys(text.sentence(one.source) for one in found if one.source), text.levels(found)
    words = f"Measures, masks by {', '.join(sources)}" if sources else "Measures"
    words += f"; {levels} intervals" if levels else ""
    rows = "\n".join(_row(one) for one in found)
    return f'<table class="measures"><caption>{safe(words)}</caption><tbody>\n{rows}\n</tbody></table>'


def _row(one: Measurement) -> str:
    how = ", ".join(filter(None, (text.sentence(one.definition), text.centile(one))))
    return (
        f'<tr><th scope="row">{_symbol(one)}</th><td class="value">{safe(text.amount(one))}</td>'
        f'<td class="range">{safe(text.between(one))}</td><td class="how">{safe(how)}</td></tr>'
    )


def _symbol(one: Measurement) -> str:
    """The measure's symbol, with its title for who points at it."""
    title = _title(one)
    name = safe(text.sentence(one.name))
    return f'<abbr title="{safe(title)}">{name}</abbr>' if title else name


def _title(one: Measurement) -> str:
    known = BIOMETRICS.get(one.name)
    return _TITLES.get(one.name, "") if known is None else known.title


def exams(found: Sequence[Exam], pictures: Mapping[str, Thumbnail] | None = None) -> Iterator[str]:
    """A section with a part for each exam: triage, views, measures, ratios and weight, image quality, warnings.

    Args:
        found: the exams; several are listed first in the order in which they need a person.
        pictures: small pictures by path, for the views.
    """
    if not found:
        return
    yield exam_tables.order(found)
    yield f"<section>\n<h2>{'Exam' if len(found) == 1 else f'Exams ({len(found)})'}</h2>\n"
    for number, exam in enumerate(found, 1):
        yield _exam(exam, number, pictures or {})
    yield "</section>\n"


def _exam(exam: Exam, number: int, small: Mapping[str, Thumbnail]) -> str:
    shows = ", ".join(f"{text.plane_name(plane)} {count}" for plane, count in exam.coverage.items())
    taken = [*exam.measures, *([exam.efw] if exam.efw is not None else [])]
    told = [*map(text.sentence, exam.warnings), *text.limits(taken)]
    warnings = "".join(f"<li><b>Warning:</b> {safe(warning)}</li>" for warning in told)
    head = f'<h3 id="exam-{number}">{safe(text.exam_name(exam, short=True)) or f"Exam {number}"}</h3>'
    if exam.refused:
        listed = f'<ul class="warnings">{warnings}</ul>'
        return "\n".join(['<article class="exam">', head, "<p>Refused.</p>", listed, "</article>\n"])
    pieces = [
        '<article class="exam">',
        head,
        exam_tables.triage(exam),
        "" if exam.age is None else f"<p>Age known without the pictures: {safe(text.known_age(exam.age))}.</p>",
        f"<p>Pictures by plane: {safe(shows) or 'none named'}.</p>",
        exam_tables.views(exam, small),
        _table(taken) if taken else "<p>Nothing was measured.</p>",
        exam_tables.quality(exam),
        f'<ul class="warnings">{warnings}</ul>' if warnings else "",
        "</article>\n",
    ]
    return "\n".join(piece for piece in pieces if piece)


def _table(taken: Sequence[Measurement]) -> str:
    columns = ("Measure", "Value", f"{text.levels(taken)} interval".strip(), "Definition", "Centile", "Masks by")
    heads = "".join(f'<th scope="col">{name}</th>' for name in columns)
    rows = "".join(_wide_row(one) for one in taken)
    return (
        f'<div class="scroll"><table class="list"><thead><tr>{heads}</tr></thead><tbody>\n{rows}</tbody></table></div>'
    )


def _wide_row(one: Measurement) -> str:
    title = _title(one)
    name = safe(text.sentence(one.name)) + (f" <small>{safe(title)}</small>" if title else "")
    cells = "".join(f"<td>{safe(cell)}</td>" for cell in (one.definition, text.centile(one), one.source))
    return (
        f'<tr><th scope="row">{name}</th><td class="value">{safe(text.amount(one))}</td>'
        f'<td class="range">{safe(text.between(one))}</td>{cells}</tr>\n'
    )
