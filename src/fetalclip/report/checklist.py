"""A reporting checklist filled from a benchmark's JSON: what the run knows is said, the rest named as not covered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

Told = Mapping[str, Any]
"""A benchmark's JSON, schema ``fetalclip.bench/1``, or a piece of it."""

NOT_COVERED = "Not covered by this run"
_HEADLINE = {
    "macro_f1": "macro F1",
    "accuracy": "accuracy",
    "valid_prediction_rate": "valid prediction rate",
    "mae": "mean absolute error (days)",
    "bias": "bias (days)",
    "hc_measured": "share that got a head circumference",
    "hc_mae": "mean absolute difference of head circumference (mm)",
    "hc_bias": "mean difference of head circumference (mm)",
}
_INTERVALS = ("interval_coverage", "interval_width", "hc_interval_coverage", "hc_interval_width")
_CALIBRATION = ("brier", "ece", "ece_adaptive", "ece_corrected", *_INTERVALS)


@dataclass(frozen=True)
class Item:
    """One line of the checklist; ``answer`` is empty where the run does not cover it."""

    part: str
    reference: str
    ask: str
    answer: str


@dataclass(frozen=True)
class Checklist:
    """Title, what it is, the guidelines it follows, and its items."""

    title: str
    note: str
    guidelines: tuple[str, ...]
    items: tuple[Item, ...]

    @property
    def answered(self) -> int:
        """Items the run covers."""
        return sum(bool(item.answer) for item in self.items)


def checklist(told: Told, title: str) -> Checklist:
    """The checklist of ``assets/checklists/evaluation.json``, filled.

    An answer stands only where the run knows every fact in it.

    Args:
        told: a benchmark's JSON.
        title: of its protocol.
    """
    data = json.loads(files("fetalclip").joinpath("assets", "checklists", "evaluation.json").read_text("utf-8"))
    known = {name: value for name, value in facts(told, title).items() if value}
    items = [
        Item(item["part"], item["reference"], item["ask"], _filled(item["answer"], known)) for item in data["items"]
    ]
    return Checklist(data["title"], data["note"], tuple(data["guidelines"]), tuple(items))


def facts(told: Told, title: str) -> dict[str, str]:
    """What a run says of itself, in words; an empty text where it says nothing."""
    made, metrics = told["provenance"], told["metrics"]
    first: Told = next(iter(metrics.values()), {"groups": "", "group_unit": ""})
    sources = made.get("data") or []
    notes = [note.rstrip(".") for note in told["notes"]]
    left_out = [note for note in notes if "left out" in note]
    return {
        "who": str(made.get("model") or "saved answers"),
        "title": title,
        "protocol": told["protocol"],
        "version": str(made.get("version") or ""),
        "data": "; ".join(f"{source['citation'].rstrip('.')} ({source['license']})" for source in sources),
        "data_names": ", ".join(source["name"] for source in sources),
        "split": str(made.get("split") or ""),
        "n": str(told["n"]),
        "groups": str(first["groups"]),
        "unit": str(first["group_unit"]),
        "resamples": str(made.get("resamples") or ""),
        "seed": str(made.get("seed", "")),
        "interval": str(made.get("interval") or ""),
        "missing": "; ".join([*_answered(metrics), *left_out]),
        "sample": f"a quick look at {made['limit']} at most" if made.get("limit") else "all that there were",
        "flow": f"{'; '.join(left_out)}." if left_out else "No note tells of any left out.",
        "limits": "".join(f"{note}. " for note in notes).strip(),
        "measures": ", ".join(words for name, words in _HEADLINE.items() if name in metrics),
        "performance": "; ".join(said(metrics[name], words) for name, words in _HEADLINE.items() if name in metrics),
        "calibration": "; ".join(said(metrics[name]) for name in _CALIBRATION if name in metrics),
        **_of_pictures(told),
        **_of_model(made, metrics),
        **_of_parts(told),
    }


def said(metric: Told, words: str = "") -> str:
    """A metric in words: ``macro F1 0.981 (0.970 to 0.992)``; under its own title unless other words are given."""
    digits = 2 if metric.get("measured_in") else 3
    if metric["value"] is None:
        return f"{words or metric['title']} not defined"
    told = f"{words or metric['title']} {metric['value']:.{digits}f}"
    return told if metric["low"] is None else f"{told} ({metric['low']:.{digits}f} to {metric['high']:.{digits}f})"


def _filled(answer: str | None, known: Mapping[str, str]) -> str:
    if answer is None:
        return ""
    try:
        return answer.format_map(known).strip()
    except KeyError:
        return ""


def _answered(metrics: Told) -> list[str]:
    if "answered" not in metrics:
        return []
    return [f"{said(metrics['answered'])}; a picture without an answer counts as a wrong one"]


def _of_pictures(told: Told) -> dict[str, str]:
    made, confusion = told["provenance"], told["confusion"]
    found = {"eligibility": "", "truth": "", "balance": "", "failures": "", "preparation": ""}
    if made.get("heads_mm"):
        low, high = made["heads_mm"]
        found["eligibility"] = f"Heads with a measured circumference of {low:g} to {high:g} mm"
    if made.get("reference"):
        found["truth"] = f"The day whose median is the measured head circumference, by {made['reference']}"
    if confusion:
        found["eligibility"] = f"Pictures labelled {', '.join(confusion['truth'])}"
        found["truth"] = "The label that the data set, or the file of answers, gives"
        totals = [sum(row) for row in confusion["counts"]]
        found["balance"] = ", ".join(f"{name} {n}" for name, n in zip(confusion["truth"], totals, strict=True))
        found["failures"] = _worst(confusion)
    if "macro_f1_only" in told["metrics"]:
        found["preparation"] = (
            "Burned-in text, rulers and markers masked (the headline), left as they are, and alone; each has its row"
        )
    return found


def _worst(confusion: Told) -> str:
    """The commonest wrong answers."""
    wrong = [
        (count, truth, answer)
        for truth, row in zip(confusion["truth"], confusion["counts"], strict=True)
        for answer, count in zip(confusion["answers"], row, strict=True)
        if count and truth != answer
    ]
    if not wrong:
        return "No wrong answer in this run"
    words = [f"{truth} called {answer} ({count})" for count, truth, answer in sorted(wrong, reverse=True)[:3]]
    return f"Commonest wrong answers: {', '.join(words)}"


def _of_model(made: Told, metrics: Told) -> dict[str, str]:
    parts = [str(made.get("model") or "")]
    parts += [f"{word} {made[key]}" for key, word in _EXACT.items() if made.get(key)]
    output = ""
    if "valid_prediction_rate" in metrics:
        output = "A gestational age in days" + (", with a 90 % interval" if "interval_coverage" in metrics else "")
    elif "hc_measured" in metrics:
        output = "Measures in mm" + (", with a 90 % interval" if "hc_interval_coverage" in metrics else "")
    elif "ece" in metrics:
        output = "A probability for every candidate"
        output += f"; {said(metrics['abstained'])}" if "abstained" in metrics else ""
    kinds = {"near": "of pictures without anatomy", "far": "of pictures that are no ultrasound"}
    poor = [said(metrics[name], words) for name, words in kinds.items() if name in metrics]
    specified = any(made.get(key) for key in _EXACT)
    return {
        "specification": ", ".join(part for part in parts if part) if specified else "",
        "output": output,
        "poor_input": f"Abstained: {'; '.join(poor)}" if poor else "",
    }


_EXACT = {
    "model_sha256": "weights sha256",
    "license": "licence",
    "engine": "engine",
    "predictions_sha256": "answers sha256",
    "scores_sha256": "scores sha256",
}


def _of_parts(told: Told) -> dict[str, str]:
    names: dict[str, list[str]] = {}
    for part in told["subgroups"]:
        names.setdefault(part["by"], []).append(f"{part['name']} ({_size(part)})")
    null = [f"{name} ({', '.join(_numbers(values))})" for name, values in told["null"].items()]
    against = ["without looking: " + "; ".join(null)] if null else []
    rival = told["provenance"].get("versus")
    against += [f"{rival['name']}, paired by patient"] if rival else []
    against += ["the supervised baseline"] if told["provenance"].get("supervised") else []
    return {
        "characteristics": "; ".join(f"by {by}: {', '.join(parts)}" for by, parts in names.items()),
        "subgroups": f"By {' and '.join(names)}" if names else "",
        "comparison": "; ".join(against),
    }


def _size(part: Told) -> str:
    return str(next(iter(part["metrics"].values()))["n"])


def _numbers(values: Told) -> Sequence[str]:
    return [f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}" for key, value in values.items()]
