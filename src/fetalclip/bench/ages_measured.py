"""The age by the measured head: what the main job makes of HC, beside the age that it reads off the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fetalclip.bench.ages import Ages, ages_of
from fetalclip.bench.ask import progress
from fetalclip.bench.measures import analyses, can_measure
from fetalclip.data import Row


def measured_ages(model: Any, rows: Sequence[Row], show: bool = True) -> Ages | None:
    """Ages of measured heads, through the main job with its own choice of plane.

    Args:
        model: anything; see `fetalclip.bench.measures.MeasureModel`.
        rows: heads with their size and spacing.
        show: a bar on stderr, if that is a terminal.

    Returns:
        One age for every head, an abstention where it was not measured; None for a model that does not measure.

    Raises:
        UsageError: the model gave another number of answers than it got pictures.
    """
    if not can_measure(model):
        return None
    with progress("measured heads", len(rows), show) as step:
        said = analyses(model, {row.path: float(row.mm_per_pixel or 0) for row in rows}, step)
    hc = np.array([row.hc_mm for row in rows], dtype=np.float64)
    return ages_of(hc, [row.group for row in rows], [one.biometry_age for one in said])
