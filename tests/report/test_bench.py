"""The benchmark's page: whole, closed, escaped, and saying what its JSON says."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from fetalclip.report.bench import bench_page, calibration_facts, difference_facts
from fetalclip.report.checklist import NOT_COVERED, checklist, said

WHEN = datetime(2026, 5, 31, 12, tzinfo=UTC)
VOID = {"meta", "img", "br"}


def metric(title: str, value: float | None, **more: Any) -> dict[str, Any]:
    ends = (None, None) if value is None else (value - 0.05, min(value + 0.05, 1.0))
    base = {"section": "Saved answers", "title": title, "value": value, "low": ends[0], "high": ends[1], "n": 40}
    base |= {
        "groups": 20,
        "group_unit": "patients",
        "measured_in": None,
        "target": None,
        "direction": None,
        "met": None,
    }
    return base | more


def planes(**more: Any) -> dict[str, Any]:
    bins = [{"low": 0.8, "high": 0.87, "confidence": 0.85, "accuracy": 0.9, "n": 40}]
    bins[0] |= {"accuracy_low": 0.8, "accuracy_high": 0.95}
    return {
        "protocol": "planes",
        "n": 40,
        "metrics": {
            "macro_f1": metric("4 candidates", 0.9, target=0.98, direction="at least", met=False),
            "accuracy": metric("accuracy", 0.95),
            "ece": metric("calibration error (15 bins)", 0.06),
            "ece_corrected": metric("calibration error, bias-corrected", 0.04),
            "aurc": metric("area under risk and coverage", 0.02),
            "f1_femur": metric("F1 femur", None),
        },
        "null": {"constant answer": {"label": "brain", "macro_f1": 0.13, "accuracy": 0.4}},
        "confusion": {
            "truth": ["brain", "femur"],
            "answers": ["brain", "femur", "<kidney>"],
            "counts": [[20, 0, 3], [1, 16, 0]],
        },
        "provenance": {"version": "0.1.0", "model": "m<1>", "model_sha256": "ab" * 32, "seed": 0, "resamples": 1000},
        "notes": ["HC18 rows left out. Nothing there."],
        "reliability": bins,
        "risk_coverage": [
            {"threshold": 0.9, "coverage": 0.5, "risk": 0.0},
            {"threshold": 0.1, "coverage": 1.0, "risk": 0.1},
        ],
        "subgroups": [{"by": "machine", "name": "E6 & co", "metrics": {"accuracy": metric("accuracy", 0.9)}}],
        "differences": None,
    } | more


def ages() -> dict[str, Any]:
    ends = {"bias": 3.0, "low": -10.0, "high": 16.0}
    around = {name: {"value": value, "low": value - 1, "high": value + 1} for name, value in ends.items()}
    days = {"measured_in": "days", "group_unit": "examinations"}
    return planes(
        protocol="ga",
        metrics={
            "valid_prediction_rate": metric("valid predictions", 0.82, group_unit="examinations"),
            "mae": metric("mean absolute error, days", 7.5, target=7.0, direction="at most", met=False, **days),
            "bias": metric("bias, days", 3.0, target=1.5, direction="at most", absolute=True, met=False, **days),
            "interval_coverage": metric("coverage", 0.9, target=0.87, target_high=0.93, direction="between", met=True),
        },
        null={"constant age": {"days": 142.0, "valid_prediction_rate": 0.58, "mae": 21.5, "bias": -12.0}},
        confusion=None,
        reliability=[],
        risk_coverage=[],
        provenance={
            "version": "0.1.0",
            "reference": "WHO 2017 V3 HC",
            "heads_mm": [100.0, 342.0],
            "scores_sha256": "cd" * 32,
        },
        differences={"estimate": [140.0, 150.0], "truth": [138.0, 152.0], "sd": 2.0, "slope": around["bias"], **around},
    )


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.images: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.images += [value or "" for name, value in attrs if tag == "img" and name == "src"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def page(told: dict[str, Any], title: str = "Standard planes") -> tuple[str, Page]:
    text = "".join(bench_page(told, title, WHEN))
    found = Page(text)
    assert found.open == []
    return text, found


def test_a_page_of_planes() -> None:
    text, found = page(planes())
    words = " ".join(found.text)
    for told in (
        "4 candidates",
        "0.900",
        "0.850 to 0.950",
        "at least 0.98",
        "constant answer",
        "E6 & co",
        "<kidney>",
        "m<1>",
    ):
        assert told in words
    assert "1 of 1 goals are not reached" in words
    assert "Not a medical device" in words
    assert [uri.partition(";")[0] for uri in found.images] == ["data:image/png", "data:image/svg+xml"]
    assert "<kidney>" not in text
    for never in ("<script", 'http-equiv="refresh', "src='http", "href="):
        assert never not in text
    assert "default-src 'none'" in text


def test_a_page_of_ages() -> None:
    _, found = page(ages(), "Gestational age")
    words = " ".join(found.text)
    for told in ("7.50", "within ±1.5", "0.87 to 0.93", "21.50 days", "142", "Bland-Altman", "WHO 2017 V3 HC"):
        assert told in words
    assert [uri.partition(";")[0] for uri in found.images] == ["data:image/svg+xml"]


def test_a_bare_result_has_a_page_too() -> None:
    bare = planes(null={}, confusion=None, notes=[], reliability=[], risk_coverage=[], subgroups=[], provenance={})
    text, found = page(bare)
    assert "saved answers" in " ".join(found.text)
    for missing in ("Plots", "Confusion matrix", "Subgroups", "Without looking"):
        assert f"<h2>{missing}" not in text


def test_columns_of_other_models_and_a_caution() -> None:
    told = planes(notes=["a quick look at no more than 60 pictures of each set: not a result to report"])
    told["metrics"]["macro_f1"] |= {
        "versus": {"value": 0.8, "low": 0.7, "high": 0.9},
        "supervised": {"value": 0.7, "low": None, "high": None},
    }
    told["provenance"] = {**told["provenance"], "versus": {"name": "other", "model_sha256": "ef"}}
    text, found = page(told)
    words = " ".join(found.text)
    assert all(part in words for part in ("Supervised", "Versus", "Held against", "other"))
    assert text.index("not a result to report") < text.index("<h2>Results")


def test_the_checklist_says_what_the_run_knows_and_names_the_rest() -> None:
    filled = checklist(planes(), "Standard planes")
    by_ask = {item.ask: item.answer for item in filled.items}
    assert by_ask["How even the classes are"].startswith("brain 23, femur 17.")
    assert by_ask["Where it fails"] == "Commonest wrong answers: brain called <kidney> (3), femur called brain (1)."
    assert by_ask["Which model exactly"] == f"m<1>, weights sha256 {'ab' * 32}."
    assert by_ask["Ethical approval and consent"] == ""
    assert by_ask["Where the data come from"] == ""  # a file of answers does not say
    assert 0 < filled.answered < len(filled.items)
    assert f"{filled.answered} of {len(filled.items)} items are covered" in "".join(bench_page(planes(), "t", WHEN))
    assert NOT_COVERED in "".join(bench_page(planes(), "t", WHEN))
    sourced = planes()
    sourced["provenance"]["data"] = [{"name": "set", "license": "CC-BY-4.0", "citation": "Somebody 2020."}]
    answers = {item.ask: item.answer for item in checklist(sourced, "t").items}
    assert answers["Where the data come from"] == "Somebody 2020 (CC-BY-4.0)."


def test_the_checklist_of_ages() -> None:
    answers = {item.ask: item.answer for item in checklist(ages(), "Gestational age").items}
    assert answers["How the truth is defined"].endswith("by WHO 2017 V3 HC.")
    assert "100 to 342 mm" in answers["Which pictures were let in"]
    assert "with a 90 % interval" in answers["What the model puts out"]
    assert answers["How even the classes are"] == ""


@pytest.mark.parametrize("told", [planes(), ages()], ids=["planes", "ga"])
def test_every_item_names_its_guideline(told: dict[str, Any]) -> None:
    for item in checklist(told, "t").items:
        assert item.reference.startswith(("TRIPOD+AI", "CLAIM"))
        assert item.part
        assert item.ask
        assert "{" not in item.answer


def test_lines_of_facts() -> None:
    assert calibration_facts(planes()) == "40 pictures, calibration error 0.060 in 15 bins, 0.040 bias-corrected"
    assert difference_facts(ages()) == "2 heads, bias +3.0 days, 95 % limits of agreement -10.0 to +16.0 days"
    assert said(metric("x", None)) == "x not defined"
