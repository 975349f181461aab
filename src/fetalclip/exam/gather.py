"""One exam of its analyses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePath

from fetalclip.caliper import Shown, combine
from fetalclip.clinical.age import HEADER_SOURCES, TOLERANCE, IndependentAge, independent
from fetalclip.exam.coverage import ViewRule, covered
from fetalclip.exam.dating import header_age, refused_age
from fetalclip.exam.triage import concerns
from fetalclip.result import Analysis, Exam, PictureQuality, Study


def gather(
    analyses: Iterable[Analysis],
    path: str = "",
    ga: IndependentAge | str | None = None,
    views: Sequence[ViewRule] | None = None,
    study: Study | None = None,
    spread: int = 0,
) -> Exam:
    """Measures, views, quality and triage of one exam.

    Args:
        analyses: of its files, those that could not be read too. A clip stands here by the analysis of its best frame.
        path: the exam's folder, as given.
        ga: age known without the pictures, for centiles; None takes that of the headers, where they agree. It is of
            one day: for scans that are spread over more than `SPAN` days it is refused, and the exam has no age.
        views: the standard views; the mid-trimester list where None.
        study: what the headers of its DICOM files say; an exam that it refuses says nothing else.
        spread: days from the first scan to the last of all exams that ``ga`` is given for, if more than this one.

    Raises:
        CircularAge: the age was estimated from a size or a picture.
        BadValue: an age that cannot be meant.
    """
    given = list(analyses)
    if study is not None and study.refused:
        return Exam(path, warnings=(study.refused, *study.warnings), study=study)
    read = [one for one in given if one.error is None]
    age, told = _age(read, ga, study, spread)
    exam = combine([shown(one, bare=ga is not None and age is None) for one in read], path, age)
    unread = [f"{len(given) - len(read)} of {len(given)} files not read"] if len(read) < len(given) else []
    said = (*exam.warnings, *told, *unread, *(() if study is None else study.warnings))
    exam = replace(exam, warnings=said, age=age, study=study)
    checked = tuple(
        PictureQuality(one.input.path, one.plane.label, one.quality)
        for one in read
        if one.quality is not None and one.plane is not None
    )
    asked = any(one.plane is not None for one in given)  # a view can be missing only where planes were looked for
    exam = replace(exam, quality=checked if asked else None, views=covered(read, views) if asked else None)
    return replace(exam, triage=concerns(exam, given))


def _age(
    read: Sequence[Analysis], ga: IndependentAge | str | None, study: Study | None, spread: int
) -> tuple[IndependentAge | None, list[str]]:
    """The exam's age, the one that was given before that of the headers, and what is to be told."""
    days = {} if study is None else study.days
    told, why = header_age(read, days)
    if ga is None:
        return told, [why] if why else []
    age = independent(ga)
    if refused := refused_age(max(spread, *days.values(), 0)):
        return None, [refused]
    apart = 0 if told is None else abs(age.days - told.days)
    differ = f"the age that was given and that of the headers lie {apart:.0f} days apart"
    return age, [differ] if apart > TOLERANCE else []


def shown(analysis: Analysis, bare: bool = False) -> Shown:
    """What an analysed picture brings to its exam's measures; one that was given no plane shows none.

    Centiles by the age of its own header stay behind, and all of them where ``bare``: the exam has one age, or none.
    """
    plane = analysis.plane
    planes = {} if plane is None or plane.abstained else dict(plane.scores)
    name = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in PurePath(analysis.input.path).name
    )
    measures = tuple(
        one.without_centile() if one.age is not None and (bare or one.age.source in HEADER_SOURCES) else one
        for one in analysis.biometry or ()
    )
    return Shown(planes, measures, name)
