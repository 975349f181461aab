"""The command line. ``program`` is the console script, ``main`` the same as a function; one command per file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main", "program"]

# Importing torch makes a million objects that all stay: at Python's default of 700 the collector walks them hundreds
# of times, a tenth of the time of one cold image.
_COLLECT_EVERY = 100_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after ``fetalclip``; None reads them from the process.

    Returns:
        The exit code: 0 fine, 1 some inputs failed, 2 the call is wrong, 3 a model or data is missing,
        130 interrupted, 141 the reader of a pipe went away.
    """
    from fetalclip.cli.app import run

    return run(argv)


def program() -> NoReturn:
    """Run one command as a process of its own.

    Ends the process without taking the interpreter apart, object by object: with torch loaded that is another fifth
    of the time of one cold image, and nothing is left to save. What registered itself to run at the end still runs.
    """
    import atexit
    import gc
    import os
    import sys
    import warnings

    from fetalclip.memory import keep_freed_memory

    keep_freed_memory()
    warnings.showwarning = _warn  # type: ignore[assignment]  # takes any arguments
    gc.set_threshold(_COLLECT_EVERY, 50, 50)
    code = main()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            code = code or 1
    os._exit(code)


def _warn(message: Warning | str, *_where: object) -> None:
    """A warning as a line of talk, without the line of code it came from."""
    from fetalclip.cli.output import Voice, printable

    Voice().talk(f"Warning: {printable(message)}")
