"""Checkpoints of a run: whole or not at all, of tensors and plain values, refused where they are of another run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from fetalclip.disk import replacing
from fetalclip.errors import BadCheckpoint, OutputError
from fetalclip.fit.watch import LOG

NAME, BEST = "checkpoint.pt", "best.pt"
_NOT_THE_RUN = ("watch", "planned")  # parts of a recipe that change what is looked at, not what is trained
_NOT_THE_DATA = ("workers", "max_bad", "allow_leaks")


def write(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state to a file; what was there before is there until it is whole on the disk.

    Raises:
        OutputError: it cannot be written; the message names the checkpoint that is still there.
    """
    try:
        with replacing(path) as part, part.open("wb") as stream:
            torch.save(dict(state), stream)
            stream.flush()
            os.fsync(stream.fileno())
    except (OSError, RuntimeError) as error:  # torch's writer turns a full disk into a RuntimeError
        why = getattr(error, "strerror", None) or "the disk is full, or went away"
        kept = f"; {path} of an earlier step is whole" if path.is_file() else ""
        raise OutputError(f"{path} cannot be written ({why}){kept}", "room on the disk", "--resume") from None


def read(path: Path, take: Callable[[dict[str, Any]], None], words: Mapping[str, str]) -> bool:
    """Take up a state; False where there is none.

    Args:
        path: what `write` wrote.
        take: puts the state where it belongs.
        words: what this run is, by kind (``recipe``, ``data``); the state must say the same where it says anything.

    Raises:
        BadCheckpoint: it is damaged, or of another recipe or other data.
    """
    if not path.is_file():
        return False
    other = ""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        other = next((kind for kind, said in words.items() if not _same(kind, state.get(kind, said), said)), "")
        if not other:
            take(state)
    except Exception as error:  # torch raises many kinds for a damaged file
        kind = type(error).__name__
        fix = "remove it to start this run again"
        raise BadCheckpoint(f"checkpoint {path} cannot be read ({kind})", "one this recipe wrote", fix) from None
    if other:
        what = "other data" if other == "data" else f"another {other}"
        same = "the same data" if other == "data" else f"the same {other}"
        raise BadCheckpoint(f"checkpoint {path} of {what}", same, "another --out folder")
    return True


def recipe_words(recipe: Mapping[str, Any]) -> str:
    """What of a recipe a checkpoint is held against: all but what only watches."""
    told = {key: value for key, value in recipe.items() if key not in _NOT_THE_RUN}
    if "watch" in recipe:
        told["choose"] = recipe["watch"].get("choose")  # the best score so far is of this measure
    if isinstance(told.get("data"), dict):
        told["data"] = {key: value for key, value in told["data"].items() if key not in _NOT_THE_DATA}
    return json.dumps(told, sort_keys=True)


def _same(kind: str, one: str, other: str) -> bool:
    if kind != "recipe":
        return one == other
    return recipe_words(json.loads(one)) == recipe_words(json.loads(other))


def clean(folder: Path) -> None:
    """Remove what a run that was killed left unfinished beside its checkpoints."""
    for name in (NAME, BEST):
        stem, suffix = name.split(".")
        for part in folder.glob(f".{stem}.*.part.{suffix}"):
            part.unlink(missing_ok=True)


def cut_log(folder: Path, size: int) -> None:
    """Take back the lines written after the checkpoint: their steps are done again."""
    file = folder / LOG
    if file.is_file() and file.stat().st_size > size:
        os.truncate(file, size)
