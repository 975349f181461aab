"""The measures of one exam together: each structure from its best plane, ratios and weight of these measures only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fetalclip.clinical import growth
from fetalclip.clinical.age import IndependentAge, independent
from fetalclip.clinical.biometry import BIOMETRICS, RATIOS, Biometric, ratio
from fetalclip.result import Exam, Measurement

PLANE_OF: Mapping[str, str] = {
    "head": "brain",
    "abdomen": "abdomen",
    "femur": "femur",
    "thorax": "thorax",
    "heart": "thorax",
}
"""Structure to the plane it is measured on."""

FORMULA = "hadlock-1985-weight"
DIFFER = 0.1
"""Share by which a measure may differ between two pictures of one exam without a word: beyond, one of them is another
plane, another fetus or another spacing."""

_NEEDED = ("HC", "AC", "FL")


@dataclass(frozen=True)
class Shown:
    """What one picture of an exam shows.

    Attributes:
        planes: plane to its probability, 0 to 1.
        measures: taken of this picture, refused ones too.
        name: how warnings call it; empty: by its number.
    """

    planes: Mapping[str, float]
    measures: Sequence[Measurement] = ()
    name: str = ""


def combine(
    pictures: Iterable[Shown],
    path: str = "",
    ga: IndependentAge | str | None = None,
    chart: str | None = None,
    sex: str | None = None,
) -> Exam:
    """One exam of its pictures.

    Every structure is measured on one picture: the one that shows its plane with the highest probability among those
    that gave the structure's first measure in mm. Ratios and the weight (Hadlock 1985, the equation in the most
    measures) take these measures only, each as its formula takes it.

    Args:
        pictures: of one exam.
        path: the exam's folder, as given.
        ga: age known without the pictures, for centiles.
        chart, sex: as ``Measurement.centile``.

    Raises:
        CircularAge: the age was estimated from a size or a picture.
        BadValue: an age or the name of a chart that cannot be meant.
    """
    shown = list(pictures)
    age = None if ga is None else independent(ga)
    growth.check_name(chart)
    chosen, warnings = [], []
    for structure, plane in PLANE_OF.items():
        measures, told = _best(shown, structure, plane)
        chosen += measures
        warnings += told
    ratios, weight = _ratios(chosen), _weight(chosen)
    if weight is None:
        taken = {one.name for one in chosen}
        missing = [name for name in _NEEDED if name not in taken]
        warnings.append(
            f"no weight: {', '.join(missing)} not measured" if missing else "no weight: outside the formula"
        )
    if age is not None:
        chosen = [_placed(one, age, chart, sex) for one in chosen]
        weight = None if weight is None else _placed(weight, age, chart, sex)
    return Exam(path, (*chosen, *ratios), weight, _coverage(shown), tuple(warnings))


def _best(shown: Sequence[Shown], structure: str, plane: str) -> tuple[list[Measurement], list[str]]:
    """The measures of a structure from its best picture, and what is to be told."""
    owned = [one for one in BIOMETRICS.values() if one.structures[0] == structure]
    first = owned[0].name
    given = [(picture, _by_name(picture)) for picture in shown]
    able = [pair for pair in given if first in pair[1] and pair[1][first].mm is not None]
    if not able:
        tried = [measures[first] for _, measures in given if first in measures]
        reasons = dict.fromkeys(one.note or "refused" for one in tried)
        return [], [f"no {first}: {'; '.join(reasons)}"] if tried else []
    _, measures = max(able, key=lambda pair: pair[0].planes.get(plane, 0.0))
    return [measures[one.name] for one in owned if _usable(one, measures)], _disagreement(first, able)


def _usable(one: Biometric, measures: Mapping[str, Measurement]) -> bool:
    return one.name in measures and measures[one.name].value is not None


def _by_name(picture: Shown) -> dict[str, Measurement]:
    return {one.name: one for one in picture.measures}


def _disagreement(name: str, able: Sequence[tuple[Shown, Mapping[str, Measurement]]]) -> list[str]:
    """A warning where pictures of one exam give sizes that no one fetus has."""
    sizes = [size for _, measures in able if (size := measures[name].mm) is not None]
    low, high = min(sizes), max(sizes)
    if high <= (1.0 + DIFFER) * low:
        return []
    return [f"{name} is {low:.0f} to {high:.0f} mm over {len(sizes)} pictures: not all of one fetus, plane or spacing"]


def _ratios(chosen: Sequence[Measurement]) -> list[Measurement]:
    """Ratios of two circumferences or lengths that were both taken as their charts take them."""
    sizes = {one.name: one for one in chosen if one.mm is not None}
    found = []
    for name, (top, bottom) in RATIOS.items():
        if top not in sizes or bottom not in sizes or "BPD" in (top, bottom):
            continue  # published FL/BPD take the BPD outer-inner; an ellipse's is outer-outer
        above, below = sizes[top], sizes[bottom]
        definition = f"{above.definition} over {below.definition}"
        source = ", ".join(dict.fromkeys((above.source, below.source)))
        found.append(Measurement(name, ratio(above.mm, below.mm), "", definition=definition, source=source))
    return found


def _weight(chosen: Sequence[Measurement]) -> Measurement | None:
    """The weight in g by the equation in the most measures; None where there is none."""
    given = {
        one.name: growth.Size(one.name, one.mm, one.definition)
        for one in chosen
        if one.mm is not None and one.name in growth.MEASURES
    }
    found = [pair for pair in growth.weigh(given) if pair[0].id == FORMULA]
    if not found:
        return None
    formula, grams = max(found, key=lambda pair: len(pair[0].needs))
    limits = growth.MEASURES["EFW"]
    if not limits.low <= grams <= limits.high:
        return None
    used = dict.fromkeys(one.source for one in chosen if one.name in formula.needs and one.source)
    return Measurement("EFW", float(grams), "g", definition=formula.name, source=", ".join(used))


def _placed(one: Measurement, age: IndependentAge, chart: str | None, sex: str | None) -> Measurement:
    """With its centile; what no chart has stays as it is."""
    return one.with_centile(age, chart, sex) if one.name in growth.MEASURES else one


def _coverage(shown: Sequence[Shown]) -> dict[str, int]:
    """Of each plane, the pictures on which it is the most probable."""
    found: dict[str, int] = {}
    for picture in shown:
        if picture.planes:
            plane = max(picture.planes, key=lambda name: picture.planes[name])
            found[plane] = found.get(plane, 0) + 1
    return dict(sorted(found.items()))
