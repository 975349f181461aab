"""What a head said of clips, and a file of such answers read with suspicion."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.bench.saved import read_json
from fetalclip.errors import UnreadableInput
from fetalclip.metrics import Reals

SHAPE = (
    'one JSON object {"findings": [...], "probability": [[one for each finding], ...], "label": [[0, 1 or null, ...], '
    '...]}, optionally "patient", "severity" ([{finding: 0 to 1}, ...]), "single_frame" (as "probability") and '
    '"abstained" ([[true or false, ...], ...]), lists of one length'
)
_FIX = "--predictions answers.json"
_MOST = 1_000_000  # clips


@dataclass(frozen=True, eq=False)
class HeartAnswers:
    """What a head said, clip by clip.

    Attributes:
        findings: names of the columns.
        probability: (n, findings).
        label: (n, findings) 1, 0 or NaN for unknown.
        patient: group of each clip, (n,).
        grouped: False where no patients were given.
        severity: of each simulated clip, finding to severity, empty for a healthy one; () where it is not known.
        single: (n, findings), the same from one frame; or None.
        abstained: (n, findings) bool, or None.
        mildest: the mildest severity of the training, NaN where it is not known.
        motion: findings that one frame cannot show.
        sha256: of the file, or empty.
    """

    findings: tuple[str, ...]
    probability: Reals
    label: Reals
    patient: tuple[str, ...]
    grouped: bool = True
    severity: tuple[Mapping[str, float], ...] = ()
    single: Reals | None = None
    abstained: npt.NDArray[np.bool_] | None = None
    mildest: float = math.nan
    motion: tuple[str, ...] = field(default=())
    sha256: str = ""

    def __len__(self) -> int:
        return len(self.patient)

    @property
    def untrained(self) -> tuple[str, ...]:
        """Findings of the clips that the head has no answer for, in alphabetical order."""
        return tuple(sorted({name for one in self.severity for name in one} - set(self.findings)))


def read_saved(path: Path) -> HeartAnswers:
    """Read and check a file of answers.

    Raises:
        UnreadableInput: the file is missing, is not JSON or is of another shape; the message names the row.
    """
    data, digest = read_json(path, SHAPE, _FIX)
    findings = data.get("findings")
    words = isinstance(findings, list) and all(isinstance(name, str) and 0 < len(name) <= 100 for name in findings)
    if not words or not findings or len(set(findings)) != len(findings):
        raise _wrong(path, "findings", "")
    width = len(findings)
    probability = _table(path, data, "probability", width)
    label = _labels(path, data, width)
    n = len(probability)
    if not 0 < n <= _MOST:
        raise _wrong(path, "probability", f": {n} rows")
    single = None if data.get("single_frame") is None else _table(path, data, "single_frame", width)
    patient = data.get("patient")
    names = [str(i) for i in range(n)] if patient is None else _patients(path, patient)
    severity = () if data.get("severity") is None else _severities(path, data["severity"])
    abstained = None if data.get("abstained") is None else _flags(path, data["abstained"], width)
    lengths = {"probability": n, "label": len(label), "patient": len(names)}
    lengths |= {} if single is None else {"single_frame": len(single)}
    lengths |= {} if abstained is None else {"abstained": len(abstained)}
    lengths |= {"severity": len(severity)} if data.get("severity") is not None else {}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{count} of {name}" for name, count in lengths.items())
        raise UnreadableInput(f"{path.name} has {said}", SHAPE, _FIX)
    mildest = data.get("mildest_trained", math.nan)
    if type(mildest) not in (int, float) or mildest < 0:
        raise _wrong(path, "mildest_trained", "")
    return HeartAnswers(
        tuple(findings),
        probability,
        label,
        tuple(names),
        patient is not None,
        severity,
        single,
        abstained,
        float(mildest),
        sha256=digest,
    )


def _table(path: Path, data: Mapping[str, Any], key: str, width: int) -> Reals:
    rows = _rows(path, data.get(key), key, width)
    for number, row in enumerate(rows, 1):
        if any(type(p) not in (int, float) or not 0 <= p <= 1 for p in row):
            raise _wrong(path, key, f": row {number} is not {width} probabilities from 0 to 1")
    return np.array(rows, dtype=np.float64).reshape(-1, width)


def _labels(path: Path, data: Mapping[str, Any], width: int) -> Reals:
    rows = _rows(path, data.get("label"), "label", width)
    for number, row in enumerate(rows, 1):
        if any(v is not None and (type(v) is not int or v not in (0, 1)) for v in row):
            raise _wrong(path, "label", f": row {number} is not 0, 1 or null")
    return np.array([[math.nan if v is None else v for v in row] for row in rows], dtype=np.float64).reshape(-1, width)


def _flags(path: Path, rows: Any, width: int) -> npt.NDArray[np.bool_]:
    checked = _rows(path, rows, "abstained", width)
    if any(type(v) is not bool for row in checked for v in row):
        raise _wrong(path, "abstained", ": true or false only")
    return np.array(checked, dtype=bool).reshape(-1, width)


def _rows(path: Path, rows: Any, key: str, width: int) -> list[list[Any]]:
    if not isinstance(rows, list):
        raise _wrong(path, key, "")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, list) or len(row) != width:
            raise _wrong(path, key, f": row {number} is no list of {width}")
    return rows


def _patients(path: Path, values: Any) -> list[str]:
    if not isinstance(values, list) or any(type(value) not in (str, int) for value in values):
        raise _wrong(path, "patient", "")
    return [str(value) for value in values]


def _severities(path: Path, values: Any) -> tuple[Mapping[str, float], ...]:
    if not isinstance(values, list):
        raise _wrong(path, "severity", "")
    for number, one in enumerate(values, 1):
        fits = isinstance(one, dict) and all(type(v) in (int, float) and 0 <= v <= 1 for v in one.values())
        if not fits:
            raise _wrong(path, "severity", f": row {number} is not {{finding: 0 to 1}}")
    return tuple(values)


def _wrong(path: Path, key: str, where: str) -> UnreadableInput:
    return UnreadableInput(f"{path.name} has an unusable {key!r}{where}", SHAPE, _FIX)


def truth_words(label: Reals) -> Sequence[str]:
    """Each clip's labels as a word of 0, 1 and ?."""
    return ["".join("?" if math.isnan(v) else str(int(v)) for v in row) for row in label]
