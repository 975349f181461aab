"""The secret key behind pseudonyms: of a file, of the environment, or of this run alone."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from fetalclip.cli.output import Voice, printable
from fetalclip.errors import UsageError

if TYPE_CHECKING:
    from fetalclip.io.deid.key import Key


def check_apart(key_file: Path | None, folders: Iterable[Path]) -> None:
    """Refuse a key that lies among the files: it would be read as one, or be passed on with them.

    Args:
        key_file: the key, or None.
        folders: of the files; a DICOMDIR stands for its folder.

    Raises:
        UsageError: it does.
    """
    from fetalclip.io.dicom.directory import is_directory

    if key_file is None:
        return
    for path in folders:
        folder = path.parent if os.path.isfile(path) and is_directory(path) else path
        if is_below(key_file, folder):
            found = f"--key-file {printable(key_file)} lies in {printable(folder)}"
            raise UsageError(found, "a key that lies apart from the files", f"--key-file {printable(key_file.name)}")


def is_below(path: Path, folder: Path) -> bool:
    """Whether a path is a folder or lies in it, links followed."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a loop of links, a name no system allows
        return False


def lasting(key_file: Path | None) -> bool:
    """Whether a key is named that will be there next time."""
    from fetalclip.io.deid.key import ENVIRONMENT

    return key_file is not None or bool(os.environ.get(ENVIRONMENT))


def lasting_key(voice: Voice, key_file: Path | None, make: bool = True) -> Key:
    """The key of a file, which is made where it is not there, or of the environment.

    Args:
        voice: tells that a key was made, or that others may read it.
        key_file: the file; None takes the environment's.
        make: whether a missing file may be made.

    Raises:
        UsageError: neither names a key.
        UnreadableInput, OutputError: the file holds no key, or cannot be read or made.
    """
    from fetalclip.io.deid.key import find_key, is_private

    key, made = find_key(key_file, make)
    if made:
        voice.talk(f"A new key was made: {printable(key_file)}. Who has it can tell who is who; without it nobody can.")
    elif key_file is not None and not is_private(key_file):
        voice.talk(f"Others may read {printable(key_file)}. Next: chmod 600 {printable(key_file)}")
    return key


def any_key(voice: Voice, key_file: Path | None) -> Key:
    """`lasting_key` where one is named, else a key of this run alone: its pseudonyms differ next time."""
    from fetalclip.io.deid.key import BYTES, Key

    return lasting_key(voice, key_file) if lasting(key_file) else Key(secrets.token_bytes(BYTES))
