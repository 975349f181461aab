"""Reader of an archive: a folder of DICOM files, whatever it is sorted by, with a table of labels or without one.

Only headers are read. The group of a row is its patient's pseudonym under a secret key, the same that ``fetalclip data
deid`` writes. What a table says comes before what a header says, and a row that no header can place is told.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from fetalclip.clinical.vocabulary import REJECTS
from fetalclip.data import dicom_groups as groups
from fetalclip.data.columns import parse, read_frame
from fetalclip.data.dicom_facts import Facts, facts_of, why
from fetalclip.data.dicom_groups import Lines
from fetalclip.data.dicom_labels import Labels
from fetalclip.data.manifest import Manifest, Problem
from fetalclip.errors import DataMissing, InputError, UsageError
from fetalclip.frame import spread
from fetalclip.io import walk
from fetalclip.io.deid.key import Key
from fetalclip.io.formats import HEAD, sniff
from fetalclip.io.source import check_regular

_FIRST = 200  # files that are looked at to see whether a folder is one of DICOM files
_POOL_FROM = 1000  # files; fewer are read in this process: starting others would take longer
_CHUNK = 64  # files handed to a worker at a time

Seen = Facts | str | None
"""What was seen of a file: its facts, or why it cannot be used, or None where it is no picture."""

Watch = Callable[[Iterable[Seen], int], Iterable[Seen]]


@dataclass(frozen=True)
class Choices:
    """What is made of an archive.

    Attributes:
        frames: pictures of a clip, evenly spread; 0 leaves clips out.
        deal: whether a split is dealt, by patient.
    """

    frames: int = 1
    deal: bool = False


@dataclass
class _Files:
    """What a walk has found: facts and problems by path within the folder, and how many files are no pictures."""

    facts: dict[str, Facts] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    others: int = 0


def holds_dicom(folder: Path) -> bool:
    """Whether one of the first 200 files of a folder is a DICOM file."""
    try:
        return any(map(_is_dicom, islice(walk(folder), _FIRST)))
    except UsageError:  # no file at all
        return False


def read_dicom_folder(
    folder: str | Path,
    key: Key,
    table: str | Path | None = None,
    choices: Choices | None = None,
    watch: Watch = lambda seen, total: seen,
) -> Manifest:
    """A folder's DICOM files and pictures as a manifest, in the order of their paths.

    Args:
        folder: walked with all its folders; links are followed, and loops end.
        key: makes the pseudonyms of patients.
        table: facts about its files by path or by the end of one; see `fetalclip.data.dicom_labels`.
        choices: pictures of a clip, and whether to deal a split.
        watch: sees what was seen of each file pass by, and is told of how many, for a progress bar.

    Returns:
        Rows of all pictures that can be used. Files that cannot are problems without a row; what holds for the whole
        folder is a repaired problem of row 0.

    Raises:
        DataMissing: no such folder, or no DICOM file in it.
        UsageError, UnreadableInput: the table cannot be used.
    """
    folder, choices = Path(folder), choices or Choices()
    if not folder.is_dir():
        raise DataMissing(f"'{folder}' is not a folder", "a folder of DICOM files")
    labels = None if table is None else Labels.read(Path(table), folder)
    files = _walked(folder, key, watch)
    if not any(facts.dicom for facts in files.facts.values()) and not files.problems:
        raise DataMissing(f"'{folder}' has no DICOM file", "a folder of DICOM files, or one with a table in it")
    told = [] if labels is None else labels.join(files.facts)
    lines, sources, wrong = _lines(files.facts, labels, choices)
    whose = groups.group(lines, sources, files.facts, key)
    links = groups.linked(lines, [files.facts[source] for source in sources], whose)
    groups.split(lines, whose, links, choices.deal)
    notes = [*_notes(files, lines, sources, choices), *files.problems, *told, *wrong]
    notes += [*groups.mixed_studies(sources, files.facts), *groups.parted(lines, sources, whose)]
    if not lines:
        return Manifest((), (), tuple(notes))
    header = list(dict.fromkeys(name for line in lines for name in line))
    made = Manifest.from_cells(header, lines, folder, folder)
    problems = sorted([*notes, *made.problems], key=lambda problem: problem.row)
    return Manifest(made.rows, made.numbers, tuple(problems))


def _is_dicom(path: Path) -> bool:
    try:
        check_regular(str(path), "", limit=None)
        with path.open("rb") as stream:
            return sniff(stream.read(HEAD)) == "DICOM"
    except (OSError, ValueError, InputError):
        return False


def _walked(folder: Path, key: Key, watch: Watch) -> _Files:
    found = _Files()
    paths = list(walk(folder))
    with ExitStack() as stack:
        see = partial(_seen, key=key)
        see_all: Callable[[Callable[[Path], Seen], list[Path]], Iterable[Seen]] = map
        count = min(os.cpu_count() or 1, 8)
        if count > 1 and len(paths) >= _POOL_FROM:
            # spawn: a forked child of a process that has run torch may hang
            pool = stack.enter_context(ProcessPoolExecutor(count, mp_context=get_context("spawn")))
            see_all = partial(pool.map, chunksize=_CHUNK)
        for path, seen in zip(paths, watch(see_all(see, paths), len(paths)), strict=True):
            name = path.relative_to(folder).as_posix()
            if seen is None:
                found.others += 1
            elif isinstance(seen, str) or (flaw := _unwritable(name)):
                what = seen if isinstance(seen, str) else flaw
                found.problems.append(Problem(0, name, "unreadable picture", what))
            else:
                found.facts[name] = seen
    return found


def _seen(path: Path, key: Key) -> Seen:
    try:
        return facts_of(path, key)
    except InputError as error:
        return why(path, error)


def _unwritable(name: str) -> str:
    """Why a table cannot hold a file's name; empty where it can."""
    if name != name.strip():
        return "a name that begins or ends with a blank"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "a name that is not UTF-8"
    return ""


def _lines(
    files: Mapping[str, Facts], labels: Labels | None, choices: Choices
) -> tuple[Lines, list[str], list[Problem]]:
    """Rows as cells, of each the file it is of, and rows of the table that are of no picture."""
    lines: Lines = []
    sources: list[str] = []
    wrong = []
    for name, facts in files.items():
        for told in (labels.of(name) if labels else None) or [{}]:
            if flaw := _no_frame(told.get("frame", ""), facts.frames):
                wrong.append(Problem(0, name, "no such frame", flaw))
                continue
            places = [told["frame"]] if told.get("frame") else [""]
            if facts.frames is not None and not told.get("frame"):
                places = [str(place) for place in spread(facts.frames, choices.frames)]
            for place in places:
                lines.append({"path": name, **_joined(facts.cells, told), "frame": place})
                sources.append(name)
    return lines, sources, wrong


def _no_frame(told: str, frames: int | None) -> str:
    """Why a file has no such picture; empty where it has, and of a cell that is no number, which is refused later."""
    place = read_frame(told, []) if told else None
    if place is None:
        return ""
    if frames is None:
        return f"the table asks for frame {place} of a still: leave the cell empty"
    return f"the table asks for frame {place}, the clip has 0 to {frames - 1}" if place >= frames else ""


def _joined(cells: Mapping[str, str], told: Mapping[str, str]) -> dict[str, str]:
    """What a header says where the table is empty; a picture of nothing has neither scale nor age."""
    planes = parse({"path": "-", "plane": told.get("plane", "")})[0]["planes"]
    bare = ("mm_per_pixel", "age_days") if any(plane in REJECTS for plane in planes) else ()
    return {name: cell for name, cell in cells.items() if name not in bare} | dict(told)


def _notes(files: _Files, lines: Lines, sources: list[str], choices: Choices) -> list[Problem]:
    """What holds for the whole folder, a line each."""
    facts = files.facts.values()
    clips = sum(one.frames is not None for one in facts)
    lone = sum(not files.facts[source].patient for source in sources)
    bare = sum(not line.get("mm_per_pixel") for line in lines)
    oblong = sum(files.facts[source].oblong for source in sources)
    squeezed = f" ({oblong} because pixels are not square)" if oblong else ""
    undealt = sum(not line.get("split") for line in lines)
    alone = groups.studies_of_one(facts)
    kinds = Counter({
        "other files": files.others,
        "clips left out": 0 if choices.frames else clips,
        "no patient": lone,
        "one patient": alone,
        "no spacing": bare,
        "no split": undealt,
    })  # fmt: skip
    what = {
        "other files": f"{files.others} files are neither DICOM pictures nor other stills: passed over",
        "clips left out": f"{clips} clips, as no pictures of clips were asked for",
        "no patient": f"{lone} pictures name no patient: they go with the one patient of their folder, or alone",
        "one patient": f"{alone} studies are of one patient ID: if it stands for nobody, give a table with group",
        "no spacing": f"{bare} of {len(lines)} rows have no mm_per_pixel" + squeezed,
        "no split": f"{undealt} rows have none; --split with --key-file deals one by patient",
    }
    return [Problem(0, "", kind, what[kind], repaired=True) for kind, count in kinds.items() if count]
