"""The chart files, read into charts. A new chart is one new file in ``assets/growth``; nothing here changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from typing import Any

from fetalclip.clinical.growth.charts import Chart
from fetalclip.clinical.growth.curves import Curve, Lms, Normal, Quantiles
from fetalclip.clinical.growth.formula import Formula
from fetalclip.errors import BadValue, DataMissing

SCHEMA = "fetalclip.growth-chart/1"
DAYS = {"weeks": 7.0, "days": 1.0}
SIZES = ("quantiles", "normal", "lms")  # kinds of a chart of sizes; the others are "age" and "weight"
_ORDER = ("who", "intergrowth", "hadlock", "robinson")  # of families in answers


@lru_cache(maxsize=1)
def files() -> Mapping[str, Mapping[str, Any]]:
    """Every chart file by its name without suffix, families in order.

    Raises:
        DataMissing: a file that is no chart.
    """
    found = {}
    for path in resources.files("fetalclip").joinpath("assets", "growth").iterdir():
        if not path.name.endswith(".json"):
            continue
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["schema"] != SCHEMA:
                raise ValueError(f"schema {data['schema']!r}")
            found[path.name.removesuffix(".json")] = data
        except (ValueError, KeyError, TypeError) as error:
            raise DataMissing(f"the chart {path.name} cannot be read ({error})", f"schema {SCHEMA}") from error

    def order(name: str) -> tuple[int, str]:
        family = found[name].get("family")
        return (_ORDER.index(family) if family in _ORDER else len(_ORDER), name)

    return {name: found[name] for name in sorted(found, key=order)}


@lru_cache(maxsize=1)
def charts() -> Mapping[str, Chart]:
    """Every chart of a size against age, by id."""
    return {name: _chart(name, data) for name, data in files().items() if data["kind"] in SIZES}


def chart(name: str) -> Chart:
    """The chart of that id, for example ``who-2017-v3-hc``.

    Raises:
        BadValue: there is none.
    """
    known = charts().get(name.strip().lower())
    if known is None:
        raise unknown(name)
    return known


def families() -> tuple[str, ...]:
    """Names that stand for several files: ``who``, ``intergrowth``, ``hadlock``, ``robinson``."""
    return tuple(dict.fromkeys(str(data["family"]) for data in files().values()))


def check_name(name: str | None) -> str | None:
    """The name of a file or a family in lower case; None stays None.

    Raises:
        BadValue: there is none.
    """
    if name is None:
        return None
    word = name.strip().lower()
    if word not in files() and word not in families():
        raise unknown(name)
    return word


def unknown(name: str) -> BadValue:
    """The error for a chart that is not there, with what is near."""
    known = [*families(), *files()]
    near = get_close_matches(name.strip().lower(), known, n=1, cutoff=0.5)
    return BadValue(
        f"unknown chart {name.strip()[:60]!r}",
        f"{', '.join(families())}, or a chart of 'fetalclip growth --charts'",
        f"--chart {near[0] if near else 'who'}",
    )


def choose(measure: str, name: str | None = None, sex: str | None = None) -> list[Chart]:
    """The charts that have a measure.

    Args:
        measure: for example ``HC``.
        name: a chart's id or a family; None takes every chart.
        sex: ``f`` or ``m`` adds the charts of that sex; None leaves charts of one sex out, unless named.

    Raises:
        BadValue: no chart and no family of that name.
    """
    word = check_name(name)
    return [
        one
        for one in charts().values()
        if one.measure == measure and (one.id == word or (word in (None, one.family) and one.sex in (None, sex)))
    ]


def _chart(name: str, data: Mapping[str, Any]) -> Chart:
    first, last = (float(week) * 7.0 for week in data["weeks"])
    return Chart(
        id=name,
        name=data["name"],
        reference=data["reference"],
        family=data["family"],
        measure=data["measure"],
        unit=data["unit"],
        definition=data["definition"],
        first_day=float(round(first)),
        last_day=float(round(last)),
        day=DAYS[data["time_unit"]],
        curve=_curve(data),
        citation=data["citation"],
        sex=data.get("sex"),
        note=data.get("note", ""),
    )


def _curve(data: Mapping[str, Any]) -> Curve:
    if data["kind"] == "quantiles":
        return Quantiles.read(data["quantiles"])
    if data["kind"] == "lms":
        return Lms(*(Formula.read(data[part]) for part in ("lambda", "mu", "sigma")))
    sd = Formula.read(data["sd"]) if "sd" in data else float(data["sd_of_mean"])
    return Normal(Formula.read(data["mean"]), sd)
