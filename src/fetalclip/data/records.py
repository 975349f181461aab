"""A public data set's Zenodo record: what is in it, by its own API, and its files with resume and checksum.

Sizes and checksums are those the record's API serves at run time; none is written here. ``FETALCLIP_ZENODO`` names
another address of the same API, a mirror or an institute's proxy.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fetalclip.data import web
from fetalclip.errors import NotAvailable, UsageError

API = "https://zenodo.org/api"
VARIABLE = "FETALCLIP_ZENODO"
_MAX_RECORD = 20_000_000  # bytes of JSON


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
    data = web.ask(f"{base}/records/{number}", f"record {number}", _MAX_RECORD)
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


def fetch(file: RecordFile, folder: Path, progress: web.Progress = lambda size: None) -> Path:
    """Fetch a file, going on where an earlier try stopped; see `web.fetch`.

    Raises:
        NotAvailable, DataMissing, OutputError: as there.
    """
    return web.fetch(web.WebFile(file.name, file.size, "md5", file.md5, file.url), folder, progress)


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
    if not web.is_web(word):
        raise UsageError(f"{VARIABLE} is {word!r:.100}", "an address that starts with https://", f"unset {VARIABLE}")
    return word
