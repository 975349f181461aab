"""Where shards lie: a folder, or a web address with a cache before it. Either gives a local file, checked."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urljoin

from fetalclip.data import web
from fetalclip.data.shards.index import Shard
from fetalclip.data.shards.journal import sha256
from fetalclip.disk import holding
from fetalclip.errors import DataMissing, FetalclipError, OutputError, UnreadableInput

CACHE_BYTES = 50 * 2**30  # of all fetched shards; the oldest go when there are more
_FIX = "write or fetch that shard again"


class Place(Protocol):
    """Where the shards of one source lie."""

    def path(self, shard: Shard) -> Path:
        """A local file with the shard's bytes.

        Raises:
            UnreadableInput: it is not there, or its bytes are others.
            NotAvailable: a server cannot be reached.
            OutputError: what comes cannot be written.
        """
        ...

    def ahead(self, shard: Shard) -> None:
        """Told which shard will be asked for before long."""
        ...


@dataclass
class LocalPlace:
    """A folder. A shard's checksum is worked out when it is asked for first.

    Args:
        folder: holds the shards.
    """

    folder: Path
    _checked: set[str] = field(default_factory=set)

    def path(self, shard: Shard) -> Path:
        """See `Place`."""
        path = self.folder / shard.name
        try:
            if shard.name not in self._checked:
                size = path.stat().st_size
                if size != shard.size:
                    raise UnreadableInput(f"a shard of {size} bytes", f"{shard.size}, as its index says", _FIX)
                if shard.sha256 and sha256(path) != shard.sha256:
                    raise UnreadableInput("a shard with another checksum", "that of its index", _FIX)
                self._checked.add(shard.name)
        except OSError as error:
            raise UnreadableInput(f"a shard that cannot be read ({error.strerror})", "the file", _FIX) from None
        return path

    def ahead(self, shard: Shard) -> None:
        """Nothing to do: it is here."""


class RemotePlace:
    """A web address. A shard is fetched whole, held against its checksum, and kept until others need the room.

    Args:
        url: of the folder, with a / at its end.
        folder: for what is fetched.
        limit: bytes of all fetched shards beside this folder, this one's too.
    """

    def __init__(self, url: str, folder: Path, limit: int = CACHE_BYTES) -> None:
        self.url, self.folder, self.limit = url, folder, limit
        self._checked: set[str] = set()
        self._thread: threading.Thread | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_thread": None}

    def path(self, shard: Shard) -> Path:
        """See `Place`."""
        path = self.folder / shard.name
        file = web.WebFile(shard.name, shard.size, "sha256", shard.sha256, urljoin(self.url, shard.name), "index")
        if shard.name in self._checked and _is_used(path):
            return path
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with holding(self.folder / f".{shard.name}.lock"):
                if not (path.is_file() and web.is_whole(path, file)):
                    path.unlink(missing_ok=True)
                    self._make_room(shard.size)
                    web.fetch(file, self.folder)
                self._checked.add(shard.name)
                _is_used(path)
        except DataMissing as error:
            raise UnreadableInput(f"a shard that cannot be had: {error.found}", error.expected, _FIX) from None
        except OSError as error:
            found = f"'{self.folder}' cannot be written ({error.strerror or type(error).__name__})"
            raise OutputError(found, "a cache with enough space") from None
        return path

    def ahead(self, shard: Shard) -> None:
        """Fetch it in a thread, one at a time; what goes wrong is told when the shard is asked for."""
        if self._thread is not None and self._thread.is_alive():
            return
        if not (shard.name in self._checked and (self.folder / shard.name).is_file()):
            self._thread = threading.Thread(target=self._fetch_quietly, args=(shard,), daemon=True)
            self._thread.start()

    def _fetch_quietly(self, shard: Shard) -> None:
        with suppress(FetalclipError):
            self.path(shard)

    def _make_room(self, size: int) -> None:
        """Remove the shards that were not used for longest; one that is open stays readable where the system can."""
        found: Sequence[Path] = sorted(self.folder.parent.glob("shards-*/*.tar"), key=_used)
        total = size + sum(_size(path) for path in found)
        for path in found:
            if total <= self.limit:
                return
            total -= _size(path)
            with suppress(OSError):
                path.unlink()


def _is_used(path: Path) -> bool:
    """Note that a file is used now; False where it is not there."""
    try:
        os.utime(path)
    except OSError:
        return False
    return True


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
