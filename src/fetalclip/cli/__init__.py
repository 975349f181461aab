"""The command line. ``main`` is the console script; the commands live one per file."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


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
