"""Masks beside the true ones, and what can be counted of them: Dice, Hausdorff 95, surface distance (MONAI's)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.rows import read as read_json
from fetalclip.bench.table import Goal, Metric, Scored
from fetalclip.errors import UnreadableInput
from fetalclip.metrics import Estimate, Index, Reals, group_bootstrap, rate
from fetalclip.optional import require

Mask = npt.NDArray[np.bool_]


@dataclass(eq=False)
class Overlaps:
    """One structure on many pictures; lists of one length.

    Attributes:
        group: patient or examination.
        both, said, true: pixels in both masks, in the model's, in the true one.
        far, near: 95th percentile and mean of the distances between the two edges; NaN where one mask is empty.
        unit: of the distances, ``mm`` or ``px``.
    """

    group: list[str] = field(default_factory=list)
    both: list[int] = field(default_factory=list)
    said: list[int] = field(default_factory=list)
    true: list[int] = field(default_factory=list)
    far: list[float] = field(default_factory=list)
    near: list[float] = field(default_factory=list)
    unit: str = "mm"

    def add(self, said: Mask, true: Mask, group: str, spacing: tuple[float, float] | None) -> None:
        """Count one picture: (H, W) each, ``spacing`` (x, y) in mm per pixel."""
        self.group.append(group)
        self.both.append(int((said & true).sum()))
        self.said.append(int(said.sum()))
        self.true.append(int(true.sum()))
        far, near = distances(said, true, spacing)
        self.far.append(far)
        self.near.append(near)
        if spacing is None:
            self.unit = "px"

    def dice(self) -> Reals:
        """Of each picture, (n,); 1 where both masks are empty."""
        both, either = np.array(self.both, float), np.array(self.said, float) + np.array(self.true, float)
        return np.where(either > 0, 2 * both / np.maximum(either, 1), 1.0)

    def pooled(self, rows: Index) -> float:
        """Dice of all pixels of the chosen pictures together."""
        both, said, true = (np.array(values, float)[rows].sum() for values in (self.both, self.said, self.true))
        return float(2 * both / (said + true)) if said + true else math.nan

    def _mean(self, values: Reals) -> Estimate:
        def statistic(rows: Index) -> float:
            kept = values[rows][np.isfinite(values[rows])]
            return float(kept.mean()) if kept.size else math.nan

        return group_bootstrap(statistic, self.group, RESAMPLES, SEED)

    def metrics(self, prefix: str, section: str, unit: str, goal: Goal | None = None) -> list[Metric]:
        """The rows of this structure.

        Args:
            prefix: of the names in the JSON, or empty.
            section: heading.
            unit: what the groups are.
            goal: of the mean Dice.
        """
        dice = self.dice()
        found: list[tuple[str, str, Estimate, Goal | None, str]] = [
            ("dice", "Dice, mean over pictures", self._mean(dice), goal, ""),
            ("pooled_dice", "Dice, pixels pooled", self._pooled(), None, ""),
            ("hausdorff_95", "Hausdorff distance, 95th percentile", self._mean(np.array(self.far)), None, self.unit),
            ("surface_distance", "mean surface distance", self._mean(np.array(self.near)), None, self.unit),
            ("empty", "no mask", rate(np.array(self.said) == 0, self.group, RESAMPLES, SEED), None, ""),
        ]
        return [
            Metric(prefix + name, title, section, value, target, unit=unit, measured_in=measured_in)
            for name, title, value, target, measured_in in found
        ]

    def _pooled(self) -> Estimate:
        return group_bootstrap(self.pooled, self.group, RESAMPLES, SEED)

    def scored(self, name: str) -> Scored:
        """For a paired comparison with another model on the same pictures."""
        dice = self.dice()
        truth = tuple(str(pixels) for pixels in self.true)
        return Scored(truth, tuple(self.group), {name: lambda rows: float(dice[rows].mean())})


def distances(said: Mask, true: Mask, spacing: tuple[float, float] | None) -> tuple[float, float]:
    """95th percentile and mean distance between the edges of two (H, W) masks, in mm, or pixels without spacing.

    Raises:
        MissingPackage: MONAI is not installed.
    """
    if not said.any() or not true.any():
        return math.nan, math.nan
    import torch

    metrics = require("monai.metrics", feature="distances between masks", extra="train")
    rows, columns = (np.flatnonzero((said | true).any(axis=axis)) for axis in (1, 0))
    box = (slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2))
    pair = [torch.from_numpy(np.pad(mask[box], 1))[None, None] for mask in (said, true)]  # an edge all the way round
    step = [1.0, 1.0] if spacing is None else [spacing[1], spacing[0]]  # rows, columns
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of one part of MONAI to another
        far = metrics.compute_hausdorff_distance(*pair, include_background=True, percentile=95, spacing=step)
        near = metrics.compute_average_surface_distance(*pair, include_background=True, symmetric=True, spacing=step)
    return float(far), float(near)


_COUNTS = '{"group": [...], "structures": {"head": {"both": [...], "said": [...], "true": [...]}}}'


def saved_overlaps(path: Path) -> dict[str, Overlaps]:
    """Counts of pixels of anybody's masks, by structure.

    Raises:
        UnreadableInput: another shape, lists of other lengths, or counts that cannot be.
    """
    data = read_json(path)
    group, structures = (data.get("group"), data.get("structures")) if isinstance(data, Mapping) else (None, None)
    if not isinstance(group, list) or not group or not isinstance(structures, Mapping) or not structures:
        raise UnreadableInput(f"{path.name} has no group or no structures", _COUNTS)
    made = {}
    for name, counts in structures.items():
        made[str(name)] = _counted(counts, [str(g) for g in group], f"{path.name}: counts of {name!r:.60}")
    return made


def _counted(counts: Any, group: list[str], where: str) -> Overlaps:
    columns: list[list[int]] = []
    for key in ("both", "said", "true"):
        column = counts.get(key) if isinstance(counts, Mapping) else None
        if not isinstance(column, list) or len(column) != len(group):
            raise UnreadableInput(f"{where} without a {key!r} for every picture", _COUNTS)
        if not all(type(value) is int and value >= 0 for value in column):
            raise UnreadableInput(f"{where} that are no whole numbers", _COUNTS)
        columns.append(column)
    both, said, true = columns
    if any(a > min(b, c) for a, b, c in zip(both, said, true, strict=True)):
        raise UnreadableInput(f"{where} with more pixels in both masks than in one", _COUNTS)
    nothing = [math.nan] * len(group)
    return Overlaps(group, both, said, true, nothing, list(nothing))


def in_parts(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """The rows, so many at a time."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
