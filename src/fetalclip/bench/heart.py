"""Protocol ``heart``: findings on clips, of one's own or simulated, with intervals by patient.

* A clip's probability is the head's calibrated one, also where it abstains; abstentions have rows of their own.
* AUROC, average precision, sensitivity at 90 % specificity and the calibration error of each finding; pooled over pairs
  of clip and finding, and as means over findings.
* Simulated clips: draws of the ``test`` profile, whose nuisance is wider than the training's, at severities down to
  milder than the training's; AUROC by finding and severity; findings that no head is trained on.
* One frame: the same head, or a head of single frames, fed with one frame repeated.
* Intervals are 95 % by patient. What is measured on simulated clips is a test of software, never of diagnosis.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip import __version__
from fetalclip.api import FetalCLIP
from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.heart_metrics import all_metrics, scored, severity_curves
from fetalclip.bench.heart_saved import HeartAnswers, read_saved
from fetalclip.bench.protocol import check, named
from fetalclip.bench.table import BenchResult
from fetalclip.errors import BadRecipe, UsageError
from fetalclip.fit.clips import TEST, Clip, Clips, drawn_clip, table_clips
from fetalclip.fit.tracks import tracks_of
from fetalclip.metrics import reliability_curve
from fetalclip.settings import cache_folder
from fetalclip.tasks.heart import HeartTask, still

INTERVAL = "95 % percentile bootstrap over patients; Wilson over patients where a rate is 0 or 1"
SEVERITIES = (0.25, 0.5, 0.75, 1.0)
SIMULATED_NOTE = "measured on simulated clips: a test of software, never of diagnosis"
TABLE = "clips.csv"


@dataclass(frozen=True)
class Options:
    """How to run the protocol.

    Attributes:
        split: ``test``; kept for likeness with the others.
        limit: at most so many clips; None takes all.
        show_progress: not used; progress is told by ``say``.
        head: a heart head folder, or a name of the model's own; None takes its only one.
        single: a head of single frames for the rows of one frame; None takes ``head``.
        simulated: so many simulated clips of each finding and severity instead of a table; 0 for the table.
    """

    split: str = "test"
    limit: int | None = None
    show_progress: bool = True
    head: str | Path | None = None
    single: str | Path | None = None
    simulated: int = 0


def run(model: FetalCLIP, root: str | Path, options: Options | None = None) -> BenchResult:
    """Measure a model's heart head.

    Args:
        model: what `fetalclip.load` gives.
        root: folder that holds ``clips.csv``, or a table by its own name; of no meaning for simulated clips.
        options: see `Options`.

    Raises:
        DataMissing, UnreadableInput: a table or a clip that cannot be used.
        NotAvailable, BadCheckpoint: no such head, a damaged one, or one of another encoder.
        UsageError: a head of single frames with other findings, or no clip.
    """
    options = options or Options()
    check(options.split, options.limit)
    began = time.perf_counter()
    task = model.hearts.task(options.head)
    single = task if options.single is None else model.hearts.task(options.single)
    if not set(task.head.config.findings) <= set(single.head.config.findings):
        raise UsageError("a head of single frames with other findings", "those of the head", "--single-frame HEAD")
    clips, notes = _clips(task, Path(root), options)
    answers = asked(task, clips, single)
    provenance = {
        "version": __version__,
        **named(model),
        "head": task.head.config.name,
        "head_sha256": task.head.config.told["weights"]["sha256"],
        "kind": task.head.config.shape.kind,
        "clips": f"simulated, {options.simulated} of each" if options.simulated else "a table",
        "limit": options.limit,
        **_shared(),
        "seconds": time.perf_counter() - began,
    }
    if options.limit is not None:
        notes.append(f"a quick look at no more than {options.limit} clips: not a result to report")
    return result(answers, provenance, notes)


def asked(task: HeartTask, clips: Clips, single: HeartTask) -> HeartAnswers:
    """What a head says of clips; embeddings are kept in the cache folder."""
    config = task.head.config
    tracks = tracks_of(task.eye, clips.clips, cache_folder() / "clips")
    whole = [task.score(track) for track in tracks]
    one = [single.score(still(track, config.shape.frames)) for track in tracks]

    def table(scores: Sequence[Any]) -> np.ndarray:
        return np.array([[score[name].probability for name in config.findings] for score in scores])

    return HeartAnswers(
        config.findings,
        table(whole),
        clips.labels,
        tuple(clip.patient for clip in clips.clips),
        severity=tuple(clip.severity for clip in clips.clips) if clips.simulated else (),
        single=table(one),
        abstained=np.array([[score[name].abstained for name in config.findings] for score in whole]),
        mildest=_mildest(config.told) if clips.simulated else math.nan,
        motion=_motion() if clips.simulated else (),
    )


def from_predictions(path: str | Path) -> BenchResult:
    """The same table from anybody's answers; see `fetalclip.bench.heart_saved`.

    Raises:
        UnreadableInput: a file that cannot be used.
    """
    saved = read_saved(Path(path))
    notes = []
    if not saved.grouped:
        notes.append('no "patient" in the file: intervals take every clip for a patient of its own and are too narrow')
    return result(saved, {"version": __version__, "predictions_sha256": saved.sha256, **_shared()}, notes)


def result(answers: HeartAnswers, provenance: dict[str, Any], notes: list[str]) -> BenchResult:
    """The table of answers."""
    known = np.isfinite(answers.label)
    there = answers.label[known] > 0.5
    prevalence = {
        name: float(np.nanmean(column)) if np.isfinite(column).any() else math.nan
        for name, column in zip(answers.findings, answers.label.T, strict=True)
    }
    said = [*notes, *([SIMULATED_NOTE] if answers.severity else [])]
    return BenchResult(
        "heart",
        len(answers),
        tuple(all_metrics(answers)),
        {"share of clips with it": {k: None if math.isnan(v) else v for k, v in prevalence.items()}},
        provenance=provenance,
        notes=tuple(said),
        reliability=reliability_curve(answers.probability[known], there),
        subgroups=tuple(severity_curves(answers)),
        scored=scored(answers),
    )


def simulated_test(count: int, findings: Sequence[str], severities: Sequence[float], frames: int = 48) -> Clips:
    """Simulated clips of the ``test`` profile: ``count`` hearts of each finding at every severity, and healthy ones.

    A finding's hearts are the same at every severity, one patient each; four times as many healthy hearts are others.
    """
    hearts = import_module("fetalclip.phantom.hearts")
    made: list[Clip] = []
    for number, name in enumerate(hearts.FINDINGS):
        for severity in severities:
            seeds = range(number * count, (number + 1) * count)
            made += [drawn_clip(seed, name, severity, findings, ("test", frames)) for seed in seeds]
    first = len(hearts.FINDINGS) * count
    made += [drawn_clip(first + i, None, 0.0, findings, ("test", frames)) for i in range(4 * count)]
    return Clips(tuple(findings), tuple(made), True)


def _clips(task: HeartTask, root: Path, options: Options) -> tuple[Clips, list[str]]:
    config, notes = task.head.config, []
    if options.simulated:
        mildest, frames = _mildest(config.told), _trained(config.told, "frames")
        severities = sorted({*SEVERITIES, *(() if math.isnan(mildest) else (mildest,))})
        clips = simulated_test(options.simulated, config.findings, severities, int(frames or 48))
    else:
        clips = table_clips(root / TABLE if root.is_dir() else root, (), check_classes=False)
        if not set(config.findings) <= set(clips.findings):
            lost = next(name for name in config.findings if name not in clips.findings)
            raise BadRecipe(f"no column {lost!r:.60} in the table", "the findings of the head")
        at = [clips.findings.index(name) for name in config.findings]
        fixed = [Clip(c.open, c.patient, c.labels[at], c.fold, c.key) for c in clips.clips]
        clips = Clips(config.findings, tuple(fixed), False)
        marked = np.array([clip.fold == TEST for clip in clips.clips])
        if marked.any():
            clips = clips.where(marked)
        else:
            notes.append("no clip of the table has the fold 'test': a head trained on them has seen them")
    if options.limit is not None:
        clips = Clips(clips.findings, tuple(_some(clips.clips, options.limit)), clips.simulated)
    if not clips.clips:
        raise UsageError("no clips to measure on", "one or more")
    return clips, notes


def _some(clips: Sequence[Clip], count: int) -> list[Clip]:
    """``count`` clips in the order of a hash, so that few are of all sorts."""
    return sorted(clips, key=lambda clip: sha256(clip.key.encode()).digest())[:count]


def _mildest(told: Any) -> float:
    """The mildest severity of a head's training, NaN where it was not simulated."""
    value = _trained(told, "least_severity")
    return math.nan if value is None else value


def _trained(told: Any, key: str) -> float | None:
    """A number of the recipe of a head that was trained on simulated clips; None of another."""
    value = told
    for name in ("training", "recipe", "data", key):
        value = value.get(name) if isinstance(value, dict) else None
    return float(value) if type(value) in (int, float) and told.get("simulated") else None


def _motion() -> tuple[str, ...]:
    return tuple(name for name, one in import_module("fetalclip.phantom.hearts").FINDINGS.items() if one.motion)


def _shared() -> dict[str, Any]:
    return {"resamples": RESAMPLES, "seed": SEED, "interval": INTERVAL}
