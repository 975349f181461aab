"""Heads of simulated views on real pictures: nobody drew those structures there, so all that is counted is refusals.

Every picture of the plane on FETAL_PLANES_DB's test side is drawn on, whatever the model would call it. Refused is a
picture of which none of the head's measures could be taken: an outline cut by the edge, unlike an ellipse, looks that
disagree. No Dice is claimed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.ask import Step
from fetalclip.bench.head_segmentation import SegmentModel
from fetalclip.bench.overlaps import in_parts
from fetalclip.bench.table import Metric
from fetalclip.caliper import measure_all
from fetalclip.data.manifest import Row
from fetalclip.data.readers import READERS
from fetalclip.data.structures import StructureSet
from fetalclip.errors import DataMissing
from fetalclip.io import read
from fetalclip.metrics import rate

DATA = "fetal-planes-db"
_TOGETHER = 8  # pictures


def real_rows(wanted: StructureSet, root: str | Path) -> list[Row]:
    """Test pictures of the set's plane; none where the data set is absent."""
    try:
        every = READERS[DATA].read(root, False)
        return [row for row in every if row.split == "test" and row.plane == wanted.plane]
    except DataMissing:
        return []


def refusal_metrics(
    model: SegmentModel, wanted: StructureSet, rows: Sequence[Row], step: Step = lambda done: None
) -> tuple[list[Metric], list[str]]:
    """Rows of one head on real pictures, and notes that say why pictures were refused.

    Args:
        model: what draws; its head of the set's name is asked.
        wanted: the head's structure set.
        rows: pictures of its plane.
        step: called with the number of pictures done.
    """
    if not rows:
        return [], []
    refused, elsewhere, why = list[bool](), list[bool](), Counter[str]()
    for part in in_parts(rows, _TOGETHER):
        frames = [read(row.path) for row in part]
        elsewhere += [plane.label != wanted.plane or plane.abstained for plane in model.planes(frames)]
        for drawn in model.segment(frames, wanted.name):
            taken = measure_all(drawn)
            refused.append(all(one.value is None for one in taken))
            if refused[-1]:
                why[re.sub(r"\d+(?:\.\d+)?", "N", taken[0].note if taken else "nothing to measure")] += 1
        step(len(part))
    group = [row.group for row in rows]
    prefix = f"real_{wanted.name}_".replace("-", "_")
    section = f"Real test pictures, no Dice is claimed: {wanted.title}"
    found = {
        "refused": ("refused: no measure could be taken", refused),
        "another_plane": ("not taken for this plane by the model", elsewhere),
    }
    metrics = [
        Metric(prefix + key, title, section, rate(np.array(flags), group, RESAMPLES, SEED), unit="patients")
        for key, (title, flags) in found.items()
    ]
    told = "; ".join(f"{count} {words}" for words, count in why.most_common())
    return metrics, [f"{wanted.name}, {sum(refused)} of {len(rows)} real pictures refused: {told}"] if told else []
