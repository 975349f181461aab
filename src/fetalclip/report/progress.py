"""How a training went: a field for every number its log follows, on one picture, the best validation marked."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fetalclip.report.axes import FAINT, HEIGHT, PAPER, TEAL, WIDTH, Axes, span
from fetalclip.report.pens import Colour

VALIDATION: Colour = (214, 120, 20)
_POINTS = 400  # of a line; more are averaged in runs of neighbours
_MOST = 24  # fields; further numbers of a log are not drawn
_HUGE = 1e30
_COLUMNS = 2
# Fields in the order they are drawn, each with what it follows; other numbers of the log come after them.
_FIELDS: dict[str, tuple[str, ...]] = {
    "loss": ("loss", "validation.loss", "held_loss"),
    "macro F1 on validation": ("validation.macro_f1", "held_macro_f1"),
    "true captions found, share": ("validation.recall",),
    "rate": ("rate",),
    "pictures a second": ("pictures_per_second",),
    "norm of the gradient": ("gradient_norm",),
    "peak memory, MB": ("memory_mb",),
    "scale of the cosines": ("logit_scale",),
}
_FEET = ("step", "epoch")
_UNSEEN = ("step", "epoch", "best", "validation.n", "validation.planes")

Line = list[tuple[float, float]]


@dataclass(frozen=True)
class Field:
    """One field of the picture.

    Attributes:
        name: what its side counts.
        lines: key of the log to its points, by step or epoch.
    """

    name: str
    lines: Mapping[str, Line]


def draw_progress(log: Sequence[Mapping[str, Any]], title: str, facts: str = "") -> bytes:
    """Draw a log.

    Args:
        log: the objects of ``metrics.jsonl``, in order; what is no finite number is left out, a list is its mean.
        title: the headline.
        facts: one line below it.

    Returns:
        A PNG; of a log without numbers one empty field.
    """
    from PIL import Image

    foot = next((name for name in _FEET if any(name in line for line in log)), _FEET[-1])
    flat = _steps([flatten(line) for line in log])
    best = next((line[foot] for line in reversed(flat) if line.get("best") and foot in line), None)
    drawn = fields(flat, foot) or [Field("loss", {})]
    rows = -(-len(drawn) // _COLUMNS)
    sheet = Image.new("RGB", (min(len(drawn), _COLUMNS) * WIDTH, rows * HEIGHT), PAPER)
    for number, field in enumerate(drawn):
        told = (title, facts, field.name) if number == 0 else (field.name, "", "")
        with Image.open(io.BytesIO(_draw(field, foot, best, *told))) as picture:
            sheet.paste(picture, (number % _COLUMNS * WIDTH, number // _COLUMNS * HEIGHT))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def fields(flat: Sequence[Mapping[str, float]], foot: str) -> list[Field]:
    """What is drawn of flattened lines: known numbers first, in their order, then the others by name."""
    found: dict[str, Line] = {}
    for line in flat:
        for key, value in line.items():
            if key not in _UNSEEN and foot in line:
                found.setdefault(key, []).append((line[foot], value))
    known = {key for keys in _FIELDS.values() for key in keys}
    named = [(name, keys) for name, keys in _FIELDS.items() if any(key in found for key in keys)]
    named += [(key, (key,)) for key in sorted(set(found) - known)]
    return [Field(name, {key: found[key] for key in keys if key in found}) for name, keys in named[:_MOST]]


def flatten(line: Mapping[str, Any], before: str = "") -> dict[str, float]:
    """Finite numbers of a line by dotted key; of a list their mean."""
    found: dict[str, float] = {}
    for key, value in line.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            found |= flatten(value, f"{name}.")
        elif isinstance(value, list):
            known = [float(v) for v in value if _is_finite(v)]
            found |= {name: sum(known) / len(known)} if known else {}
        elif _is_finite(value):
            found[name] = float(value)
    return found


def _steps(flat: list[dict[str, float]]) -> list[dict[str, float]]:
    """The lines; where steps are told (they have a rate), of an epoch's own line only what it validated."""
    if not any("rate" in line for line in flat):
        return flat
    return [line if "rate" in line else {k: v for k, v in line.items() if _held(k) or k in _UNSEEN} for line in flat]


def _held(key: str) -> bool:
    return key.startswith(("validation.", "held_"))


def _draw(field: Field, foot: str, best: float | None, *told: str) -> bytes:
    points = [point for line in field.lines.values() for point in line]
    across = span([x for x, _ in points], 0.0) if points else (0.0, 1.0)
    axes = Axes.open("png", _apart(across), _apart(span([y for _, y in points])) if points else (0.0, 1.0))
    title, facts, side = told
    axes.frame(title, facts, side, foot)
    for key, line in field.lines.items():
        held = _held(key)
        colour = VALIDATION if held else TEAL
        places = [axes.at(x, y) for x, y in (line if held else thinned(line))]
        if len(places) > 1:
            axes.page.line(places, colour, 2.5 if held else 2.0)
        for place in places if held or len(places) == 1 else []:
            axes.page.dot(place, 4.5, colour, PAPER)
        axes.page.text((places[-1][0] + 8, places[-1][1]), "validation" if held else "", 13, colour)
        chosen = [y for x, y in line if held and x == best]
        if chosen and best is not None:
            place = axes.at(best, chosen[-1])
            axes.page.dot(place, 9, PAPER, VALIDATION)
            axes.page.dot(place, 5, VALIDATION, VALIDATION)
            axes.page.text((place[0], place[1] - 18), f"best: {chosen[-1]:.4g}", 13, FAINT, "middle")
    return axes.page.done()


def thinned(line: Line) -> Line:
    """At most some hundred points, each the mean of a run of neighbours."""
    size = max(1, -(-len(line) // _POINTS))
    runs = [line[start : start + size] for start in range(0, len(line), size)]
    return [(sum(x for x, _ in run) / len(run), sum(y for _, y in run) / len(run)) for run in runs]


def _apart(ends: tuple[float, float]) -> tuple[float, float]:
    """Ends far enough apart for the numbers between them to differ."""
    size = max(abs(end) for end in ends)
    return ends if ends[1] - ends[0] > 1e-4 * size else (ends[0] - 0.1 * size, ends[1] + 0.1 * size)


def _is_finite(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and math.isfinite(value) and abs(value) < _HUGE
    except OverflowError:  # a whole number beyond every float
        return False
