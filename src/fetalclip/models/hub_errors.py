"""What goes wrong between here and the hub, in this package's words: no address, no stack of causes."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from fetalclip.errors import FetalclipError, NotAvailable, OutputError

_AGAIN = "the same command again"
_OFFLINE = "fetalclip models convert with a file you copied here, or --offline if it is in the hub's cache"
_LIBRARIES = ("httpx", "httpx2", "httpcore", "requests", "urllib3", "huggingface_hub")
_NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)

# Words in the names of an error and its causes, the most telling first, to the reason a reader understands.
_REASONS = (
    ("offline", "the environment forbids it (HF_HUB_OFFLINE)"),
    ("proxy", "the proxy does not answer"),
    ("ssl", "no secure connection: a proxy or an outdated list of certificates"),
    ("certificate", "no secure connection: a proxy or an outdated list of certificates"),
    ("timeout", "no answer in time"),
    ("gaierror", "its name is not known to this network"),
    ("broken", "the connection broke off"),
    ("disconnected", "the connection broke off"),
    ("refused", "nobody answers there"),
    ("connect", "it cannot be reached"),
)


@contextmanager
def plainly(repository: str, name: str, revision: str, fetching: bool = False) -> Iterator[None]:
    """Turn an error of the hub's client or of the disk into one of ours; others pass.

    Args:
        repository, name, revision: the file that is asked for.
        fetching: whether it was on its way, and a part of it is kept.

    Raises:
        NotAvailable: the hub refused, or cannot be reached.
        OutputError: the disk refused.
    """
    try:
        yield
    except FetalclipError:
        raise
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is not None:
            raise _refused(int(status), error, (repository, name, revision)) from error
        if isinstance(error, OSError) and error.errno in _NO_PLACE:
            raise OutputError(
                f"{name} cannot be kept ({error.strerror})",
                "a cache folder with room that can be written to",
                "FETALCLIP_CACHE=FOLDER, then the same command again",
            ) from error
        if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in _LIBRARIES:
            raise
        raise _unreached(error, fetching) from error


def _refused(status: int, error: Exception, file: tuple[str, str, str]) -> NotAvailable:
    """What an answer of the hub means."""
    repository, name, revision = file
    kind = type(error).__name__ + str(getattr(error, "response").headers.get("X-Error-Code", ""))  # noqa: B009
    if "Revision" in kind:
        return NotAvailable(
            f"{repository} has no revision {revision!r:.100}", "a branch, tag or commit", "leave it out"
        )
    if "Entry" in kind:
        expected = "the file this package knows; its authors may have renamed it"
        return NotAvailable(f"{repository} has no file {name}", expected, "fetalclip models convert with your own copy")
    if "Gated" in kind or status == 403:
        expected = "an account that has accepted its authors' conditions on the hub"
        return NotAvailable(
            f"{repository} is not open to you ({status})", expected, f"HF_TOKEN=… of that account, then {_AGAIN}"
        )
    if status == 401:
        expected = "a public repository, or a token that may read it"
        return NotAvailable(f"the hub refuses {repository} (401)", expected, f"HF_TOKEN=…, then {_AGAIN}")
    if status == 404:
        return NotAvailable(
            f"the hub has no {repository} (404)", "a repository that is still there", "fetalclip models list"
        )
    if status == 429:
        return NotAvailable("too many requests from here (429)", "fewer of them", f"wait some minutes, then {_AGAIN}")
    return NotAvailable(f"the hub answered with error {status}", "a file", f"wait some minutes, then {_AGAIN}")


def _unreached(error: Exception, fetching: bool) -> NotAvailable:
    """No answer at all, or one that broke off."""
    names, seen = "", error
    while seen is not None:
        names += f" {type(seen).__name__} {str(seen)[:300]}".lower()
        seen = seen.__cause__ or seen.__context__  # type: ignore[assignment]
    reason = next((said for word, said in _REASONS if word in names), "the connection broke off")
    if fetching:
        return NotAvailable(f"the download stopped: {reason}", "a connection; what has come is kept", _AGAIN)
    return NotAvailable(f"the hub was not reached: {reason}", "a network connection", _OFFLINE)
