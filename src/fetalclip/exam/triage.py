"""What needs a person first: one small rule for each sort of reason, and the order of several exams.

A new rule is one function of an `Exam` and its analyses, and one entry in `RULES`. A rule says what to look at; it
never says what is wrong with a fetus.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePath

from fetalclip.result import FAIL, URGENCIES, Analysis, Concern, Exam

Rule = Callable[[Exam, Sequence[Analysis]], list[Concern]]

OUTER = (3.0, 97.0)
"""Centiles beyond which a measure is looked at: the 3rd and the 97th."""

_BEYOND = ("no centile: below the lowest", "no centile: above the highest")


def out_of_chart(exam: Exam, analyses: Sequence[Analysis]) -> list[Concern]:
    """Measures beyond the 3rd or 97th centile, or off the chart altogether; measures that do not fit one fetus."""
    found = []
    for one in [*exam.measures, *([exam.efw] if exam.efw is not None else [])]:
        centile = one.centile_value
        off = next((part for part in one.note.split("; ") if part.startswith(_BEYOND)), "")
        if off:
            found.append(Concern("measure", "now", f"{one.name}: {off.removeprefix('no centile: ')}"))
        elif centile is not None and not OUTER[0] <= centile <= OUTER[1]:
            side, bound = ("below", OUTER[0]) if centile < OUTER[0] else ("above", OUTER[1])
            found.append(Concern("measure", "now", f"{one.name} {side} the {bound:.0f}{_ending(bound)} centile"))
    mixed = [warning for warning in exam.warnings if "not all of one fetus" in warning]
    return found + [Concern("measure", "now", warning) for warning in mixed]


def missing_view(exam: Exam, analyses: Sequence[Analysis]) -> list[Concern]:
    """Standard views that no picture shows."""
    return [
        Concern("missing view", "soon" if view.needed else "note", f"no picture of: {view.title}")
        for view in exam.views or ()
        if not view.seen
    ]


def failed_quality(exam: Exam, analyses: Sequence[Analysis]) -> list[Concern]:
    """Views whose best picture fails a check, and failing pictures that others stand in for."""
    checked = {one.path: one for one in exam.quality or ()}
    best = {view.best: view for view in exam.views or () if view.seen}
    found = []
    for path, view in best.items():
        if path in checked and checked[path].failed:
            reasons = "; ".join(check.reason for check in checked[path].failed)
            found.append(Concern("quality", "soon", f"best picture of {view.title}: {reasons}", (path,)))
    rest = tuple(path for path, one in checked.items() if one.verdict == FAIL and path not in best)
    if rest:
        found.append(Concern("quality", "note", f"{_count(rest)} failed a check; a better one shows the view", rest))
    return found


def abstained(exam: Exam, analyses: Sequence[Analysis]) -> list[Concern]:
    """Pictures that were given no plane, and heads without a certain sub-plane."""
    planes = tuple(a.input.path for a in analyses if a.plane is not None and a.plane.abstained)
    subs = tuple(a.input.path for a in analyses if a.subplane is not None and a.subplane.abstained)
    found = []
    if planes:
        found.append(Concern("abstention", "soon", f"{_count(planes)} without a certain plane", planes))
    if subs:
        found.append(Concern("abstention", "note", f"{_count(subs)} of a head without a certain sub-plane", subs))
    refused = [
        warning for warning in exam.warnings if warning.startswith("no ") and not warning.startswith("no weight")
    ]
    return found + [Concern("abstention", "soon", warning) for warning in refused]


def not_read(exam: Exam, analyses: Sequence[Analysis]) -> list[Concern]:
    """Files that could not be read."""
    paths = tuple(a.input.path for a in analyses if a.error is not None)
    return [Concern("not read", "soon", f"{len(paths)} of {len(analyses)} files not read", paths)] if paths else []


RULES: tuple[Rule, ...] = (out_of_chart, missing_view, failed_quality, abstained, not_read)
"""In the order of reasons of one urgency."""


def concerns(exam: Exam, analyses: Sequence[Analysis], rules: Sequence[Rule] = RULES) -> tuple[Concern, ...]:
    """Every reason of an exam, the most urgent first; of one urgency in the order of the rules."""
    found = [concern for rule in rules for concern in rule(exam, analyses)]
    return tuple(sorted(found, key=lambda concern: URGENCIES.index(concern.urgency)))


def urgency(exam: Exam) -> str:
    """The most urgent reason of an exam; empty where there is none."""
    return exam.triage[0].urgency if exam.triage else ""


def sort_exams(exams: Sequence[Exam]) -> list[Exam]:
    """Exams that need a person first come first: by their most urgent reasons, one level after the other, most first.

    Refused ones, of which nothing is known, stand before all others. Exams of equal reasons keep their order.
    """

    def weight(exam: Exam) -> tuple[int, ...]:
        given = [concern.urgency for concern in exam.triage or ()]
        return (not exam.refused, *(-given.count(level) for level in URGENCIES))

    return sorted(exams, key=weight)


def _count(paths: Sequence[str]) -> str:
    return f"1 picture ({PurePath(paths[0]).name})" if len(paths) == 1 else f"{len(paths)} pictures"


def _ending(number: float) -> str:
    return {3.0: "rd"}.get(number, "th")
