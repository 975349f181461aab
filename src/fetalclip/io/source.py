"""Where the bytes of a picture come from (path, bytes, open file) and one message for each refusal."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import BinaryIO

from fetalclip.errors import InputTooLarge, UnreadableInput, UsageError
from fetalclip.io.formats import HEAD, READABLE, describe, sniff, sniff_clip

MAX_BYTES = 1 << 30
"""Largest file that is read, in bytes (1 GiB)."""

MAX_DICOM = 1 << 28
"""Largest DICOM file that is read as one picture, in bytes (256 MiB); a clip is not held in memory."""

Readable = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO


@dataclass(frozen=True)
class Source:
    """The bytes of one picture.

    Attributes:
        data: the whole file; it starts like one of the formats that are read.
        name: the path as given, empty for bytes and unnamed files.
        label: what the picture is called in a message, printable.
        format: the format the first bytes announce, one of ``formats.FORMATS``.
    """

    data: bytes
    name: str
    label: str
    format: str


def name_of(source: object) -> str:
    """The path as given, or empty for what has none."""
    if isinstance(source, (str, os.PathLike)):
        return os.fsdecode(source)
    name = getattr(source, "name", "")
    return name if isinstance(name, str) else ""


def shown(name: str) -> str:
    """A name as it may stand in a one-line message: printable, at most 200 characters."""
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)
    return text if len(text) <= 200 else "…" + text[-199:]


def load(source: Readable) -> Source:
    """Read a picture's bytes.

    Only regular files are opened, so that a pipe or a device cannot block. A file that does not start like a
    picture is refused after its first bytes.

    Raises:
        UnreadableInput: missing, empty, a folder, not a regular file, not permitted, not a picture.
        InputTooLarge: more than ``MAX_BYTES``.
        UsageError: ``source`` is none of the accepted types.
    """
    name = name_of(source)
    if isinstance(source, (str, os.PathLike)):
        label = shown(name) or "the empty path"
        try:
            check_regular(name, label)
            with open(name, "rb") as file:
                return _drain(file, name, label)
        except (OSError, ValueError) as error:
            raise refusal(error, name, label) from error
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
        return Source(data, "", "the given bytes", _check_start(data[:HEAD], "the given bytes"))
    if callable(getattr(source, "read", None)):
        label = shown(name) or "the given file object"
        try:
            return _drain(source, name, label)
        except (OSError, ValueError) as error:  # ValueError: the file is closed
            raise refusal(error, "", label) from error
    raise UsageError(f"an input of type {type(source).__name__}", "a path, bytes or an open binary file")


def check_regular(name: str, label: str, limit: int | None = MAX_BYTES) -> None:
    """Refuse what is not a regular file of at most ``limit`` bytes, before it is opened: a pipe would block.

    Raises:
        UnreadableInput: a folder, pipe, socket or device.
        InputTooLarge: more bytes.
        OSError: the system would not tell.
    """
    mode = os.stat(name).st_mode  # follows symlinks
    if stat.S_ISDIR(mode):
        if not os.access(name, os.R_OK | os.X_OK):
            raise UnreadableInput(f"{label} is a folder that may not be listed", READABLE, "check its permissions")
        raise UnreadableInput(f"{label} is a folder", READABLE, "fetalclip analyze FOLDER, which walks it")
    if not stat.S_ISREG(mode):
        raise UnreadableInput(f"{label} is a pipe, socket or device", READABLE, "save the picture to a file first")
    if limit is not None and os.stat(name).st_size > limit:
        raise _too_large(label, limit)


def _drain(file: BinaryIO, name: str, label: str) -> Source:
    head = file.read(HEAD)
    if not isinstance(head, bytes):
        raise UsageError(f"{label} is open as text", "a file opened in binary mode", 'open(path, "rb")')
    form = _check_start(head, label)
    limit = MAX_DICOM if form == "DICOM" else MAX_BYTES
    data = head + file.read(limit + 1 - len(head))
    if len(data) > limit:
        raise _too_large(label, limit)
    return Source(data, name, label, form)


def _check_start(head: bytes, label: str) -> str:
    if not head:
        raise UnreadableInput(f"{label} is empty (0 bytes)", READABLE, "copy or export the picture again")
    form = sniff(head)
    if form is None:
        raise UnreadableInput(
            f"{label} is not a picture this version reads: it looks like {describe(head)}",
            READABLE,
            "fetalclip.read_cine(path)" if sniff_clip(head) else "export the picture as PNG",
        )
    return form


def _too_large(label: str, limit: int) -> InputTooLarge:
    size = f"{limit >> 30} GiB" if limit >> 30 else f"{limit >> 20} MiB"
    return InputTooLarge(f"{label} is larger than {size}", "one still picture", "export the picture as PNG")


def refusal(error: OSError | ValueError, name: str, label: str) -> UnreadableInput:
    """The one message for a file that the system would not give."""
    if isinstance(error, FileNotFoundError):
        broken = bool(name) and os.path.islink(name)
        found = f"{label} is a link to a file that is not there" if broken else f"there is no file {label}"
        return UnreadableInput(found, READABLE, "check the spelling of the path")
    if isinstance(error, PermissionError):
        return UnreadableInput(f"{label} may not be read", "permission to read it", f"chmod +r {label}")
    if isinstance(error, NotADirectoryError):
        return UnreadableInput(f"a part of the path {label} is not a folder", READABLE, "check the path")
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return UnreadableInput(f"{label} is a link that leads back to itself", READABLE, "remove the link")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not a usable path or file"
    return UnreadableInput(f"{label} cannot be read: {reason}", READABLE, "check the path")
