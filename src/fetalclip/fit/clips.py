"""Clips with known findings: a table of one's own, read with suspicion, or simulated ones."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fetalclip.data.formats import read_cells
from fetalclip.data.splits import part_of
from fetalclip.errors import BadRecipe, DataMissing, UnreadableInput
from fetalclip.frame import Cine, Shot
from fetalclip.io import read_cine
from fetalclip.phantom import hearts

TEST = -1
"""Fold of a clip that training leaves alone."""

_KEYS = ("path", "patient", "fold")
_FIX = "fetalclip train heart.yaml data.clips=clips.csv, with a mended table"
_SHOWN = 12  # rows named in a message
Labels = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Clip:
    """One clip.

    Attributes:
        open: its frames from the first, each time.
        patient: group that must not be torn apart.
        labels: (findings,) 1 present, 0 absent, NaN unknown.
        fold: 0 or more, ``TEST``, or None where it is to be dealt.
        key: what its pictures hang on, for the cache of embeddings.
        severity: finding to its severity, of a simulated clip; findings of no label too.
    """

    open: Callable[[], Iterable[Shot]] = field(repr=False)
    patient: str
    labels: Labels
    fold: int | None
    key: str
    severity: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips and the findings their labels stand for.

    Attributes:
        findings: in the order of the labels.
        clips: all of them, the test side too.
        simulated: drawn, not seen.
    """

    findings: tuple[str, ...]
    clips: tuple[Clip, ...]
    simulated: bool

    @property
    def labels(self) -> Labels:
        """(clips, findings)."""
        return np.stack([clip.labels for clip in self.clips])

    def where(self, chosen: npt.NDArray[np.bool_]) -> Clips:
        """The clips at which ``chosen`` is True."""
        return Clips(self.findings, tuple(c for c, yes in zip(self.clips, chosen, strict=True) if yes), self.simulated)

    def folds(self, parts: int) -> npt.NDArray[np.int64]:
        """Fold of each clip: the table's, or dealt by a hash of the patient into ``parts``."""
        found = [part_of(c.patient, parts) if c.fold is None else c.fold for c in self.clips]
        return np.array(found, dtype=np.int64)


def table_clips(path: Path, findings: Sequence[str] = (), check_classes: bool = True) -> Clips:
    """Clips of a table; paths in it are beside the table, or absolute.

    Args:
        path: a CSV or Parquet file with ``path``, ``patient``, a column for each finding, optionally ``fold``.
        findings: columns to take; empty takes all others.
        check_classes: refuse a finding with one class only; False for clips that are only measured on.

    Raises:
        UnreadableInput: a table that cannot be used; the message names its rows, the first below the header being 2.
        DataMissing: files that are not there, likewise.
        BadRecipe: a finding that is no column.
    """
    header, cells = read_cells(path)
    header, cells = [word.strip() for word in header], [{k.strip(): v.strip() for k, v in row.items()} for row in cells]
    missing = [name for name in _KEYS[:2] if name not in header]
    if missing:
        raise UnreadableInput(f"'{path.name}' has no column {missing[0]!r}", "path, patient and findings", _FIX)
    others = [name for name in header if name and name not in _KEYS]
    names = tuple(findings) or tuple(others)
    if strange := [name for name in names if name not in others]:
        raise BadRecipe(f"no column {strange[0]!r:.60} in '{path.name}'", "one of " + ", ".join(others)[:300])
    if not names or not cells:
        raise UnreadableInput(f"'{path.name}' has {len(cells)} rows and {len(names)} findings", "one or more", _FIX)
    labels = np.array([[_label(row[name], name, i) for name in names] for i, row in enumerate(cells, 2)])
    folds = _folds(cells, "fold" in header)
    files = [_file(path.parent, row["path"]) for row in cells]
    _check_rows(cells, files, folds)
    if check_classes:
        kept = [i for i, fold in enumerate(folds) if fold != TEST]
        _check_classes(labels[kept], names, [i + 2 for i in kept])
    made = [
        Clip(_opener(file), row["patient"], label, fold, _sha256(file))
        for row, file, label, fold in zip(cells, files, labels, folds, strict=True)
    ]
    return Clips(names, tuple(made), False)


def simulated_clips(
    count: int,
    findings: Sequence[str] = (),
    *,
    profile: str = "train",
    frames: int = 48,
    healthy: float = 0.3,
    severities: tuple[float, float] = (0.5, 1.0),
    seed: int = 0,
) -> Clips:
    """Simulated clips, healthy or with one finding each, every clip of a patient of its own.

    Args:
        count: how many; findings take turns.
        findings: of the labels; empty takes all that the training profile draws.
        profile: of the drawings.
        frames: of a clip.
        healthy: share without a finding.
        severities: the range each severity is drawn from, evenly.
        seed: the first seed of a drawing.
    """
    known = {name: one for name, one in hearts.FINDINGS.items() if one.trained}
    names = tuple(findings) or tuple(known)
    if strange := [name for name in names if name not in known]:
        raise BadRecipe(f"no simulated finding {strange[0]!r:.60}", "one of " + ", ".join(known))
    made = []
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        sick = math.floor((i + 1) * (1 - healthy)) - math.floor(i * (1 - healthy)) > 0
        name = names[math.floor((i + 1) * (1 - healthy) - 1e-9) % len(names)] if sick else None
        made.append(drawn_clip(seed + i, name, float(rng.uniform(*severities)), names, (profile, frames)))
    return Clips(names, tuple(made), True)


def drawn_clip(
    seed: int, finding: str | None, severity: float, names: Sequence[str], how: tuple[str, int] = ("train", 48)
) -> Clip:
    """One simulated clip; ``how`` is profile and frames. A finding outside ``names`` has no label."""
    profile, frames = how
    labels = np.array([float(name == finding) for name in names])
    key = f"simulated {profile} {seed} {finding} {severity:.6f} {frames}"

    def shots() -> Iterable[Shot]:
        drawn = hearts.draw_heart(seed, profile, finding, severity, frames)
        return Cine.of(list(drawn.pictures()), drawn.rate, drawn.mm_per_pixel)  # it is read twice, drawn once

    return Clip(shots, f"{profile} {seed}", labels, None, key, {} if finding is None else {finding: severity})


def _opener(file: Path) -> Callable[[], Iterable[Shot]]:
    return lambda: read_cine(file)


def _label(cell: str, name: str, row: int) -> float:
    if cell == "":
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if value not in (0.0, 1.0):
        raise UnreadableInput(f"row {row} has {cell!r:.20} for {name!r:.60}", "0, 1 or nothing", _FIX)
    return value


def _folds(cells: Sequence[dict[str, str]], there: bool) -> list[int | None]:
    """Fold of each row; None for all where the table has none."""
    if not there or not any(row["fold"] for row in cells):
        return [None] * len(cells)
    found: list[int | None] = []
    for number, row in enumerate(cells, 2):
        word = row["fold"].lower()
        if word != "test" and not (word.isascii() and word.isdigit() and len(word) < 4):
            raise UnreadableInput(f"row {number} has the fold {row['fold']!r:.20}", "a whole number or 'test'", _FIX)
        found.append(TEST if word == "test" else int(word))
    return found


def _check_rows(cells: Sequence[dict[str, str]], files: Sequence[Path], folds: Sequence[int | None]) -> None:
    """Refuse rows without a patient, a path twice, a file that is not there, a patient in two folds."""
    if bare := [i for i, row in enumerate(cells, 2) if not row["patient"]]:
        raise UnreadableInput(f"no patient in {_rows(bare)}", "the patient of every clip", _FIX)
    if gone := [i for i, file in enumerate(files, 2) if not file.is_file()]:
        raise DataMissing(f"no such clip in {_rows(gone)}", "files beside the table, or whole paths", _FIX)
    places: dict[Path, list[int]] = defaultdict(list)
    patients: dict[str, list[int]] = defaultdict(list)
    for i, (row, file) in enumerate(zip(cells, files, strict=True), 2):
        places[file.resolve()].append(i)
        patients[row["patient"]].append(i)
    if twice := [i for rows in places.values() if len(rows) > 1 for i in rows]:
        raise UnreadableInput(f"one clip in several rows: {_rows(twice)}", "each clip once", _FIX)
    torn = [i for rows in patients.values() if len({folds[i - 2] for i in rows}) > 1 for i in rows]
    if torn:
        raise UnreadableInput(f"one patient in two folds: {_rows(torn)}", "a patient's clips in one fold", _FIX)


def _check_classes(labels: Labels, names: Sequence[str], rows: Sequence[int]) -> None:
    """Refuse a finding that is never, or always, there on the train side."""
    for column, name in enumerate(names):
        known = np.isfinite(labels[:, column])
        values = set(labels[known, column])
        if len(values) < 2:
            said = f"only {int(next(iter(values)))} for {name!r:.60}" if values else f"nothing for {name!r:.60}"
            there = [row for row, yes in zip(rows, known, strict=True) if yes] or list(rows)
            raise UnreadableInput(f"{said}: {_rows(there)}", "clips with and without it", _FIX)


def _rows(numbers: Sequence[int]) -> str:
    said = ", ".join(map(str, sorted(numbers)[:_SHOWN]))
    return f"row{'s' if len(numbers) > 1 else ''} {said}" + (", …" if len(numbers) > _SHOWN else "")


def _file(folder: Path, name: str) -> Path:
    if not name or "\0" in name or len(name) > 4096:
        return folder / "no such clip"
    return folder / name


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataMissing(f"a clip of the table cannot be read ({error.strerror})", "a readable file") from None
