"""Protocol ``structures``: brain, cavum septi pellucidi and lateral ventricle, by heads that never saw the picture.

* All pictures of the fetal head structures, in patient folds: those of a fold are drawn by the head that was trained
  without that fold's patients. The heads come from one training: ``fetalclip train segment.yaml structures=brain
  data.folds=5``.
* Dice as the mean over pictures and with all pixels pooled; Hausdorff 95 and mean surface distance in pixels, as the
  pictures have no spacing.
* Heads of simulated views, where asked for: the same scores on drawings that no training saw, titled so, and the share
  of real pictures of their plane that they refuse to measure.
* Intervals are 95 % by patient (`fetalclip.metrics`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fetalclip import __version__
from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.ask import progress
from fetalclip.bench.head_segmentation import SegmentModel
from fetalclip.bench.overlaps import Overlaps, saved_overlaps
from fetalclip.bench.protocol import INTERVAL, cautions, check, named, sources
from fetalclip.bench.refusals import spread
from fetalclip.bench.simulated import COUNT, simulated_metrics, simulated_sets
from fetalclip.bench.table import BenchResult, Metric
from fetalclip.bench.unmeasured import real_rows, refusal_metrics
from fetalclip.data.outlined import outlined
from fetalclip.data.splits import part_of
from fetalclip.data.structures import StructureSet, load_set
from fetalclip.errors import DataMissing
from fetalclip.models.mask_head import read_head_config

SET = "brain"
SEEN = "the encoder saw most of these pictures in its own training, never their masks"


@dataclass(frozen=True)
class Options:
    """How to run the protocol.

    Attributes:
        split: ``test``: the patient folds cover every picture, so there is no other side.
        limit: at most so many pictures; None takes all.
        heads: run folder of the training by folds, which holds ``fold-0``, ``fold-1`` and so on.
        simulated: structure sets whose heads, of the same name in the model, are scored on simulated views.
        show_progress: a bar on stderr, if that is a terminal.
    """

    split: str = "test"
    limit: int | None = None
    heads: Path | None = None
    simulated: tuple[str, ...] = ()
    show_progress: bool = True


def run(model: SegmentModel, root: str | Path, options: Options | None = None) -> BenchResult:
    """Measure heads of patient folds on the encoder they were trained on.

    Args:
        model: what `fetalclip.load` gives, or anything with its ``segment``.
        root: folder that holds ``fetal_head_structures``.
        options: see `Options`.

    Raises:
        DataMissing: the data or a fold's head is absent.
        BadCheckpoint: a damaged head, or one of another encoder.
        MissingPackage: MONAI is not installed.
    """
    options = options or Options()
    check(options.split, options.limit)
    began = time.perf_counter()
    wanted = load_set(SET)
    heads = fold_heads(options.heads)
    rows = spread(outlined(wanted, root), options.limit)
    found = {name: Overlaps() for name in wanted.structures}
    with progress("structures", len(rows), options.show_progress) as step:
        for row in rows:
            frame, masks = row.load()
            (said,) = model.segment([frame], heads[part_of(row.group, len(heads))])
            for name, overlaps in found.items():
                overlaps.add(said.masks[name], masks[name], row.group, frame.mm_per_pixel)
            step(1)
    drawn = simulated_sets(options.simulated)
    views = min(options.limit or COUNT, COUNT)
    with progress("simulated views", views * len(drawn), options.show_progress) as step:
        more = [metric for one in drawn for metric in simulated_metrics(model, one, one.name, views, step)]
    refused, why = _refusals(model, drawn, root, options)
    provenance = {
        "version": __version__,
        **named(model),
        "folds": len(heads),
        "limit": options.limit,
        **_shared(),
        "data": sources("head-structures"),
        "seconds": time.perf_counter() - began,
    }
    notes = [SEEN, *why, *cautions(options.split, options.limit)]
    return _result(wanted, found, provenance, notes, [*more, *refused])


def _refusals(
    model: SegmentModel, drawn: Sequence[StructureSet], root: str | Path, options: Options
) -> tuple[list[Metric], list[str]]:
    """Heads of simulated views on real pictures of their plane, where there are any: rows, and notes of reasons."""
    real = [(one, spread(real_rows(one, root), options.limit)) for one in drawn]
    metrics: list[Metric] = []
    notes: list[str] = []
    with progress("real pictures", sum(len(rows) for _, rows in real), options.show_progress) as step:
        for one, rows in real:
            more, why = refusal_metrics(model, one, rows, step)
            metrics += more
            notes += why
    return metrics, notes


def fold_heads(folder: Path | None) -> list[Path]:
    """The head folders of a training by patient folds, fold after fold.

    Raises:
        DataMissing: no folder, none of its folds, or heads of another number of folds.
    """
    fix = f"fetalclip train segment.yaml structures={SET} data.folds=5 --out runs/{SET}, then --heads runs/{SET}"
    count = len(list(folder.glob("fold-*"))) if folder is not None and folder.is_dir() else 0
    if folder is None or not count:
        raise DataMissing("no heads of patient folds", "the run folder of a training with data.folds", fix)
    heads = [folder / f"fold-{fold}" / SET for fold in range(count)]
    for head in heads:
        if not (head / "config.json").is_file():
            raise DataMissing(f"no head in {head.parent.name}", "a training that has ended", fix)
        recipe = read_head_config(head).told.get("training", {}).get("recipe", {})
        if recipe.get("data", {}).get("folds") != count:
            raise DataMissing(f"{head.parent.name} is not one of {count} folds", "the folds of one training", fix)
    return heads


def from_predictions(predictions: str | Path) -> BenchResult:
    """The same table from counts of pixels of anybody's masks; see `fetalclip.bench.overlaps.saved_overlaps`.

    Raises:
        UnreadableInput: a file that cannot be used.
        DataMissing: it lacks a structure.
    """
    found, wanted = saved_overlaps(Path(predictions)), load_set(SET)
    if lacking := [name for name in wanted.structures if name not in found]:
        raise DataMissing(f"no counts of {lacking[0]!r} in {Path(predictions).name}", "every structure")
    return _result(wanted, found, {"version": __version__, **_shared()}, ["distances need the masks themselves"])


def _result(
    wanted: StructureSet,
    found: dict[str, Overlaps],
    provenance: dict[str, Any],
    notes: list[str],
    more: Sequence[Metric] = (),
) -> BenchResult:
    metrics: list[Metric] = []
    for name in wanted.structures:
        key = name.replace(" ", "_") + "_"
        metrics += found[name].metrics(key, name.capitalize(), "patients")
    first = found[wanted.structures[0]]
    scored = first.scored(wanted.structures[0].replace(" ", "_") + "_dice")
    count = len(first.group)
    return BenchResult("structures", count, (*metrics, *more), provenance=provenance, notes=tuple(notes), scored=scored)


def _shared() -> dict[str, Any]:
    return {"resamples": RESAMPLES, "seed": SEED, "interval": INTERVAL}
