"""One analysis as lines for the eye; ``--json`` is for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fetalclip.cli.output import bar, printable, takes_blocks
from fetalclip.report import exam_text, heart, probe, text
from fetalclip.result import Analysis, Exam, PlaneScores

MAX_NAME = 60  # characters; a longer name pushes its own line to the right and no other


def name_width(names: Iterable[object]) -> int:
    """Width of the first column for these names."""
    return min(max((len(printable(name)) for name in names), default=0), MAX_NAME)


def lines(analysis: Analysis, width: int) -> list[str]:
    """Text lines of one analysis: name, plane, probability, bar, sub-plane; the rest, reasons and warnings below.

    Args:
        analysis: what was found; its error, if any, is told on stderr by the caller.
        width: of the name column, from ``name_width``.
    """
    name = printable(analysis.input.path).ljust(width)
    if analysis.error is not None:
        return [f"{name}  not read"]
    told = [f"{name}  {_plane(analysis.plane)}  {text.subplane(analysis)}".rstrip()]
    if analysis.input.best_frame is not None:
        told.append(f"    best {analysis.input.best_frame}")
    if dated := text.age(analysis):
        told.append(f"    {'; '.join(dated)}")
    if measures := text.measures(analysis.measured):
        told.append(f"    {'; '.join(measures)}")
    if found := heart.words(analysis):
        told.append(f"    {'; '.join(found)}")
    told += [f"    {found}" for found in probe.words(analysis)]
    warnings = text.other_warnings(analysis)
    if analysis.plane is not None and analysis.plane.abstained:
        why = text.reason(analysis.plane)
        told.append(f"    why: {why}")
        warnings = [warning for warning in warnings if not warning.endswith(why)]
    return told + [f"    warning: {warning}" for warning in warnings]


def exam_lines(exam: Exam) -> list[str]:
    """Text lines of one exam: its folder and planes; measures, weight, warnings, views, quality, triage below."""
    first, *more = text.exam(exam)
    return [first, *(f"    {line}" for line in [*more, *exam_text.lines(exam)])]


def triage_lines(exams: Sequence[Exam]) -> list[str]:
    """Several exams, those that need a person first on top; nothing of one exam, whose own lines say it."""
    return exam_text.order(exams) if len(exams) > 1 else []


def _plane(plane: PlaneScores | None) -> str:
    if plane is None or not plane.scores:
        return "no plane asked for"
    name, share = text.plane_name(plane.label), text.percent(plane.probability)
    if plane.abstained:
        return f"{'abstained':<16} {'':>8}  closest: {name} {share}"
    return f"{name:<16} {share:>8}  {bar(plane.probability, ascii_only=not takes_blocks())}"
