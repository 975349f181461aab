"""Protocol ``explain``: whether a heat map follows the model, and finds what the text names.

* Model randomisation (`fetalclip.bench.explain_sanity`): rank correlation inside the sector between the map and that
  of the same tower with random weights, from the top down; five pictures of each plane.
* Deletion and insertion (`fetalclip.bench.explain_curves`) of the true plane against the other planes, 25 pictures of
  each plane: against the mean of two random maps as smooth, and against a centred Gaussian.
* HC18: the share of the map inside the head's outline for the text "fetal head", against that of the centred Gaussian
  of 0.12 of the width, paired by examination; on all heads, and on those off centre: the outline's centroid more than
  0.08 of the width from the picture's centre, a limit fixed on validation pictures.
* Every part has a random map and, of every tenth picture, occlusion as the reference.
* Intervals are 95 % by patient or examination (`fetalclip.metrics`). A goal is met by the value.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip import __version__
from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.ask import progress
from fetalclip.bench.explain_curves import areas, centre_heat, random_heat
from fetalclip.bench.explain_rows import CENTRE, RANDOM, REFERENCE, Rows, load_rows
from fetalclip.bench.explain_sanity import STAGES, randomised, rank_correlation
from fetalclip.bench.protocol import cautions, check, named, plane_rows, sources
from fetalclip.bench.refusals import spread
from fetalclip.bench.table import BenchResult
from fetalclip.clinical.vocabulary import KNOWN
from fetalclip.data import Row
from fetalclip.data.outlined import outlined
from fetalclip.data.structures import load_set
from fetalclip.errors import DataMissing
from fetalclip.explain.explainer import Explainer, finish
from fetalclip.explain.registry import Method
from fetalclip.io import read
from fetalclip.overlay import find_overlay
from fetalclip.preprocess import prepare
from fetalclip.preprocess.letterbox import Letterbox, letterbox
from fetalclip.result.attribution import energy_inside

HEAD_TEXT = "fetal head"
PER_PLANE, SANE_PER_PLANE = 25, 5  # pictures
INTERVAL = "95 % percentile bootstrap over patients or examinations; Wilson where a rate is 0 or 1"
_RANDOM_MAPS, _EVERY = 2, 10  # random maps of a picture; occlusion on one picture of so many
_TOWERS = 3  # of random weights, in turn


@dataclass(frozen=True)
class Options:
    """How to run the protocol.

    Attributes:
        split: ``test``, or ``val`` while choosing something.
        limit: at most so many pictures of each part; None takes 25 of each plane, 5 for the sanity check, all heads.
        method: one of ``fetalclip.explain.METHODS``; the tower's own when None.
        reference: whether occlusion is measured too.
        show_progress: a bar on stderr, if that is a terminal.
    """

    split: str = "test"
    limit: int | None = None
    method: str | None = None
    reference: bool = True
    show_progress: bool = True


def run(model: Any, root: str | Path, options: Options | None = None) -> BenchResult:
    """Measure a method on a model.

    Args:
        model: what `fetalclip.load` gives.
        root: folder that holds ``fetal_planes_db`` and ``hc18`` as published.
        options: see `Options`.

    Raises:
        DataMissing: a data set is absent or incomplete, or has no picture in the split.
        UsageError: options out of range, or a method that is not for the model's tower.
        NotAvailable: a model without a text tower.
        MissingPackage: captum is not installed, which occlusion needs.
    """
    options = options or Options()
    check(options.split, options.limit)
    began = time.perf_counter()
    explainer: Explainer = model.explainer
    method = explainer.method(options.method)
    explainer.ask(KNOWN[0])  # a model that reads no text is told before any work
    reference = explainer.method(REFERENCE) if options.reference and method.name != REFERENCE else None
    methods = [method] if reference is None else [method, reference]
    found = measured(model, methods, root, options)
    provenance = {
        "version": __version__,
        **named(model),
        "method": method.name,
        "split": f"split-v1 {options.split}",
        "limit": options.limit,
        **_shared(),
        "data": sources("fetal-planes-db", "hc18"),
        "seconds": time.perf_counter() - began,
    }
    notes = [f"occlusion on one picture of {_EVERY}"] if reference is not None else []
    notes += cautions(options.split, options.limit)
    return _result(found, method.name, provenance, notes)


def measured(model: Any, methods: Sequence[Method], root: str | Path, options: Options) -> Rows:
    """The rows of every picture; the first method on all of them, the second on one of ten."""
    planes = [row for plane in KNOWN for row in _of_plane(root, plane, options)]
    heads = spread([row for row in outlined(load_set("head"), root) if row.split == options.split], options.limit)
    if not heads:
        raise DataMissing(f"'{root}' has no annotated head in the {options.split} split", "one or more")
    sane = planes if options.limit else [row for plane in KNOWN for row in _first(planes, plane, SANE_PER_PLANE)]
    found = Rows()
    with progress("explain", len(planes) + len(sane) + len(heads), options.show_progress) as step:
        for number, row in enumerate(planes):
            found.curves.append(_curves(model.explainer, methods[: 1 + (number % _EVERY == 0)], row))
            step(1)
        towers = [{stage: randomised(model.encoder, stage, seed) for stage in STAGES} for seed in range(_TOWERS)]
        for number, row in enumerate(sane):
            some = methods[: 1 + (number % _EVERY == 0)]
            found.sanity.append(_sanity(model.explainer, some, row, towers[number % _TOWERS]))
            step(1)
        for number, head in enumerate(heads):
            frame, masks = head.load()
            inside = {
                one.name: model.explain(frame, HEAD_TEXT, one.name).inside(masks["head"])
                for one in methods[: 1 + (number % _EVERY == 0)]
            }
            found.heads.append({"group": head.group, **_inside(masks["head"], inside, number)})
            step(1)
    return found


def from_predictions(predictions: str | Path, method: str = "") -> BenchResult:
    """The same table from saved rows of anybody's maps; see `fetalclip.bench.explain_rows.Rows`.

    Raises:
        UnreadableInput: a file that cannot be used.
    """
    found = load_rows(Path(predictions))
    others = (RANDOM, CENTRE, REFERENCE)
    names = [name for row in found.curves for name in row["deletion"]]
    names += [name for row in found.heads for name in row["inside"]]
    names += [name for row in found.sanity for name in row["correlation"][STAGES[-1]]]
    own = method or next((name for name in names if name not in others), "")
    return _result(found, own, {"version": __version__, "method": own, **_shared()}, [])


def _of_plane(root: str | Path, plane: str, options: Options) -> list[Row]:
    count = PER_PLANE if options.limit is None else max(1, options.limit // len(KNOWN))
    return plane_rows(root, options.split, count, lambda row: row.plane == plane, plane)


def _first(rows: Sequence[Row], plane: str, count: int) -> list[Row]:
    return [row for row in rows if row.plane == plane][:count]


def _square(explainer: Explainer, row: Row) -> tuple[Any, Any, Letterbox]:
    """A picture as prepared, its sector, and the letterbox of the square itself."""
    frame, wanted = read(row.path), explainer.encoder.normalisation
    overlay = find_overlay(frame.gray)
    ready = prepare(frame, wanted.image_size, "mask", wanted.colour, overlay)
    return ready, overlay.sector, letterbox(ready.pixels, wanted.image_size)[1]


def _curves(explainer: Explainer, methods: Sequence[Method], row: Row) -> dict[str, Any]:
    ready, seen, box = _square(explainer, row)
    sector = ready.letterbox.mask_in(seen)
    question, side = explainer.ask(str(row.plane)), box.size
    heats = {one.name: finish(explainer.grid(ready, question, one, seen), box, one.power, sector) for one in methods}
    heats[CENTRE] = centre_heat(side, side)
    chance = [random_heat(side, seed) for seed in range(1, 1 + _RANDOM_MAPS)]
    said = areas(explainer.encoder, question, ready.pixels, sector, [*heats.values(), *chance])
    known = dict(zip(heats, said[: len(heats)], strict=True)) | {RANDOM: np.mean(said[len(heats) :], axis=0)}
    deletion, insertion = ({name: float(two[i]) for name, two in known.items()} for i in (0, 1))
    return {"group": row.group, "deletion": deletion, "insertion": insertion}


def _sanity(explainer: Explainer, methods: Sequence[Method], row: Row, towers: dict[str, Any]) -> dict[str, Any]:
    ready, seen, box = _square(explainer, row)
    sector = ready.letterbox.mask_in(seen)
    question = explainer.ask(str(row.plane))
    found: dict[str, dict[str, float]] = {stage: {} for stage in towers}
    for one in reversed(methods):  # the method itself last: the random map is held against it
        true = finish(explainer.grid(ready, question, one, seen), box, one.power, sector)
        for stage, tower in towers.items():
            other = finish(explainer.grid(ready, question, one, seen, tower), box, one.power, sector)
            found[stage][one.name] = rank_correlation(true, other, sector)
    for number, stage in enumerate(towers):
        found[stage][RANDOM] = rank_correlation(true, random_heat(box.size, number), sector)
    return {"group": row.group, "correlation": found}


def _inside(head: Any, inside: dict[str, float], seed: int) -> dict[str, Any]:
    """Where a head lies, and how much of the baselines' maps is inside it."""
    height, width = head.shape
    rows, columns = (axis.mean() + 0.5 for axis in np.nonzero(head))
    offset = float(np.hypot(rows - height / 2, columns - width / 2)) / width
    chance = finish(random_heat(96, seed), Letterbox(width, height, 96))
    baselines = {CENTRE: energy_inside(centre_heat(height, width), head), RANDOM: energy_inside(chance, head)}
    return {"offset": offset, "inside": {**inside, **baselines}}


def _result(found: Rows, method: str, provenance: dict[str, Any], notes: list[str]) -> BenchResult:
    metrics = tuple(found.metrics(method))
    scored = found.scored(method)
    return BenchResult("explain", len(found.curves), metrics, provenance=provenance, notes=tuple(notes), scored=scored)


def _shared() -> dict[str, Any]:
    return {"resamples": RESAMPLES, "seed": SEED, "interval": INTERVAL}
