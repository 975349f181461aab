"""The folder that is written to: begun with one key, with a log that names nobody."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from fetalclip.disk import holding, replacing
from fetalclip.errors import FetalclipError, OutputError, UsageError
from fetalclip.io.deid.actions import Choices
from fetalclip.io.deid.key import Key
from fetalclip.io.deid.source import NotDicom
from fetalclip.io.deid.write import Written, deidentify

SCHEMA = "fetalclip.deid/1"
AUDIT = "audit.jsonl"
MARK = "deid.json"
_LOCK = ".deid.lock"


class Folder:
    """One output folder; while the block lasts no other run writes there.

    Args:
        path: the folder, which is there.
        key: that makes the pseudonyms.
        choices: what is kept.

    Raises:
        UsageError: the folder was begun with another key, or holds other files.
        OutputError: another run is at work there, or it cannot be written to.
    """

    def __init__(self, path: Path, key: Key, choices: Choices) -> None:
        self.path, self._key, self._choices = path, key, choices
        self._stack = ExitStack()
        self._digests: dict[str, str] = {}  # place to sha256, of this run

    def __enter__(self) -> Folder:
        try:
            self._stack.enter_context(holding(self.path / _LOCK, wait=False))
            self._begin()
        except BlockingIOError:
            found = f"another run is writing {self.path}"
            raise OutputError(found, "one run for each folder", "another -o") from None
        except OSError as error:
            self._close()
            raise OutputError(f"-o {self.path} cannot be written to ({error.strerror})") from None
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def _close(self) -> None:
        (self.path / _LOCK).unlink(missing_ok=True)
        self._stack.close()

    def add(self, source: Path) -> Written:
        """De-identify a file into the folder and write its line into the log.

        Raises:
            NotDicom: it is of another kind; the log does not mention it.
            FetalclipError: it could not be done; the log says what kind of fault it was, and of no file.
        """
        try:
            written = deidentify(source, self.path, self._key, self._choices, self._digests)
        except NotDicom:
            raise
        except FetalclipError as error:
            self._log({"error": type(error).__name__})
            raise
        again = {"again": True} if written.place in self._digests else {}
        self._digests[written.place] = written.sha256
        self._log({"error": None, **written.to_dict(), **again})
        return written

    def _begin(self) -> None:
        mark = self.path / MARK
        if mark.is_file():
            check_key(self.path, self._key)
            return
        others = [entry.name for entry in self.path.iterdir() if entry.name != _LOCK]
        if others:
            raise UsageError(f"-o {self.path} holds other files", "an empty folder, or one of 'data deid'", "-o new")
        with replacing(mark) as part:
            part.write_text(json.dumps({"schema": SCHEMA, "key": self._key.fingerprint}) + "\n", encoding="ascii")

    def _log(self, facts: dict[str, Any]) -> None:
        """One line, whole: it is written by a single call."""
        from fetalclip import __version__

        kept = {name for name in ("device", "patient") if getattr(self._choices, name)}
        line = {
            "schema": SCHEMA,
            "version": __version__,
            "key": self._key.fingerprint,
            "retained": sorted(kept),
            **facts,
        }
        try:
            with open(self.path / AUDIT, "ab") as stream:
                stream.write(json.dumps(line).encode("ascii") + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise OutputError(f"{AUDIT} cannot be written ({error.strerror})") from None


def check_key(path: Path, key: Key) -> None:
    """Refuse to go on with a folder of another key.

    Raises:
        UsageError: it was begun with another key, or its mark is damaged.
    """
    try:
        told = json.loads((path / MARK).read_text("ascii"))
        fingerprint = told["key"] if told["schema"] == SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError):
        fingerprint = None
    if fingerprint != key.fingerprint:
        raise UsageError(
            f"-o {path} was begun with another key", "the key of that folder", "--key-file with that key, or another -o"
        )
