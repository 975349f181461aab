"""One analysis as lines for the eye; ``--json`` is for programs."""

from __future__ import annotations

from fetalclip.cli.output import bar, printable, takes_blocks
from fetalclip.result import Analysis, PlaneScores

MAX_NAME = 60  # characters; a longer name pushes its own line to the right and no other


def name_width(names: list[str]) -> int:
    """Width of the first column for these names."""
    return min(max((len(printable(name)) for name in names), default=0), MAX_NAME)


def lines(analysis: Analysis, width: int) -> list[str]:
    """Text lines of one analysis: name, plane, probability, bar; warnings indented below.

    Args:
        analysis: what was found; its error, if any, is told on stderr by the caller.
        width: of the name column, from ``name_width``.
    """
    name = printable(analysis.input.path).ljust(width)
    if analysis.error is not None:
        return [f"{name}  not read"]
    told = [f"{name}  {_plane(analysis.plane)}".rstrip()]
    told += [f"{'':{min(width, 4)}}  warning: {printable(text)}" for text in analysis.warnings]
    return told


def _plane(plane: PlaneScores | None) -> str:
    if plane is None:
        return "no plane asked for"
    drawn = bar(plane.probability, ascii_only=not takes_blocks())
    if plane.abstained:
        return f"{'abstained':<16}  {'':4}  {'':20}  nearest {plane.label} {plane.probability:.2f}"
    return f"{printable(plane.label):<16}  {plane.probability:.2f}  {drawn}"
