"""Which standard views an exam holds, and the best picture of each. The views are data: ``assets/views``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

from fetalclip.errors import UsageError
from fetalclip.result import Analysis, View
from fetalclip.result.quality import overall, passed_share

DEFAULT_VIEWS = "mid-trimester"
VIEWS_SCHEMA = "fetalclip.views/1"
_MAX_BYTES = 100_000


@dataclass(frozen=True)
class ViewRule:
    """A standard view and what a picture must be called to show it.

    Attributes:
        name, title, needed: as of `View`.
        plane: the plane a picture must have.
        subplane: and the sub-plane; empty where the plane is enough.
    """

    name: str
    title: str
    plane: str
    subplane: str = ""
    needed: bool = True


@lru_cache(maxsize=8)
def load_views(name: str | Path = DEFAULT_VIEWS) -> tuple[ViewRule, ...]:
    """A list of views: a bundled one by name, or a JSON file of schema ``fetalclip.views/1``.

    Raises:
        UsageError: no such list, or a file that is none.
    """
    bundled = resources.files("fetalclip").joinpath("assets", "views")
    names = sorted(path.name.removesuffix(".json") for path in bundled.iterdir() if path.name.endswith(".json"))
    try:
        if str(name) in names:
            data = bundled.joinpath(f"{name}.json").read_bytes()
        else:
            with Path(name).open("rb") as stream:
                data = stream.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise ValueError(f"more than {_MAX_BYTES} bytes")
        return _rules(json.loads(data))
    except (OSError, ValueError, RecursionError) as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else str(error)[:200]
        raise UsageError(
            f"no list of views in {Path(name).name}: {why}", f"a file, or one of {', '.join(names)}"
        ) from None


def _rules(data: object) -> tuple[ViewRule, ...]:
    """Checked views; ValueError names the first thing that is wrong."""
    if not isinstance(data, dict) or data.get("schema") != VIEWS_SCHEMA or not isinstance(data.get("views"), list):
        raise ValueError(f'not {{"schema": "{VIEWS_SCHEMA}", "views": [...]}}')
    found = []
    for number, view in enumerate(data["views"], 1):
        if not isinstance(view, dict):
            raise ValueError(f"view {number} is no object")
        words = [view.get(key) for key in ("name", "title", "plane")] + [view.get("subplane", "x")]
        if not all(isinstance(word, str) and 0 < len(word) <= 100 for word in words):
            raise ValueError(f"view {number} needs texts: name, title, plane, and subplane where it has one")
        if not isinstance(view.get("needed", True), bool):
            raise ValueError(f'"needed" of view {number} is not true or false')
        found.append(
            ViewRule(view["name"], view["title"], view["plane"], view.get("subplane", ""), view.get("needed", True))
        )
    if not found or len({one.name for one in found}) != len(found):
        raise ValueError("no view, or two of one name")
    return tuple(found)


def covered(analyses: Sequence[Analysis], rules: Sequence[ViewRule] | None = None) -> tuple[View, ...]:
    """Every view with its best picture: the one that shows it most probably and passes the most checks.

    A picture shows a view when its plane is certain, and its sub-plane too where the view has one. Pictures are ranked
    by probability in steps of a tenth, then by the share of checks they pass, then by probability.

    Args:
        analyses: of one exam.
        rules: the views; the mid-trimester list where None.
    """
    found = []
    for rule in load_views() if rules is None else rules:
        shows = [(one, share) for one in analyses if (share := shown_share(one, rule)) is not None]
        if not shows:
            found.append(View(rule.name, rule.title, rule.needed))
            continue
        best, share = max(shows, key=lambda pair: _rank(*pair))
        quality = None if best.quality is None else overall(best.quality)
        where = (best.input.path, share, quality, best.input.best_frame)
        found.append(View(rule.name, rule.title, rule.needed, len(shows), *where))
    return tuple(found)


def shown_share(one: Analysis, rule: ViewRule) -> float | None:
    """Probability that a picture shows a view, 0 to 1; None where it is said to show another, or none."""
    plane, sub = one.plane, one.subplane
    if one.error is not None or plane is None or plane.abstained or plane.label != rule.plane:
        return None
    if not rule.subplane:
        return plane.probability
    if sub is None or sub.abstained or sub.label != rule.subplane:
        return None
    return plane.probability * sub.probability


def _rank(one: Analysis, share: float) -> tuple[int, float, float]:
    return round(10 * share), passed_share(one.quality or ()), share
