"""The disk: how much room there is, and files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def free_bytes(folder: Path) -> int:
    """Room on the disk that holds a folder, which need not exist yet."""
    return shutil.disk_usage(next(place for place in (folder, *folder.absolute().parents) if place.is_dir())).free


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A hidden path beside ``path``, of the same suffix, that takes its place when the block ends well.

    Raises:
        OSError: it cannot; what was there before is still there.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
