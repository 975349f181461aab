"""Protocol ``quality``: checks of image quality on simulated views with planted faults.

* Every check that has a fault (`fetalclip.phantom.faults`) is asked of sound views and of views with that fault, of
  the profile ``test``, whose seeds and ranges no limit was chosen on. It is right when it fails the one and does not
  fail the other; "cannot tell" of a fault is a miss. Headline: balanced accuracy, on true outlines.
* A sound view whose structure truly fills less than 30 % of the sector is a fault of size; one that was planted and
  still fills 30 % is none.
* The checks that need an outline again on the head's plane, with masks of the model's own head: no goal.
* Whether a plane shows the cerebellum is answered by the model's sub-plane, which has seen no drawings with one: on
  simulated heads seen through it and not, and with a root on the heads of FETAL_PLANES_DB's split. Without a model it
  has no row.
* Intervals are 95 % by view (``group_bootstrap``), by patient for real pictures. It is a test of software.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip import __version__
from fetalclip.analysis import cerebellum_share
from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.ask import Step, progress
from fetalclip.bench.protocol import cautions, check, named, plane_rows, sources
from fetalclip.bench.table import BenchResult, Goal, Metric
from fetalclip.errors import UnreadableInput
from fetalclip.frame import Frame
from fetalclip.io import read
from fetalclip.metrics import Index, group_bootstrap, rate
from fetalclip.phantom import PLANES, Phantom
from fetalclip.phantom.faults import FAULTS, sound, spoil
from fetalclip.quality import CHECKS, Scene
from fetalclip.quality.fill import LEAST, size
from fetalclip.result import CANNOT_TELL, FAIL

GOAL = Goal(0.9)
COUNT = 40  # sound views of each plane, and as many with each fault
PROFILES_OF = {"test": "test", "val": "demo", "train": "train"}
"""Side of the split to the profile of the views; thresholds were chosen on train and demo."""

_FAULTY = 100_000  # first seed of the views with a fault: never the view that is sound
_ON_TRUE, _ON_OWN = (
    "Checks on true outlines, simulated views",
    "Checks on the model's own outline of the head, simulated",
)
_DRAWN = "Cerebellum in the plane, simulated views"
_REAL = "Cerebellum in the plane, FETAL_PLANES_DB"
_OUTLINED = ("size", "edge", "midline")
_HIND = "no cerebellum"  # asked of a model, and of no outline
_PLAIN = tuple(name for name in FAULTS if name != _HIND)
INTERVAL = "95 % percentile bootstrap over views; over patients of real pictures"
_MAX_BYTES = 50_000_000


@dataclass(frozen=True)
class Options:
    """How to run the protocol.

    Attributes:
        split: ``test``, or ``train`` or ``val`` while choosing something: the profile of the views.
        limit: at most so many views of each plane and fault; None takes `COUNT`.
        show_progress: a bar on stderr, if that is a terminal.
    """

    split: str = "test"
    limit: int | None = None
    show_progress: bool = True


@dataclass
class _Answers:
    """Of one check: whether each picture has the fault, the verdict, and the group."""

    faulty: list[bool]
    verdict: list[str]
    group: list[str]

    def metrics(
        self, name: str, title: str, section: str, unit: str = "views", goal: Goal | None = None
    ) -> list[Metric]:
        """Balanced accuracy, and its two halves."""
        truth, failed = np.array(self.faulty, dtype=bool), np.array([one == FAIL for one in self.verdict], dtype=bool)

        def balanced(rows: Index) -> float:
            t, f = truth[rows], failed[rows]
            return float(0.5 * (f[t].mean() + (~f[~t]).mean())) if t.any() and not t.all() else float("nan")

        groups = np.array(self.group)
        key = name.replace(" ", "_")
        blind = [one == CANNOT_TELL for one in self.verdict]
        both = group_bootstrap(balanced, self.group, RESAMPLES, SEED)
        seen = rate(failed[truth], list(groups[truth]), RESAMPLES, SEED)
        spared = rate(~failed[~truth], list(groups[~truth]), RESAMPLES, SEED)
        return [
            Metric(key, f"{title}: balanced accuracy", section, both, goal, unit=unit),
            Metric(f"{key}_seen", f"{title}: faults seen", section, seen, unit=unit),
            Metric(f"{key}_spared", f"{title}: sound ones not failed", section, spared, unit=unit),
            Metric(
                f"{key}_blind", f"{title}: cannot tell", section, rate(blind, self.group, RESAMPLES, SEED), unit=unit
            ),
        ]


def run(model: Any, root: str | Path | None = None, options: Options | None = None) -> BenchResult:
    """Measure the checks.

    Args:
        model: what `fetalclip.load` gives; a model without a head, or None, has no rows of its own outlines.
        root: folder that holds FETAL_PLANES_DB, for the check of the cerebellum; None leaves it out.
        options: see `Options`.

    Raises:
        UsageError: options out of range.
        DataMissing: a root without the data set.
    """
    options = options or Options()
    check(options.split, options.limit)
    began = time.perf_counter()
    count, profile = options.limit or COUNT, PROFILES_OF[options.split]
    own_heads = "head" in getattr(getattr(model, "segmenter", None), "folders", {})
    total = count * (len(PLANES) + sum(len(FAULTS[name].planes) for name in _PLAIN))
    total += count * (1 + len(_OUTLINED)) if own_heads else 0
    total += 2 * count if model is not None else 0
    with progress("views", total, options.show_progress) as step:
        found = _asked(count, profile, _scene, _PLAIN, step)
        metrics = [row for name, one in found.items() for row in one.metrics(name, _title(name), _ON_TRUE, goal=GOAL)]
        if own_heads:
            own = _asked(count, profile, _outlined_by(model), _OUTLINED, step, ("brain",))
            metrics += [row for name, one in own.items() for row in one.metrics(f"own_{name}", _title(name), _ON_OWN)]
        if model is not None:
            drawn = _asked(count, profile, lambda view: _named_by(model, view.frame), (_HIND,), step)[_HIND]
            metrics += drawn.metrics(f"drawn {_HIND}", _title(_HIND), _DRAWN, goal=GOAL)
    if root is not None:
        metrics += _real(model, root, options).metrics(_HIND, _title(_HIND), _REAL, "patients")
    notes = cautions(options.split, options.limit)
    notes.append("simulated views: a test of the software, not of what it sees in clinical pictures")
    provenance = {
        "version": __version__,
        **named(model),
        "split": f"simulated views of profile {profile}",
        "limit": options.limit,
        **_shared(),
        "data": [] if root is None else sources("fetal-planes-db"),
        "seconds": time.perf_counter() - began,
    }
    n = sum(len(one.group) for one in found.values())
    return BenchResult("quality", n, tuple(metrics), provenance=provenance, notes=tuple(notes))


def from_predictions(predictions: str | Path) -> BenchResult:
    """The same table from saved verdicts: ``{"check": [...], "verdict": [...], "faulty": [true, ...]}``, and ``group``.

    Raises:
        UnreadableInput: a file that cannot be used.
    """
    path = Path(predictions)
    expected = 'lists of one length: "check", "verdict", "faulty" and perhaps "group"'
    try:
        with path.open("rb") as stream:
            data = json.loads(stream.read(_MAX_BYTES))
        lists = [data[key] for key in ("check", "verdict", "faulty")]
        group = data.get("group") or [str(i) for i in range(len(lists[0]))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableInput(f"{path.name} holds no saved verdicts ({type(error).__name__})", expected) from None
    if any(not isinstance(one, list) or len(one) != len(lists[0]) for one in [*lists, group]) or not lists[0]:
        raise UnreadableInput(f"{path.name} has lists of several lengths, or none", expected)
    names = {one.name for one in CHECKS}
    found: dict[str, _Answers] = {}
    for name, verdict, faulty, one in zip(*lists, group, strict=True):
        if name not in names or verdict not in ("pass", "fail", "cannot tell") or not isinstance(faulty, bool):
            raise UnreadableInput(f"{path.name}: {name!r:.40}, {verdict!r:.40}, {faulty!r:.40}", expected)
        _add(found.setdefault(name, _Answers([], [], [])), faulty, verdict, str(one))
    metrics = [
        row for name, one in found.items() for row in one.metrics(name, _title(name), "Saved verdicts", goal=GOAL)
    ]
    return BenchResult("quality", len(group), tuple(metrics), provenance={"version": __version__, **_shared()})


See = Callable[[Phantom], Scene]


def _asked(
    count: int, profile: str, see: See, names: Sequence[str], step: Step, planes: Sequence[str] | None = None
) -> dict[str, _Answers]:
    """Answers of the checks on sound and on spoilt views."""
    asks = {one.name: one.ask for one in CHECKS}
    found = {name: _Answers([], [], []) for name in names}
    of = {name: [p for p in FAULTS[name].planes if planes is None or p in planes] for name in names}
    for plane in dict.fromkeys(plane for some in of.values() for plane in some):
        for seed in range(count):
            view = sound(plane, seed, profile)
            scene = see(view)
            for name in (name for name in names if plane in of[name]):
                _add(found[name], _has(name, view, False), asks[name](scene).verdict, f"{plane}:{seed}")
            step(1)
    for name in names:
        for plane in of[name]:
            for seed in range(_FAULTY, _FAULTY + count):
                view = spoil(name, plane, seed, profile)
                verdict = asks[name](see(view)).verdict
                _add(found[name], _has(name, view, True), verdict, f"{plane}:{seed}")
                step(1)
    return found


def _scene(view: Phantom) -> Scene:
    return Scene.of(view.frame, view.plane, masks=view.masks)


def _has(name: str, view: Phantom, planted: bool) -> bool:
    """Whether a view truly has a fault: of size by its true outline and sector, else because it was planted."""
    if name != "size" or view.sector is None:
        return planted
    seen = Scene(view.frame.gray, view.sector, np.zeros_like(view.sector), view.plane, masks=view.masks)
    value = size(seen).value
    return planted if value is None else value < LEAST


def _outlined_by(model: Any) -> See:
    def see(view: Phantom) -> Scene:
        return Scene.of(view.frame, view.plane, masks=model.segment(view.frame, "head", views=False).masks)

    return see


def _named_by(model: Any, frame: Frame) -> Scene:
    """A brain whose sub-plane the model has named; the picture itself is not kept."""
    said, blank = model.subplanes(frame), np.ones((8, 8), dtype=np.bool_)
    name = "" if said.abstained else said.label
    share = cerebellum_share(model.card, said)
    return Scene(np.zeros((8, 8), np.uint8), blank, ~blank, "brain", name, cerebellum=share)


def _real(model: Any, root: str | Path, options: Options) -> _Answers:
    """The check of the cerebellum on real heads of a known sub-plane."""
    found = _Answers([], [], [])
    ask = next(one.ask for one in CHECKS if one.name == _HIND)
    for row in plane_rows(root, options.split, options.limit, lambda row: bool(row.subplane), "head"):
        verdict = ask(_named_by(model, read(row.path))).verdict
        _add(found, row.subplane == "trans-cerebellum", verdict, row.group)
    return found


def _add(found: _Answers, faulty: bool, verdict: str, group: str) -> None:
    found.faulty.append(faulty)
    found.verdict.append(verdict)
    found.group.append(group)


def _title(name: str) -> str:
    return next(one.title for one in CHECKS if one.name == name)


def _shared() -> dict[str, Any]:
    return {"resamples": RESAMPLES, "seed": SEED, "interval": INTERVAL}
