"""Support sets: a few patients of each class, drawn again and again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fetalclip.errors import UsageError

Rows = npt.NDArray[np.int64]


def support_set(labels: Sequence[str], groups: Sequence[str], shots: int, seed: int) -> Rows:
    """Rows of a support set: of each class, every picture of that class of ``shots`` patients.

    Args:
        labels, groups: (n,) class and patient of each picture.
        shots: patients a class.
        seed: the same seed draws the same patients.

    Raises:
        UsageError: fewer than one patient asked for, or a class with fewer; the message names it.
    """
    if shots < 1:
        raise UsageError(f"{shots} patients a class", "1 or more", "--shots 8")
    classes, own = np.asarray(labels), np.asarray(groups)
    rng = np.random.default_rng([seed, shots])
    found = []
    for name in sorted(set(labels)):
        mine = np.flatnonzero(classes == name)
        patients = np.unique(own[mine])
        if len(patients) < shots:
            most = least_patients(labels, groups)
            raise UsageError(
                f"{shots} patients a class, of {name!r:.40} there are {len(patients)}",
                f"at most {most}",
                f"--shots {most}",
            )
        drawn = rng.choice(patients, shots, replace=False)
        found.append(mine[np.isin(own[mine], drawn)])
    return np.sort(np.concatenate(found))


def least_patients(labels: Sequence[str], groups: Sequence[str]) -> int:
    """Patients of the class that has the fewest."""
    patients: dict[str, set[str]] = {}
    for label, group in zip(labels, groups, strict=True):
        patients.setdefault(label, set()).add(group)
    return min(len(found) for found in patients.values())
