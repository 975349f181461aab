"""The hash of a large file, computed once: what was found is kept in the cache folder with the file's size and date."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from fetalclip.disk import replacing
from fetalclip.settings import cache_folder

_PIECE = 2**24  # bytes


def hash_of(path: Path) -> str:
    """SHA-256 of a file as 64 hex digits, with a progress bar on a terminal.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        kept = json.loads(_note(path).read_text())
        if kept["stamp"] == _stamp(path) and isinstance(kept["sha256"], str):
            return kept["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no note, or one that cannot be trusted
    found = compute(path)
    remember(path, found)
    return found


def compute(path: Path) -> str:
    """SHA-256 of a file, read now."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    digest = hashlib.sha256()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    with (
        path.open("rb") as stream,
        Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress,
    ):
        bar = progress.add_task(f"checking {path.name}", total=path.stat().st_size)
        while piece := stream.read(_PIECE):
            digest.update(piece)
            progress.update(bar, advance=len(piece))
    return digest.hexdigest()


def remember(path: Path, sha256: str) -> None:
    """Keep a hash that has just been computed; a cache folder that cannot be written costs the next start its time."""
    note = _note(path)
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        with replacing(note) as part:
            part.write_text(json.dumps({"stamp": _stamp(path), "sha256": sha256}))
    except OSError:
        pass


def _note(path: Path) -> Path:
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:24]
    return cache_folder() / "verified" / f"{name}.json"


def _stamp(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ino]
