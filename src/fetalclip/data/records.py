"""A public data set's Zenodo record: what is in it, by its own API, and its files with resume and checksum.

Sizes and checksums are those the record's API serves at run time; none is written here. ``FETALCLIP_ZENODO`` names
another address of the same API, a mirror or an institute's proxy.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from fetalclip.errors import DataMissing, NotAvailable, OutputError, UsageError

API = "https://zenodo.org/api"
VARIABLE = "FETALCLIP_ZENODO"
_MAX_RECORD = 20_000_000  # bytes of JSON
_PIECE = 2**20
_TIMEOUT = 60.0  # seconds without a byte
_TRIES = 50  # of one file, as long as each brings something
_AGAIN = "the same command again: what has come is kept"
Progress = Callable[[int], None]


@dataclass(frozen=True)
class RecordFile:
    """A file of a record.

    Attributes:
        name: plain file name.
        size: bytes.
        md5: 32 hex digits, as the record's API gives them.
        url: where its bytes are.
    """

    name: str
    size: int
    md5: str
    url: str


@dataclass(frozen=True)
class Record:
    """A record as its API describes it: number, title, licence (an id such as ``cc-by-4.0``), DOI, files."""

    number: str
    title: str
    license: str
    doi: str
    files: tuple[RecordFile, ...]


def ask(number: str) -> Record:
    """Ask the API for a record; fetches no file.

    Raises:
        NotAvailable: no network, no such record, or an answer of another shape.
        UsageError: ``FETALCLIP_ZENODO`` is no web address.
    """
    base = _base()
    with _plainly(f"record {number}"), _open(f"{base}/records/{number}") as answer:
        data = answer.read(_MAX_RECORD + 1)
    try:
        if len(data) > _MAX_RECORD:
            raise ValueError("too large")
        return _record(number, json.loads(data), base)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotAvailable(
            f"the answer for record {number} is not a record ({type(error).__name__})",
            "the record API's JSON: files with key, size, checksum and links",
            f"unset {VARIABLE}, or sign in to the network, and the same command again",
        ) from None


def fetch(file: RecordFile, folder: Path, progress: Progress = lambda size: None) -> Path:
    """Fetch a file, going on where an earlier try stopped; a whole file that is there already is only checked.

    Args:
        file: of a record.
        folder: where it is put; unfinished it is ``NAME.part``.
        progress: told the bytes that have come.

    Raises:
        NotAvailable: the connection broke; what has come is kept.
        DataMissing: what came has another checksum or size; it is removed.
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


def _fill(file: RecordFile, part: Path, progress: Progress) -> None:
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
            raise _failed(error, file.name) from None
        except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
            broken = error
        if (part.stat().st_size if part.is_file() else 0) <= have < file.size:
            raise _failed(broken, file.name) from None
    raise NotAvailable(f"the download of {file.name} stopped {_TRIES} times", "a steady connection", _AGAIN)


def _get(file: RecordFile, part: Path, have: int, progress: Progress) -> None:
    headers = {"Range": f"bytes={have}-"} if have else {}
    with _open(file.url, headers) as answer:
        partial = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if not partial:
            have = 0  # the server sends all of it again
        with part.open("ab" if partial else "wb") as stream:
            while piece := answer.read(_PIECE):
                have += len(piece)
                if have > file.size:
                    raise DataMissing(f"{file.name} is longer than its record says", f"{file.size} bytes", _AGAIN)
                stream.write(piece)
                progress(have)


def _check(path: Path, file: RecordFile) -> None:
    """Hold a file against the record; remove another one.

    Raises:
        DataMissing: size or checksum differ.
    """
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False))
    size = path.stat().st_size
    if size == file.size and digest.hexdigest() == file.md5:
        return
    path.unlink()
    found = f"{file.name} of {size} bytes, md5 {digest.hexdigest()[:12]}…"
    expected = f"{file.size} bytes, md5 {file.md5[:12]}…, as the record says; the file was removed"
    raise DataMissing(found, expected, "the same command again")


def _record(number: str, data: dict[str, Any], base: str) -> Record:
    if str(data["id"]) != number:
        raise ValueError("another record")
    about = data["metadata"]
    files = tuple(_file(entry, base) for entry in data["files"])
    if not files or len({file.name.lower() for file in files}) < len(files):
        raise ValueError("no files, or one twice")
    license_ = about.get("license") or {}
    named = license_.get("id", "") if isinstance(license_, dict) else license_
    return Record(number, str(about["title"]), str(named), str(data.get("doi") or about.get("doi") or ""), files)


def _file(entry: dict[str, Any], base: str) -> RecordFile:
    name, size = entry["key"], entry["size"]
    kind, _, digest = str(entry["checksum"]).partition(":")
    plain = isinstance(name, str) and name.isprintable() and not re.search(r'[/\\:*?"<>|]', name)
    if not plain or name.startswith(".") or not 0 < len(name.encode()) <= 200:
        raise ValueError("a file name")
    if not isinstance(size, int) or size < 0 or kind != "md5" or not re.fullmatch(r"[0-9a-f]{32}", digest):
        raise ValueError("a size or checksum")
    url = str(entry["links"]["self"])
    if urlsplit(url)[:2] != urlsplit(base)[:2]:
        raise ValueError("a file on another host")
    return RecordFile(name, size, digest, url)


def _base() -> str:
    word = os.environ.get(VARIABLE, "").rstrip("/") or API
    if not word.startswith(("https://", "http://")):
        raise UsageError(f"{VARIABLE} is {word!r:.100}", "an address that starts with https://", f"unset {VARIABLE}")
    return word


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


@contextmanager
def _plainly(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, HTTPException) as error:
        raise _failed(error, what) from None


def _failed(error: Exception, what: str) -> NotAvailable:
    if isinstance(error, HTTPError):
        return NotAvailable(f"the server answered {error.code} for {what}", "the file", "the same command later")
    reason = getattr(error, "reason", None) or error
    kind = getattr(reason, "strerror", None) or type(reason).__name__
    return NotAvailable(f"{what} could not be fetched ({kind})", "a connection to the record", _AGAIN)
