"""What a trained model says of the age of measured heads it was not trained on, and the rule that is fitted to it.

HC18 has no ages: the age of a head is the day whose WHO median it is. Pictures take the road they take at inference.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fetalclip.api import FetalCLIP
from fetalclip.clinical.age_prompts import DEFAULT_TEMPLATES
from fetalclip.clinical.growth import CHART, FIRST_HC, LAST_HC, chart
from fetalclip.data import read_dataset
from fetalclip.fit.age import fit_age_rule
from fetalclip.io import read
from fetalclip.tasks import AgeRule

_TOGETHER = 32  # pictures in memory at once


@dataclass(frozen=True, eq=False)
class Heads:
    """Scored heads of one fold.

    Attributes:
        scores: (n, 175), one column for each day of the prompts.
        hc: (n,) measured circumference, mm.
        groups: (n,) examination.
    """

    scores: npt.NDArray[np.float64]
    hc: npt.NDArray[np.float64]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def age(self) -> npt.NDArray[np.float64]:
        """(n,) age by the measured circumference, days."""
        found: npt.NDArray[np.float64] = chart(CHART).age(self.hc)
        return found


def score_heads(model: FetalCLIP, root: str | Path, fold: int) -> Heads:
    """Scores of the heads of one fold of HC18 that are on the chart (100 to 342 mm).

    Args:
        model: one that has not seen the fold.
        root: folder that holds ``hc18`` as published.
        fold: 0 to 4.

    Raises:
        DataMissing: HC18 is absent or incomplete.
    """
    rows = [row for row in read_dataset("hc18", root) if row.fold == fold and row.hc_mm and row.mm_per_pixel]
    rows = [row for row in rows if FIRST_HC <= (row.hc_mm or 0) <= LAST_HC]
    parts = []
    for start in range(0, len(rows), _TOGETHER):
        frames = [read(row.path).with_spacing(row.mm_per_pixel) for row in rows[start : start + _TOGETHER]]
        parts.append(model.age_scores(frames, DEFAULT_TEMPLATES))
    circumference = np.array([row.hc_mm for row in rows], np.float64)
    scores = np.concatenate(parts) if parts else np.zeros((0, 0))
    return Heads(scores, circumference, tuple(row.group for row in rows))


def fit_to(heads: Heads) -> AgeRule:
    """The age rule of a model from the scores of heads it has not seen.

    Raises:
        BadValue: too few examinations, or scores that do not change with the picture.
    """
    return fit_age_rule(heads.scores, heads.age, heads.groups)
