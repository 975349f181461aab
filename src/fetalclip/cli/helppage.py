"""Every help page as one Markdown text: ``python -m fetalclip.cli.helppage > docs/help.md``.

A test compares that file with what the program says, so neither can drift from the other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer

from fetalclip.cli.app import app

WIDTH = 88  # columns; fixed, so that the page does not depend on somebody's terminal

_HEAD = """# Help pages

What `fetalclip` and each of its commands say with `--help`. Made by
`python -m fetalclip.cli.helppage > docs/help.md`; a test compares. The exit codes are on
[their own page](exit-codes.md).
"""


def page() -> str:
    """The whole page, Markdown, ending in a line break."""
    parts = [_HEAD]
    for words, text in pages():
        parts.append(f"## {' '.join(words)}\n\n```\n{text}\n```\n")
    return "\n".join(parts)


def pages() -> Iterator[tuple[list[str], str]]:
    """Words of each command and the help it gives, in the order of the program's own list."""
    yield from _walk(typer.main.get_command(app), ["fetalclip"], None)


def _walk(command: Any, words: list[str], parent: Any) -> Iterator[tuple[list[str], str]]:
    context = command.make_context(
        words[-1], [], parent=parent, resilient_parsing=True, terminal_width=WIDTH, max_content_width=WIDTH
    )
    yield words, "\n".join(line.rstrip() for line in command.get_help(context).strip().splitlines())
    for name, inner in getattr(command, "commands", {}).items():
        yield from _walk(inner, [*words, name], context)


if __name__ == "__main__":
    sys.stdout.write(page())
