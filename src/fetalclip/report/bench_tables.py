"""Tables of the benchmark's page: the metrics, their parts, the confusion matrix, the checklist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from fetalclip.report.checklist import NOT_COVERED, Checklist, Told
from fetalclip.report.text import safe


def scores(metrics: Told) -> str:
    """Every metric with its interval, goal and verdict, under the headings of its sections."""
    rows = list(metrics.values())
    others = [key for key in ("supervised", "versus") if any(key in row for row in rows)]
    heads = ["", "Pictures", "Groups", "Value", "95 % interval", "", *(key.capitalize() for key in others)]
    columns = "".join(f"<th scope='col'{_right(i, 6)}>{safe(head)}</th>" for i, head in enumerate(heads))
    columns += "<th scope='col'>Goal</th><th scope='col'>Met</th>"
    body = []
    for section, members in groupby(rows, key=lambda row: row["section"]):
        body.append(f"<tr class='section'><th colspan='{8 + len(others)}' scope='rowgroup'>{safe(section)}</th></tr>\n")
        body += [_score(row, others) for row in members]
    return _table("list scores", columns, body)


def parts(subgroups: Sequence[Told]) -> Iterator[str]:
    """One table for each kind of subgroup."""
    for by, members in groupby(subgroups, key=lambda part: part["by"]):
        rows = list(members)
        heads = [str(metric["title"]) for metric in rows[0]["metrics"].values()]
        columns = "<th scope='col'></th><th scope='col' class='number'>Pictures</th>"
        columns += "<th scope='col' class='number'>Groups</th>"
        columns += "".join(f"<th scope='col' class='number'>{safe(head)}</th>" for head in heads)
        body = []
        for part in rows:
            first = next(iter(part["metrics"].values()))
            cells = [number(first["n"]), number(first["groups"])]
            cells += [f"{value(metric)} <small>{interval(metric)}</small>" for metric in part["metrics"].values()]
            body.append(_row(part["name"], "".join(f"<td class='number'>{cell}</td>" for cell in cells)))
        yield f"<h3 class='sub'>By {safe(by)}</h3>\n{_table('list scores', columns, body)}"


def matrix(confusion: Told) -> str:
    """Counts of answers, truth in rows; the wash shows the share of the row."""
    columns = "<th></th>" + "".join(f"<th scope='col'>{safe(name)}</th>" for name in confusion["answers"])
    body = []
    for truth, counts in zip(confusion["truth"], confusion["counts"], strict=True):
        total = max(sum(counts), 1)
        cells = ""
        for answer, count in zip(confusion["answers"], counts, strict=True):
            wash = f"rgba({'11,102,116' if answer == truth else '214,120,20'},{0.75 * count / total:.3f})"
            ink = ";color:#fff" if answer == truth and count / total > 0.6 else ""
            kind = " class='right'" if answer == truth else ""
            cells += f"<td{kind} style='background:{wash}{ink}'>{count}</td>"
        body.append(_row(truth, cells))
    return _table("matrix", columns, body)


def null(rows: Told) -> str:
    """What answers without looking get."""
    names = list(dict.fromkeys(key for values in rows.values() for key in values))
    columns = "<th></th>" + "".join(f"<th scope='col' class='number'>{safe(_words(name))}</th>" for name in names)
    body = []
    for name, values in rows.items():
        cells = [_plain(values.get(key), key) for key in names]
        body.append(_row(name, "".join(f"<td class='number'>{safe(cell)}</td>" for cell in cells)))
    return _table("list scores", columns, body)


def items(filled: Checklist) -> str:
    """The checklist, one item a line."""
    columns = "".join(f"<th scope='col'>{head}</th>" for head in ("Part", "Guideline", "Item", "This run"))
    body = []
    for item in filled.items:
        kind = "" if item.answer else " class='none'"
        cells = (item.part, item.reference, item.ask, item.answer or NOT_COVERED)
        body.append(f"<tr{kind}>" + "".join(f"<td>{safe(cell)}</td>" for cell in cells) + "</tr>\n")
    return _table("list checklist", columns, body)


def value(metric: Told) -> str:
    """The value of a metric; a dash where it is not defined."""
    return "–" if metric["value"] is None else f"{metric['value']:.{_digits(metric)}f}"


def interval(metric: Told) -> str:
    """Its interval, or nothing."""
    digits = _digits(metric)
    return "" if metric["low"] is None else f"{metric['low']:.{digits}f} to {metric['high']:.{digits}f}"


def number(count: int) -> str:
    """A count."""
    return f"{count:,}"


def _score(metric: Told, others: Sequence[str]) -> str:
    cells = [number(metric["n"]), number(metric["groups"])]
    body = "".join(f"<td class='number'>{cell}</td>" for cell in cells)
    body += f"<td class='number value'>{value(metric)}</td><td class='number'>{interval(metric)}</td>"
    body += f"<td>{_reach(metric)}</td>"
    for key in others:
        told = "" if key not in metric else value({**metric, **metric[key]})
        body += f"<td class='number'>{told}</td>"
    verdict = {True: ("yes", "yes"), False: ("no", "no"), None: ("", "")}[metric["met"]]
    body += f"<td>{safe(goal(metric))}</td><td class='{verdict[0]}'>{verdict[1]}</td>"
    return _row(metric["title"], body)


def goal(metric: Told) -> str:
    """A metric's goal in words; empty without one."""
    if metric["target"] is None:
        return ""
    if "target_high" in metric:
        return f"{metric['target']:g} to {metric['target_high']:g}"
    if metric.get("absolute"):
        return f"within ±{metric['target']:g}"
    return f"{metric['direction']} {metric['target']:g}"


def _reach(metric: Told) -> str:
    """Value and interval as a mark on a line from 0 to 1; nothing for days and differences."""
    found = metric["value"]
    if metric.get("measured_in") or found is None or not 0 <= found <= 1 or (metric["low"] or 0) < 0:
        return ""
    low, high = (found if metric[end] is None else min(metric[end], 1.0) for end in ("low", "high"))
    bar = f"<i style='left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%'></i>"
    return f"<span class='reach' aria-hidden='true'>{bar}<b style='left:{100 * found:.1f}%'></b></span>"


def _digits(metric: Told) -> int:
    return 2 if metric.get("measured_in") else 3


def _plain(told: Any, key: str) -> str:
    if told is None:
        return ""
    if not isinstance(told, float):
        return str(told)
    return f"{told:.2f} days" if key in ("mae", "bias") else f"{told:.0f}" if key == "days" else f"{told:.3f}"


def _words(name: str) -> str:
    known = {"mae": "mean absolute error", "macro_f1": "macro F1", "hc_mm": "HC, mm"}
    known |= {"mae_mm": "mean absolute difference, mm", "bias_mm": "mean difference, mm"}
    return known.get(name, name.replace("_", " "))


def _right(column: int, last: int) -> str:
    return " class='number'" if 0 < column <= last else ""


def _row(name: object, cells: str) -> str:
    return f"<tr><th scope='row'>{safe(name)}</th>{cells}</tr>\n"


def _table(kind: str, columns: str, body: Sequence[str]) -> str:
    return (
        f"<div class='scroll'><table class='{kind}'><thead><tr>{columns}</tr></thead>"
        f"<tbody>\n{''.join(body)}</tbody></table></div>\n"
    )
