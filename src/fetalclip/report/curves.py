"""Label-efficiency curves: a score against patients a class, a line for each model, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fetalclip.report.axes import PAPER, TEAL, Axes
from fetalclip.report.pens import Colour

COLOURS: tuple[Colour, ...] = (TEAL, (214, 120, 20), (122, 79, 153), (60, 130, 60), (176, 48, 82), (79, 93, 105))
_WHISKER = 1.5
_LINE = 16  # pixels from one word of the legend to the next


def draw_curves(curves: Sequence[Mapping[str, Any]], title: str, facts: str = "", kind: str = "svg") -> bytes:
    """Draw curves over a logarithmic foot.

    Args:
        curves: ``name`` and ``points`` of each, a point having ``at``, ``value``, ``low`` and ``high``.
        title: the headline.
        facts: one line below it.
        kind: ``svg`` or ``png``.

    Returns:
        The file.
    """
    amounts = sorted({point["at"] for curve in curves for point in curve["points"]}) or [1]
    values = [point[key] for curve in curves for point in curve["points"] for key in ("value", "low", "high")]
    known = [value for value in values if value is not None] or [0.0, 1.0]
    axes = Axes.open(kind, (math.log2(amounts[0]) - 0.3, math.log2(amounts[-1]) + 0.3), (min(known) - 0.03, 1.0))
    marks = [(math.log2(at), f"{at:g}") for at in amounts]
    axes.frame(title, facts, "macro F1", "patients of each class", marks)
    for number, curve in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        shift = 0.03 * (number - (len(curves) - 1) / 2)  # whiskers of several lines beside each other
        line = []
        for point in curve["points"]:
            if point["value"] is None:
                continue
            across = math.log2(point["at"]) + shift
            line.append(axes.at(across, point["value"]))
            if point["low"] is not None:
                axes.page.line([axes.at(across, point["low"]), axes.at(across, point["high"])], colour, _WHISKER)
        axes.page.line(line, colour, 2.5, dashed=number >= len(COLOURS))
        for place in line:
            axes.page.dot(place, 4.5, colour, PAPER)
    _legend(axes, [str(curve["name"]) for curve in curves])
    return axes.page.done()


def _legend(axes: Axes, names: Sequence[str]) -> None:
    """Words in the lower right corner, where curves are not."""
    right, bottom = axes.at(axes.across[1], axes.up[0])
    for number, name in enumerate(reversed(names)):
        colour = COLOURS[(len(names) - 1 - number) % len(COLOURS)]
        axes.page.text((right - 4, bottom - 14 - _LINE * number), name, 13, colour, "end")
