"""One exam of its analyses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePath

from fetalclip.caliper import Shown, combine
from fetalclip.clinical.age import IndependentAge
from fetalclip.exam.coverage import ViewRule, covered
from fetalclip.exam.triage import concerns
from fetalclip.result import Analysis, Exam, PictureQuality


def gather(
    analyses: Iterable[Analysis],
    path: str = "",
    ga: IndependentAge | str | None = None,
    views: Sequence[ViewRule] | None = None,
) -> Exam:
    """Measures, views, quality and triage of one exam.

    Args:
        analyses: of its files, those that could not be read too. A clip stands here by the analysis of its best frame.
        path: the exam's folder, as given.
        ga: age known without the pictures, for centiles.
        views: the standard views; the mid-trimester list where None.

    Raises:
        CircularAge: the age was estimated from a size or a picture.
        BadValue: an age that cannot be meant.
    """
    given = list(analyses)
    read = [one for one in given if one.error is None]
    exam = combine([shown(one) for one in read], path, ga)
    if len(read) < len(given):
        exam = replace(exam, warnings=(*exam.warnings, f"{len(given) - len(read)} of {len(given)} files not read"))
    checked = tuple(
        PictureQuality(one.input.path, one.plane.label, one.quality)
        for one in read
        if one.quality is not None and one.plane is not None
    )
    asked = any(one.plane is not None for one in given)  # a view can be missing only where planes were looked for
    exam = replace(exam, quality=checked if asked else None, views=covered(read, views) if asked else None)
    return replace(exam, triage=concerns(exam, given))


def shown(analysis: Analysis) -> Shown:
    """What an analysed picture brings to its exam's measures; one that was given no plane shows none."""
    plane = analysis.plane
    planes = {} if plane is None or plane.abstained else dict(plane.scores)
    name = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in PurePath(analysis.input.path).name
    )
    return Shown(planes, analysis.biometry or (), name)
