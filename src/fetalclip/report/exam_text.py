"""The views, the image quality and the triage of an exam in lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from fetalclip.exam import sort_exams
from fetalclip.report.text import exam_name, file_name, percent, sentence
from fetalclip.result import Check, Exam, PictureQuality, View

_MISSING = {True: "missing", False: "not seen (not needed)"}


def lines(exam: Exam) -> list[str]:
    """Views, failed checks and triage of one exam; nothing of what was not asked."""
    told = []
    if exam.views is not None:
        told.append("views:")
        width = max(len(view.title) for view in exam.views)
        told += [f"  {view.title.ljust(width)}  {seen(view)}" for view in exam.views]
    if exam.quality:
        told.append(f"image quality: {summary(exam.quality)}")
        told += [
            f"  {file_name(one.path)}: {'; '.join(map(failure, one.failed))}" for one in exam.quality if one.failed
        ]
    if exam.triage:
        told.append("to look at:")
        told += [f"  {concern.urgency}: {sentence(concern.reason)}" for concern in exam.triage]
    elif exam.triage is not None:
        told.append("to look at: nothing")
    return told


def order(exams: Sequence[Exam]) -> list[str]:
    """Exams, those that need a person first on top, each with its most urgent reason."""
    told = ["exams in the order in which they need a person:"]
    for number, exam in enumerate(sort_exams(exams), 1):
        told.append(f"  {number}. {exam_name(exam)}: {most_urgent(exam)}")
    return told


def most_urgent(exam: Exam) -> str:
    """The first reason of an exam and how many are left, such as "now: HC below the 3rd centile (and 2 more)"."""
    if exam.refused:
        return sentence(exam.refused)
    if not exam.triage:
        return "nothing to look at"
    first, rest = exam.triage[0], len(exam.triage) - 1
    return f"{first.urgency}: {sentence(first.reason)}" + (f" (and {rest} more)" if rest else "")


def seen(view: View) -> str:
    """How a view was seen, such as "3 pictures, best a.png 98.1 %, quality pass"."""
    if not view.seen:
        return _MISSING[view.needed]
    count = "1 picture" if view.pictures == 1 else f"{view.pictures} pictures"
    words = [f"{count}, best {file_name(view.best)}" + (f" {view.frame}" if view.frame else "")]
    words[0] += f" {percent(view.probability)}" if view.probability is not None else ""
    return ", ".join([*words, *([f"quality {view.quality}"] if view.quality else [])])


def summary(checked: Sequence[PictureQuality]) -> str:
    """How many pictures failed, passed and could not be told."""
    found = [one.verdict for one in checked]
    return ", ".join(
        f"{found.count(verdict)} {verdict}" for verdict in ("pass", "fail", "cannot tell") if verdict in found
    )


def failure(check: Check) -> str:
    """A check in words, such as "size: the head is small (21.3 %, limit 30 %)"."""
    return f"{check.name}: {sentence(check.reason)}{measured(check)}"


def measured(check: Check) -> str:
    """What was measured against which limit, in brackets; empty where nothing was."""
    if check.value is None:
        return ""
    limit = "" if check.limit is None else f", limit {check.limit:g}{_unit(check)}"
    return f" ({check.value:.1f}{_unit(check)}{limit})"


def _unit(check: Check) -> str:
    return f" {check.unit}" if check.unit else ""
