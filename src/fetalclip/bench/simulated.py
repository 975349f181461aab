"""Heads on simulated views of parameters and seeds that no training draws: how well they do what they were taught.

It says nothing of real pictures; the rows are titled so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fetalclip.bench.ask import Step
from fetalclip.bench.head_segmentation import SegmentModel
from fetalclip.bench.overlaps import Overlaps, in_parts
from fetalclip.bench.table import Metric
from fetalclip.data.outlined import load_simulated
from fetalclip.data.structures import StructureSet, load_set
from fetalclip.errors import UsageError

PROFILE = "test"  # of `fetalclip.phantom`: its own seeds and ranges
COUNT = 60  # views of each plane
_TOGETHER = 8  # pictures


def simulated_sets(names: Sequence[str]) -> list[StructureSet]:
    """Structure sets that have simulated views.

    Raises:
        BadRecipe: no such set.
        UsageError: one without simulated views.
    """
    found = [load_set(name) for name in names]
    for one in found:
        if not any(source["source"] == "phantom" for source in one.sources):
            raise UsageError(f"--simulated {one.name}", "a structure set with simulated views", "--simulated abdomen")
    return found


def simulated_metrics(
    model: SegmentModel, wanted: StructureSet, head: str | Path, count: int = COUNT, step: Step = lambda done: None
) -> list[Metric]:
    """Rows of one head on views it never saw.

    Args:
        model: what draws.
        wanted: the head's structure set.
        head: the head by name or folder.
        count: views of each plane that the set simulates.
        step: called with the number of pictures done.
    """
    found = {name: Overlaps() for name in wanted.structures}
    for source in wanted.sources:
        if source["source"] != "phantom":
            continue
        for seeds in in_parts(range(count), _TOGETHER):
            pairs = [load_simulated(source["plane"], seed, PROFILE, source["structures"]) for seed in seeds]
            drawn = model.segment([frame for frame, _ in pairs], head)
            for seed, (frame, masks), said in zip(seeds, pairs, drawn, strict=True):
                for name, mask in masks.items():
                    found[name].add(said.masks[name], mask, f"{source['plane']}:{seed}", frame.mm_per_pixel)
            step(len(pairs))
    metrics: list[Metric] = []
    for name, overlaps in found.items():
        prefix = f"simulated_{wanted.name}_{name}_".replace(" ", "_").replace("-", "_").lower()
        section = f"Simulated views, not real pictures: {wanted.title}: {name}"
        metrics += overlaps.metrics(prefix, section, "drawings") if overlaps.group else []
    return metrics
