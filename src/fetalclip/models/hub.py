"""One file from the Hugging Face hub: asked for first, fetched with resume, held against the hub's own hash.

The hub's client deletes a download that breaks, so the unfinished file is kept here, beside its hash, and goes on where
it stopped. Only ``huggingface_hub``'s own requests are used: its proxies, certificates, tokens (``HF_TOKEN``) and
mirrors (``HF_ENDPOINT``) hold. Its telemetry is off unless the user has set ``HF_HUB_DISABLE_TELEMETRY=0``.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from fetalclip.errors import BadCheckpoint, NotAvailable, UsageError
from fetalclip.models.hub_errors import plainly

_TRIES = 100
_AGAIN = "the same command again"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_YES = ("1", "on", "yes", "true")


@dataclass(frozen=True)
class HubFile:
    """A file on the hub, as the hub describes it.

    Attributes:
        repository, name, revision: which file.
        commit: the commit the revision stands for, 40 hex digits.
        size: bytes, or None when the hub does not say.
        etag: SHA-256 (64 hex digits) of a large file, git's SHA-1 (40) of a small one.
    """

    repository: str
    name: str
    revision: str
    commit: str
    size: int | None
    etag: str

    @property
    def sha256(self) -> str:
        """The file's SHA-256 as the hub states it, or empty."""
        return self.etag if re.fullmatch(r"[0-9a-f]{64}", self.etag) else ""


def is_offline() -> bool:
    """Whether the environment forbids the network (``HF_HUB_OFFLINE``)."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in _YES


def ask(repository: str, name: str, revision: str) -> HubFile:
    """Ask the hub for a file's size and hash; fetches nothing.

    Raises:
        NotAvailable: no network, no such repository, revision or file, or no access; the message says which.
        UsageError: ``HF_ENDPOINT`` is no web address.
    """
    endpoint = _endpoint()
    with plainly(repository, name, revision):
        client = _client()
        found = client.get_hf_file_metadata(client.hf_hub_url(repository, name, revision=revision, endpoint=endpoint))
    commit, etag = found.commit_hash or "", found.etag or ""
    if not _COMMIT.fullmatch(commit) or not etag:
        raise NotAvailable(
            "something answered that is not the hub (a proxy, a sign-in page or a wrong HF_ENDPOINT)",
            "the hub's own answer, with a commit and a hash",
            "sign in to the network or unset HF_ENDPOINT, then the same command again",
        )
    size = found.size if found.size is not None and found.size >= 0 else None
    return HubFile(repository, name, revision, commit, size, etag)


def in_cache(repository: str, name: str, revision: str) -> HubFile | None:
    """What the hub client's own cache holds of a file, without network; None when it is not there."""
    path = cached(repository, name, revision)
    if path is None:
        return None
    blob = path.resolve().name  # the cache names a file by its hash and links to it
    commit = path.parent.name if _COMMIT.fullmatch(path.parent.name) else ""
    return HubFile(repository, name, revision, commit, path.stat().st_size, blob if _has_hash(blob) else "")


def cached(repository: str, name: str, revision: str) -> Path | None:
    """Where the hub client's own cache holds a file, or None."""
    found = _client().try_to_load_from_cache(repository, name, revision=revision)
    return Path(found) if isinstance(found, str) else None


def place(found: HubFile, downloads: Path) -> Path:
    """Where a file is kept until it has been used; another version of it has another place."""
    key = hashlib.sha256(f"{found.repository}/{found.name}@{found.etag}".encode()).hexdigest()[:24]
    return downloads / key / found.name


def part_of(path: Path) -> Path:
    """The unfinished file of a download."""
    return path.with_name(path.name + ".part")


def fetch(found: HubFile, downloads: Path) -> Path:
    """Download a file, going on where an earlier try stopped; a progress bar is shown on a terminal.

    Returns:
        The whole file, checked, at `place`.

    Raises:
        NotAvailable: the connection broke (what has come is kept) or the hub refused.
        BadCheckpoint: what came is not the file the hub described; it is removed.
        OutputError: it could not be written.
    """
    whole = place(found, downloads)
    part = part_of(whole)
    with plainly(found.repository, found.name, found.revision, fetching=True):
        whole.parent.mkdir(parents=True, exist_ok=True)
        with _alone(whole.parent / "lock"), _quiet():
            if not whole.is_file():
                _download(found, part)
                _check_or_remove(part, found)
                part.replace(whole)
            else:
                _check_or_remove(whole, found)
    return whole


def check(path: Path, found: HubFile) -> None:
    """Hold a file against the size and hash the hub states; a hub that states none passes.

    Raises:
        BadCheckpoint: it is another file, or a part of it.
    """
    size = path.stat().st_size
    again = f"{_AGAIN}, to download it anew"
    if (found.size is not None and size != found.size) or not size:
        raise BadCheckpoint(f"{found.name} of {size} bytes", f"{found.size} bytes, as the hub says", again)
    if not _has_hash(found.etag):
        return
    digest = hashlib.sha256() if found.sha256 else hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as stream:
        hashlib.file_digest(stream, lambda: digest)
    if digest.hexdigest() != found.etag:
        kind = "sha256" if found.sha256 else "git hash"
        raise BadCheckpoint(
            f"{found.name} has {kind} {digest.hexdigest()[:12]}…", f"{found.etag[:12]}…, as the hub says", again
        )


def _check_or_remove(path: Path, found: HubFile) -> None:
    try:
        check(path, found)
    except BadCheckpoint:
        path.unlink(missing_ok=True)
        raise


def _download(found: HubFile, part: Path) -> None:
    """Fill the unfinished file, again as long as a broken connection has brought something."""
    for _ in range(_TRIES):
        have = part.stat().st_size if part.is_file() else 0
        if found.size is None or have > found.size:
            have = 0  # nothing to hold the kept bytes against
        if have == found.size:
            return
        try:
            _get(found, part, have)
            return
        except Exception as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            if status == 416:  # no such range: what is kept belongs to another file
                part.unlink(missing_ok=True)
            stuck = not part.is_file() or part.stat().st_size <= have
            if status or stuck or found.size is None or getattr(error, "errno", None):
                raise
    raise NotAvailable(f"the download stopped {_TRIES} times", "a steady connection; what has come is kept", _AGAIN)


def _get(found: HubFile, part: Path, have: int) -> None:
    client = _client()
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    # The commit, not the branch: what was asked for is what comes, whatever is pushed in between.
    url = client.hf_hub_url(found.repository, found.name, revision=found.commit, endpoint=_endpoint())
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}  # a range of packed bytes would be no range
    with part.open("r+b" if have else "wb") as stream:
        stream.seek(have)
        # Without its expected size, so that a short file is told apart from a broken connection: by `check`.
        http_get(url, stream, resume_size=have, headers=headers, displayed_filename=found.name)


def _client() -> ModuleType:
    """The hub's client, which reads its settings when it is imported."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import huggingface_hub

    return huggingface_hub


def _endpoint() -> str | None:
    """The hub's address; ``HF_ENDPOINT`` names a mirror.

    Raises:
        UsageError: it is no web address.
    """
    word = os.environ.get("HF_ENDPOINT", "").rstrip("/")
    if word and not word.startswith(("https://", "http://")):
        raise UsageError(f"HF_ENDPOINT is {word!r:.100}", "an address that starts with https://", "unset HF_ENDPOINT")
    return word or None


def _has_hash(etag: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", etag) is not None


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One download of a file at a time.

    Raises:
        NotAvailable: another program holds it.
    """
    from filelock import FileLock, Timeout  # a dependency of huggingface_hub

    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise NotAvailable(
            "another program is downloading the same file", "one at a time", "the same command when it is done"
        ) from None
    try:
        yield
    finally:
        held.release()


@contextmanager
def _quiet() -> Iterator[None]:
    """The hub client's warnings name signed addresses; what matters of them is said by our own errors."""
    from huggingface_hub.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
