"""The disk: how much room there is, and files and folders that appear whole or not at all."""

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


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """A new hidden folder beside ``folder`` that becomes it when the block ends well; else nothing is left of it.

    Args:
        folder: not there yet, or empty.

    Raises:
        OSError: it cannot be made, or holds something.
    """
    folder = Path(os.path.abspath(folder))
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        yield part
        if folder.is_dir():
            folder.rmdir()
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def holding(path: Path, wait: bool = True) -> Iterator[None]:
    """Keep other processes out until the block ends, where the system can do that (Windows is not asked).

    Args:
        path: a file that stands for what is kept; made if it is not there.
        wait: for the other process; otherwise it is an error.

    Raises:
        BlockingIOError: another process is inside, and it was not to be waited for.
        OSError: the file cannot be made.
    """
    with path.open("ab") as stream:
        try:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise
        except (ImportError, OSError):  # Windows, or a disk far away that knows no locks
            pass
        yield
