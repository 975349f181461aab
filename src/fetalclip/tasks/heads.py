"""Heads as a call names them: those that draw masks, the one that judges clips of the heart, and probes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fetalclip.cards import read_json
from fetalclip.errors import BadCheckpoint, UsageError
from fetalclip.models.heart_head import HEART_SCHEMA
from fetalclip.models.probe_head import PROBE_SCHEMA
from fetalclip.tasks.heart import Hearts, HeartTask
from fetalclip.tasks.probe import Probes, ProbeTask
from fetalclip.tasks.segment import Segmenter

Head = str | Path


@dataclass(frozen=True)
class CalledHeads:
    """The heads of one call, loaded.

    Attributes:
        masks: heads whose masks are measured; None for the model's own.
        heart: what judges the heart of a clip; None where it is not asked for, or nothing can.
        no_heart: why nothing can, where it is asked for; else empty.
        probes: those named, or the model's own where none is.
    """

    masks: tuple[Head, ...] | None = None
    heart: HeartTask | None = None
    no_heart: str = ""
    probes: tuple[ProbeTask, ...] = ()


def called_heads(
    given: Head | Sequence[Head] | None,
    tasks: Sequence[str] | None,
    segmenter: Segmenter,
    hearts: Hearts,
    probes: Probes,
) -> CalledHeads:
    """Load the heads that a call needs for what it names.

    Args:
        given: heads by name or folder, of all kinds; None names none.
        tasks: the questions by name; None asks for all, the heart too where a heart head is named or the model has
            exactly one that was not trained on simulated clips only: such a one is not for real patients, and answers
            where it is asked for by name.
        segmenter, hearts, probes: the model's heads.

    Raises:
        NotAvailable: no such head.
        BadCheckpoint: a damaged one, or one trained on another encoder.
        UsageError: two heart heads.
    """
    named = None if given is None else (given,) if isinstance(given, (str, Path)) else tuple(given)
    kinds = [(head, _kind(head, tasks, segmenter, hearts, probes)) for head in named or ()]
    hearty, asking, drawing = (tuple(head for head, k in kinds if k == kind) for kind in ("heart", "probe", "mask"))
    if len(hearty) > 1:
        raise UsageError(f"{len(hearty)} heart heads", "one for a call", f"--head {hearty[0]}")
    masks = None if named is None or (named and not drawing) else drawing
    for head in drawing:
        segmenter.task(head)
    answering = tuple(
        probes.task(head) for head in asking or (probes.folders if tasks is None or "probes" in tasks else ())
    )
    if tasks is not None and "probes" not in tasks:
        answering = ()  # loaded all the same: a wrong one is told whatever is asked
    heart, no_heart = _heart_of(hearty, tasks, hearts)
    return CalledHeads(masks, heart, no_heart, answering)


def _heart_of(named: Sequence[Head], tasks: Sequence[str] | None, hearts: Hearts) -> tuple[HeartTask | None, str]:
    """What judges the heart, or why nothing can."""
    loaded = hearts.task(named[0]) if named else None
    alone = len(hearts.folders) == 1
    usual = alone and not hearts.config().simulated
    if not (bool(named) or usual if tasks is None else "heart" in tasks):
        return None, ""
    if loaded is None and not alone:
        several = f"the model has several heart heads ({', '.join(hearts.folders)})" if hearts.folders else ""
        return None, f"{several or 'the model has no heart head'}; name one with --head"
    return loaded or hearts.task(), ""


def _kind(head: Head, tasks: Sequence[str] | None, segmenter: Segmenter, hearts: Hearts, probes: Probes) -> str:
    """``mask``, ``heart`` or ``probe``. A head that is not there counts as what its call would need it for."""
    if isinstance(head, str):
        for kind, known in (("mask", segmenter.folders), ("heart", hearts.folders), ("probe", probes.folders)):
            if head in known:
                return kind
    try:
        there = Path(head).is_dir()
    except (OSError, ValueError):  # a name too long for a path, or with a zero byte
        there = False
    if not there:
        wanted = [] if tasks is None or "biometry" in tasks else [word for word in ("heart", "probes") if word in tasks]
        return {"heart": "heart", "probes": "probe"}[wanted[0]] if wanted else "mask"
    try:
        schema = read_json(Path(head) / "config.json").get("schema")
    except BadCheckpoint:
        return "mask"  # the reader of those heads says what is wrong with it
    return {HEART_SCHEMA: "heart", PROBE_SCHEMA: "probe"}.get(str(schema), "mask")
