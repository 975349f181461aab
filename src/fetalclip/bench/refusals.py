"""Pictures that should get no plane, put before a model: far input (no ultrasound) and near input (no anatomy).

All are drawn with the ``test`` profile of `fetalclip.phantom.distractors`, whose seeds, styles and ranges no
training uses. Near input is made from the pixels of the planes that are being tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Protocol, TypeVar

from fetalclip.bench.answers import Answers, joined
from fetalclip.bench.ask import Picture, Step, Way, ask
from fetalclip.bench.table import Goal, Metric
from fetalclip.data import Row
from fetalclip.errors import DataMissing, InputError
from fetalclip.frame import Frame
from fetalclip.io import read, walk
from fetalclip.overlay import overlay_only
from fetalclip.phantom.distractors import FAR, NEAR, far, near

FAR_GOAL, NEAR_GOAL = Goal(0.95), Goal(0.90)  # share abstained
SCREENS = "overlay_screens"  # the far kind "overlay", from real screens
FOLDER = "folder"
_FOLDER_BATCH = 4  # photographs are large
_FAR_TITLES = {
    "overlay": "drawn overlay text alone, masking on",
    SCREENS: "test screens' own overlay alone, masking on",
}


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Any = TypeVar("_Any", bound=_Named)


def spread(rows: Sequence[_Any], count: int | None) -> list[_Any]:
    """The first ``count`` rows in the order of a hash of the name, so that few rows are of all sorts."""
    return sorted(rows, key=lambda row: sha256(row.name.encode()).digest())[:count]


def far_pictures(kind: str, count: int, planes: Sequence[Row]) -> list[Picture]:
    """``count`` far pictures of one kind; of ``SCREENS``, at most one for each plane."""
    if kind == SCREENS:
        return [Picture(partial(_screen, row), row.group) for row in spread(planes, count)]
    return [Picture(partial(far, kind, seed, profile="test"), f"{kind}:{seed}") for seed in range(count)]


def near_pictures(kind: str, count: int, planes: Sequence[Row]) -> list[Picture]:
    """``count`` near pictures of one kind; all but bare speckle are made from ``planes``, in turn."""
    order = spread(planes, None)
    first = NEAR.index(kind) * count  # other planes for each kind, as far as there are
    pictures = []
    for seed in range(count):
        row = order[(first + seed) % len(order)] if order and kind != "speckle" else None
        group = row.group if row is not None else f"{kind}:{seed}"
        pictures.append(Picture(partial(_spoilt, kind, seed, row), group))
    return pictures


def folder_pictures(folder: str | Path) -> list[Picture]:
    """The user's own far pictures; files that are none are left out when they are read.

    Raises:
        DataMissing: no such folder, or there is no file in it.
    """
    files = list(walk([folder])) if Path(folder).is_dir() else []
    if not files:
        raise DataMissing(f"'{folder}' holds no file", "a folder of pictures that are not fetal ultrasound")
    return [Picture(partial(_tried, path), str(path)) for path in files]


def measure(
    way: Way, planes: Sequence[Row], count: int, folder: str | Path | None = None, step: Step = lambda done: None
) -> list[Metric]:
    """Shares abstained, by kind and pooled.

    Args:
        way: the model's own answer, overlay masked.
        planes: rows of the planes under test.
        count: pictures of each kind; 0 leaves all of them out.
        folder: further far pictures; a row of its own, not pooled.
        step: called with the number of pictures done.
    """
    metrics: list[Metric] = []
    if count:
        kinds = (*FAR, SCREENS)
        metrics += _group("far", kinds, [_one(way, far_pictures(k, count, planes), step) for k in kinds])
        metrics += _group("near", NEAR, [_one(way, near_pictures(k, count, planes), step) for k in NEAR])
    if folder is not None:
        found = _one(way, folder_pictures(folder), step, _FOLDER_BATCH)
        if not len(found):
            raise DataMissing(f"no file of '{folder}' is a picture", "one or more", "another folder")
        title = "pictures of the given folder"
        metrics.append(Metric("far_folder", title, _SECTIONS["far"], found.abstention(), FAR_GOAL, unit="pictures"))
    return sorted(metrics, key=lambda metric: metric.section)


def total(count: int) -> int:
    """Pictures that `measure` draws for ``count`` of each kind."""
    return count * (len(FAR) + 1 + len(NEAR))


_SECTIONS = {"far": "Abstained: far input, no ultrasound", "near": "Abstained: near input, no anatomy"}


def _group(group: str, kinds: Sequence[str], answers: Sequence[Answers]) -> list[Metric]:
    section, goal = _SECTIONS[group], FAR_GOAL if group == "far" else NEAR_GOAL
    units = ["patients" if kind in (SCREENS, *NEAR[1:]) else "drawings" for kind in kinds]
    pooled = joined(answers).abstention()
    rows = [Metric(group, f"all {group} kinds", section, pooled, goal, unit="drawings and patients")]
    for kind, unit, found in zip(kinds, units, answers, strict=True):
        title = _FAR_TITLES.get(kind, kind)
        rows.append(Metric(f"{group}_{kind}", title, section, found.abstention(), goal, unit=unit))
    return rows


def _one(way: Way, pictures: Sequence[Picture], step: Step, batch: int = 32) -> Answers:
    return ask(pictures, {"": way}, step, batch)[""]


def _screen(row: Row) -> Frame:
    return Frame(overlay_only(read(row.path).gray))


def _spoilt(kind: str, seed: int, row: Row | None) -> Frame:
    return near(kind, seed, None if row is None else read(row.path).gray, profile="test")


def _tried(path: Path) -> Frame | None:
    try:
        return read(path)
    except InputError:
        return None
