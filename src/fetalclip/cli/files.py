"""Places to write to: checked before any work is done, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fetalclip.errors import OutputError


def check_folder(folder: Path, option: str) -> Path:
    """Make the folder if needed and prove that a file can be made in it.

    Raises:
        OutputError: it is a file, or it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _try_write(folder)
    except FileExistsError as error:
        raise OutputError(f"{option} {folder} is a file", "a folder", f"{option} results") from error
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{option} {folder} cannot be written to ({_why(error)})",
            "a folder that can be made and written to",
            f"{option} results",
        ) from error
    return folder


def check_file(path: Path, option: str) -> Path:
    """Prove that the file can be made or replaced; its folder must exist.

    Raises:
        OutputError: it is a folder, or its folder is missing or cannot be written to.
    """
    try:
        if path.is_dir():
            raise OutputError(f"{option} {path} is a folder", "a file", f"{option} {path / 'report.html'}")
        if not path.parent.is_dir():
            raise OutputError(
                f"{option} {path}: the folder {path.parent} does not exist",
                "a file in a folder that exists",
                f"{option} {path.name}",
            )
        if path.exists() and not os.access(path, os.W_OK):
            raise OutputError(f"{option} {path} is write-protected", "a file that may be replaced")
        _try_write(path.parent)
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{option} {path} cannot be written ({_why(error)})",
            "a file in a folder that can be written to",
            f"{option} {path.name}",
        ) from error
    return path


@contextmanager
def whole(path: Path, option: str) -> Iterator[Path]:
    """A temporary path beside ``path``, of the same suffix, moved onto it when the block ends well.

    Raises:
        OutputError: the file could not be written; what was there before is still there.
    """
    import tempfile

    try:
        handle, name = tempfile.mkstemp(prefix=".unfinished-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise OutputError(f"{option} {path} cannot be written ({_why(error)})") from error
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"{option} {path} could not be written ({_why(error)})") from error
    finally:
        temporary.unlink(missing_ok=True)


def _try_write(folder: Path) -> None:
    import tempfile

    with tempfile.TemporaryFile(dir=folder):
        pass


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _umask() -> int:
    """The process's mask for new files; there is no way to read it without setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
