"""What the commands say: data on stdout, talk on stderr, and nothing a terminal could trip over."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from fetalclip.errors import OutputError

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

_EIGHTHS = " ▏▎▍▌▋▊▉"


def printable(text: object) -> str:
    """Text that moves no cursor: control characters and undecodable bytes become visible escapes."""
    shown = []
    for char in str(text):
        if char.isprintable():
            shown.append(char)
        else:
            shown.append(char.encode("unicode_escape").decode("ascii"))
    return "".join(shown)


def plain(value: Any) -> Any:
    """The value as JSON knows it: numpy numbers as Python's, paths as text, NaN and infinity as None."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    if hasattr(value, "tolist"):  # numpy arrays and numbers, without importing numpy
        return plain(value.tolist())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return str(value)


def json_line(value: Any) -> str:
    """One line of JSON in ASCII, so that every terminal, pipe and code page carries it."""
    import json

    return json.dumps(plain(value), ensure_ascii=True, allow_nan=False)


def bar(share: float, width: int = 20, ascii_only: bool = False) -> str:
    """A bar of ``width`` characters, filled for a share of 0 to 1 (beyond is cut; not a number is empty)."""
    share = min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
    if ascii_only:
        return ("#" * round(share * width)).ljust(width)
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def takes_blocks() -> bool:
    """Whether stdout can carry the block characters of ``bar``."""
    try:
        "█▏".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


class Voice:
    """Both streams of one command, and the progress bar between them.

    Colour and the bar appear only where the stream is a terminal. While the bar is on a terminal that shows
    stdout too, data lines go through the bar's console, which lifts the bar for the length of a line.
    """

    def __init__(self) -> None:
        self._through: Console | None = None

    def data(self, line: str) -> None:
        """A line of data: stdout, as it is.

        Raises:
            OutputError: stdout takes no more (a full disk).
        """
        if self._through is not None:
            self._through.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)
            return
        try:
            _write(sys.stdout, line)
        except BrokenPipeError:
            raise
        except OSError as error:
            silence(sys.stdout)
            raise OutputError(f"the output could not be written ({error.strerror})") from error

    def talk(self, line: str = "") -> None:
        """A line for the person at the terminal: stderr."""
        if self._through is not None:
            self._through.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)
            return
        _write(sys.stderr, line)

    def progress(
        self, items: Iterable[T], total: int, what: str, done: int = 0, size: Callable[[T], int] | None = None
    ) -> Iterator[T]:
        """Yield the items while a bar on stderr counts them; silent for one, or without a terminal.

        Args:
            items: what is gone through.
            total: how many there are in all.
            what: the word before the bar.
            done: how many of them an earlier run did.
            size: how many an item counts for; one when None.
        """
        if total < 2 or not sys.stderr.isatty():
            yield from items
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        # Redirecting would send stdout's data to stderr.
        bar_ = Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
        with bar_:
            task = bar_.add_task(what, total=total, completed=done)
            if sys.stdout.isatty():
                self._through = console
            try:
                for item in items:
                    yield item
                    bar_.advance(task, 1 if size is None else size(item))
            finally:
                self._through = None


def table(rows: Sequence[Sequence[object]], header: Sequence[str] = ()) -> list[str]:
    """Rows as aligned columns of text; numbers are the caller's to format."""
    lines = [[printable(cell) for cell in row] for row in ([header, *rows] if header else rows)]
    if not lines:
        return []
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def failure(path: object, error: str) -> str:
    """One line about one file; most messages name it themselves."""
    name = printable(path)
    said = printable(error)
    return said if name in said else f"{name}: {said}"


def silence(*streams: TextIO | None) -> None:
    """Point streams at nothing, so that the interpreter's last flush has nobody to complain to."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        try:
            if stream is not None:
                os.dup2(nowhere, stream.fileno())
        except (OSError, ValueError):  # a stream without a descriptor
            continue
    os.close(nowhere)


def _write(stream: TextIO | None, line: str) -> None:
    """A whole line at once: a reader at the other end of a pipe sees it when it is made."""
    if stream is None:  # closed by the caller's shell
        return
    stream.write(_encodable(line, stream.encoding) + "\n")
    stream.flush()


def _encodable(text: str, encoding: str | None) -> str:
    """Text that the stream's own encoding can carry (a Windows code page, a C locale)."""
    encoding = encoding or "ascii"
    return text.encode(encoding, "backslashreplace").decode(encoding)
