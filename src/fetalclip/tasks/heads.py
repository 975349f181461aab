"""Heads as a call names them: those that draw masks apart from the one that judges clips of the heart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fetalclip.cards import read_json
from fetalclip.errors import BadCheckpoint, UsageError
from fetalclip.models.heart_head import HEART_SCHEMA
from fetalclip.tasks.heart import Hearts, HeartTask
from fetalclip.tasks.segment import Segmenter

Head = str | Path


@dataclass(frozen=True)
class CalledHeads:
    """The heads of one call, loaded.

    Attributes:
        masks: heads whose masks are measured; None for the model's own.
        heart: what judges the heart of a clip; None where it is not asked for, or nothing can.
        no_heart: why nothing can, where it is asked for; else empty.
    """

    masks: tuple[Head, ...] | None = None
    heart: HeartTask | None = None
    no_heart: str = ""


def called_heads(
    given: Head | Sequence[Head] | None, tasks: Sequence[str] | None, segmenter: Segmenter, hearts: Hearts
) -> CalledHeads:
    """Load the heads that a call needs for what it names.

    Args:
        given: heads by name or folder, of both kinds; None names none.
        tasks: the questions by name; None asks for all, the heart too where a heart head is named or the model has
            exactly one that was not trained on simulated clips only: such a one is not for real patients, and answers
            where it is asked for by name.
        segmenter, hearts: the model's heads.

    Raises:
        NotAvailable: no such head.
        BadCheckpoint: a damaged one, or one trained on another encoder.
        UsageError: two heart heads.
    """
    named = None if given is None else (given,) if isinstance(given, (str, Path)) else tuple(given)
    hearty = [head for head in named or () if _is_heart(head, tasks, segmenter, hearts)]
    if len(hearty) > 1:
        raise UsageError(f"{len(hearty)} heart heads", "one for a call", f"--head {hearty[0]}")
    masks = None if named is None or (hearty and len(hearty) == len(named)) else _without(named, hearty)
    for head in masks or ():
        segmenter.task(head)
    loaded = hearts.task(hearty[0]) if hearty else None  # a wrong one is told whatever is asked
    alone = len(hearts.folders) == 1
    usual = alone and not hearts.config().simulated
    if not (bool(hearty) or usual if tasks is None else "heart" in tasks):
        return CalledHeads(masks)
    if loaded is None and not alone:
        several = f"the model has several heart heads ({', '.join(hearts.folders)})" if hearts.folders else ""
        return CalledHeads(masks, None, f"{several or 'the model has no heart head'}; name one with --head")
    return CalledHeads(masks, loaded or hearts.task())


def _without(named: tuple[Head, ...], hearty: list[Head]) -> tuple[Head, ...]:
    return tuple(head for head in named if head not in hearty)


def _is_heart(head: Head, tasks: Sequence[str] | None, segmenter: Segmenter, hearts: Hearts) -> bool:
    """Whether a head judges hearts. One that is not there counts as what its call would need it for."""
    if isinstance(head, str) and (head in segmenter.folders or head in hearts.folders):
        return head not in segmenter.folders
    try:
        there = Path(head).is_dir()
    except (OSError, ValueError):  # a name too long for a path, or with a zero byte
        there = False
    if not there:
        return tasks is not None and "heart" in tasks and "biometry" not in tasks
    try:
        return read_json(Path(head) / "config.json").get("schema") == HEART_SCHEMA
    except BadCheckpoint:
        return False  # the reader of the other heads says what is wrong with it
