"""Two plots of a benchmark: the risk of the answers kept, and estimates against the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fetalclip.report.axes import FAINT, INK, PAPER, TEAL, WASH, Axes, span

_LIMITS = (214, 120, 20)
_LIMITS_WASH, _BIAS_WASH = (250, 236, 216), (220, 236, 239)


def draw_risk_coverage(points: Sequence[Mapping[str, float]], title: str, facts: str = "", kind: str = "svg") -> bytes:
    """Share of wrong answers among the surest ones, for every share that is kept.

    Args:
        points: ``coverage`` and ``risk`` of each, coverage rising to 1.
        title: the headline.
        facts: one line below it.
        kind: ``svg`` or ``png``.

    Returns:
        The file.
    """
    top = max((point["risk"] for point in points), default=0.0)
    axes = Axes.open(kind, (0.0, 1.0), (0.0, max(0.05, 1.08 * top)))
    axes.frame(title, facts, "share of wrong answers", "share of answers kept, the surest first")
    if points:
        last = points[-1]["risk"]
        axes.level(last, FAINT, 1.2, dashed=True, words=f"all: {last:.3f}")
        line = [axes.at(point["coverage"], point["risk"]) for point in points]
        axes.page.line(line, TEAL, 2.5)
        axes.page.dot(line[-1], 5, TEAL, PAPER)
    return axes.page.done()


def draw_differences(told: Mapping[str, Any], title: str, facts: str = "", kind: str = "svg") -> bytes:
    """Bland-Altman plot: estimate less truth against the mean of both, with bias and 95 % limits of agreement.

    Source: Bland & Altman, Lancet 1986;327:307-310. Shaded: the intervals of bias and limits.

    Args:
        told: ``estimate`` and ``truth``, lists of one length in ``unit`` (days without one); ``bias``, ``low`` and
            ``high``, each with ``value``, ``low``, ``high`` (None where there is none).
        title: the headline.
        facts: one line below it.
        kind: ``svg`` or ``png``.

    Returns:
        The file.
    """
    pairs = list(zip(told["estimate"], told["truth"], strict=True))
    means, gaps = [(e + t) / 2 for e, t in pairs], [e - t for e, t in pairs]
    lines = [("high", _LIMITS, _LIMITS_WASH), ("bias", TEAL, _BIAS_WASH), ("low", _LIMITS, _LIMITS_WASH)]
    known = [(told[name], *colours) for name, *colours in lines if told[name]["value"] is not None]
    edges = [end for found, *_ in known for end in found.values() if end is not None]
    axes = Axes.open(kind, span(means or [0.0]), span([*gaps, *edges, 0.0], 0.06))
    unit = told.get("unit", "days")
    axes.frame(title, facts, f"estimate less truth, {unit}", f"mean of estimate and truth, {unit}")
    for found, _, wash in known:
        if found["low"] is not None:
            axes.band(found["low"], found["high"], wash)
    axes.level(0.0, FAINT, 1.0)
    for place in zip(means, gaps, strict=True):
        axes.page.dot(axes.at(*place), 4.5, WASH if len(pairs) > 400 else TEAL, PAPER)
    for found, colour, _ in known:
        axes.level(found["value"], INK if colour == TEAL else colour, 2.0, colour != TEAL, f"{found['value']:+.1f}")
    return axes.page.done()
