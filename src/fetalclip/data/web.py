"""Files from the web: resumed, bounded in size, held against a checksum; http and https alone, never back to http."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from fetalclip.errors import DataMissing, NotAvailable, OutputError, UsageError

_PIECE = 2**20
_TIMEOUT = 60.0  # seconds without a byte
_TRIES = 50  # of one file, as long as each brings something
_GONE = (404, 410, 416)  # 416: it has become shorter than what has come
_AGAIN = "the same command again: what has come is kept"
Progress = Callable[[int], None]


@dataclass(frozen=True)
class WebFile:
    """A file as its list tells it.

    Attributes:
        name: plain file name.
        size: bytes.
        kind: of the checksum, ``md5`` or ``sha256``.
        digest: hex digits.
        url: where its bytes are.
        source: what the list is called in a message, ``record`` or ``index``.
    """

    name: str
    size: int
    kind: str
    digest: str
    url: str
    source: str = "record"


def is_web(word: str) -> bool:
    """Whether a word is a web address."""
    return word.startswith(("http://", "https://"))


def ask(url: str, what: str, limit: int, source: str = "record") -> bytes:
    """A short answer, at most one byte more than ``limit``: the caller refuses that.

    Args:
        url: starts with http:// or https://.
        what: what a message calls it.
        limit: bytes.
        source: as of `WebFile`.

    Raises:
        UsageError: another kind of address.
        NotAvailable: no connection, or the server has no such thing.
    """
    if not is_web(url) or not urlsplit(url).netloc:
        raise UsageError(f"the address {url!r:.200}", "one that starts with https://")
    try:
        with _open(url) as answer:
            return answer.read(limit + 1)
    except (OSError, HTTPException) as error:
        raise _failed(error, what, source) from None


def fetch(file: WebFile, folder: Path, progress: Progress = lambda size: None) -> Path:
    """Fetch a file, going on where an earlier try stopped; a whole file that is there already is only checked.

    Args:
        file: what is fetched.
        folder: where it is put; unfinished it is ``NAME.part``.
        progress: told the bytes that have come.

    Raises:
        NotAvailable: the connection broke; what has come is kept.
        DataMissing: the server has it no more, or what came has another checksum or size; then it is removed.
        OutputError: it could not be written.
    """
    whole, part = folder / file.name, folder / f"{file.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if whole.is_file():
            _check(whole, file)
            return whole
        _fill(file, part, progress)
        _check(part, file)
        part.replace(whole)
    except OSError as error:
        raise OutputError(f"'{whole}' cannot be written ({error.strerror})", "a folder with enough space") from None
    return whole


def is_whole(path: Path, file: WebFile) -> bool:
    """Whether a file has the size and the checksum of its list.

    Raises:
        OSError: it cannot be read.
    """
    return path.stat().st_size == file.size and _digest(path, file.kind) == file.digest


def _fill(file: WebFile, part: Path, progress: Progress) -> None:
    """Bring the unfinished file to its size, again as long as each try brings something."""
    for _ in range(_TRIES):
        have = part.stat().st_size if part.is_file() else 0
        if have > file.size:
            part.unlink()
            have = 0
        if have == file.size:
            if not have:
                part.touch()
            return
        broken: Exception = ConnectionError()  # a connection that ends early says nothing at all
        try:
            _get(file, part, have, progress)
        except HTTPError as error:
            if error.code in _GONE:
                part.unlink(missing_ok=True)
            raise _failed(error, file.name, file.source) from None
        except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
            broken = error
        if (part.stat().st_size if part.is_file() else 0) <= have < file.size:
            raise _failed(broken, file.name, file.source) from None
    raise NotAvailable(f"the download of {file.name} stopped {_TRIES} times", "a steady connection", _AGAIN)


def _get(file: WebFile, part: Path, have: int, progress: Progress) -> None:
    headers = {"Range": f"bytes={have}-"} if have else {}
    with _open(file.url, headers) as answer:
        partial = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if not partial:
            have = 0  # the server sends all of it again
        with part.open("ab" if partial else "wb") as stream:
            while piece := answer.read(_PIECE):
                have += len(piece)
                if have > file.size:
                    found = f"{file.name} is longer than its {file.source} says"
                    raise DataMissing(found, f"{file.size} bytes", _AGAIN)
                stream.write(piece)
                progress(have)
        if answer.length == 0 and have < file.size:  # all of it has come, and no connection broke
            part.unlink()
            raise DataMissing(f"{file.name} is shorter than its {file.source} says", f"{file.size} bytes", _AGAIN)


def _check(path: Path, file: WebFile) -> None:
    """Hold a file against its list; remove another one.

    Raises:
        DataMissing: size or checksum differ.
    """
    size, digest = path.stat().st_size, _digest(path, file.kind)
    if size == file.size and digest == file.digest:
        return
    path.unlink()
    found = f"{file.name} of {size} bytes, {file.kind} {digest[:12]}…"
    expected = f"{file.size} bytes, {file.kind} {file.digest[:12]}…, as the {file.source} says; the file was removed"
    raise DataMissing(found, expected, "the same command again")


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()


class _SafeRedirect(HTTPRedirectHandler):
    """Follows a redirect to the web only, and never from https back to http."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in ("http", "https") or (before == "https" and after == "http"):
            raise URLError(f"redirected to {after or 'nowhere'}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str, headers: dict[str, str] | None = None) -> HTTPResponse:
    from fetalclip import __version__

    told = {"User-Agent": f"fetalclip/{__version__}", "Accept-Encoding": "identity", **(headers or {})}
    answer: HTTPResponse = build_opener(_SafeRedirect).open(Request(url, headers=told), timeout=_TIMEOUT)
    return answer


def _failed(error: Exception, what: str, source: str) -> NotAvailable:
    if isinstance(error, HTTPError):
        gone = DataMissing if error.code in _GONE else NotAvailable
        return gone(f"the server answered {error.code} for {what}", "the file", "the same command later")
    reason = getattr(error, "reason", None) or error
    kind = getattr(reason, "strerror", None) or type(reason).__name__
    return NotAvailable(f"{what} could not be fetched ({kind})", f"a connection to the {source}", _AGAIN)
