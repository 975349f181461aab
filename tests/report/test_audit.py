"""The audit's page: everything the JSON says, escaped, self-contained, pictures where they are given."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
import pytest

from fetalclip.frame import Frame
from fetalclip.report.audit import audit_page, wanted
from fetalclip.report.draw import thumbnail

EVIL = "<script>alert('x')</script>"
WHEN = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def row(number, split="train", **more):
    return {"dataset": "scans", "row": number, "split": split, "group": f"tag{number}", "plane": "brain", **more}


def told(**change):
    """An audit as JSON."""
    pair = {"first": row(3), "second": row(4, "val"), "distance": 5, "likeness": 0.981, "mirrored": False}
    rule = {"dataset": "scans", "fact": "name, part 4", "target": "plane", "accuracy": 0.97, "constant": 0.3}
    rule |= {"low": 0.6, "high": 0.7, "pictures": 100, "flagged": True}
    suspect = {**row(7), "given": "brain", "suggested": "femur"}
    suspect |= {"given_probability": 0.02, "suggested_probability": 0.91}
    counts = {"train": 7, "val": 1}
    base = {
        "schema": "fetalclip.audit/1",
        "rows": 8,
        "read": 7,
        "leaking": True,
        "leaks": [{"kind": "exact", "sides": ["test", "train"], "test": True, "rows": [row(1), row(2, "test")]}],
        "groups": {
            "across_datasets": [{"group": "abc", "datasets": {"scans": 2, "more": 1}}],
            "two_names": [{"groups": ["a", "b"], "kind": "near", "rows": [row(3), row(4)]}],
        },
        "duplicates": {
            "exact": [{"rows": [row(1), row(2, "test")], "labels_differ": True}],
            "near": [pair],
            "embedding": [{"first": row(5), "second": row(6), "cosine": 0.9991}],
            "blank": [row(8)],
        },
        "labels": {"method": "a method", "checked": 50, "classes": ["brain", "femur"], "suspects": [suspect]},
        "overlay": {
            "pictures": 7,
            "with_marks": 5,
            "covered": {"median": 0.01, "p95": 0.03, "most": 0.05},
            "kinds": [{"kind": "text", "place": "upper right", "pictures": 5}],
        },
        "shortcuts": [rule, {**rule, "fact": "file size", "low": None, "high": None, "flagged": False}],
        "unreadable": [{**row(8), "error": "the file is empty"}],
        "refused": [{"row": 9, "kind": "bad age"}],
        "balance": [
            {
                "dataset": "scans",
                "pictures": 8,
                "groups": 5,
                "splits": counts,
                "groups_by_split": counts,
                "planes": {"brain": counts},
                "subplanes": {"unknown": counts},
                "ages": {"unknown": counts},
                "machines": {"unknown": counts},
            }
        ],
        "warnings": ["something was left out"],
        "provenance": {"version": "0", "model": "a-model"},
    }
    return {**base, **change}


def page(audit, pictures=None):
    return "".join(audit_page(audit, pictures or {}, WHEN))


def test_everything_is_on_the_page():
    text = page(told())
    for words in (
        "1 leak touches the test side.",
        "The same pixels on two sides",
        "One picture, two groups",
        "labelled differently",
        "5 of 143 bits differ",
        "cosine 0.9991",
        "Labelled brain, looks like femur",
        "name, part 4",
        "+60.0 to +70.0",
        "5 of 7 pictures (71.4 %) carry burned-in marks",
        "the file is empty",
        "left out: bad age",
        "something was left out",
        "Balance: scans",
        "a-model",
        "2026",
    ):
        assert words in text, words
    assert "file size" not in text  # a fact that gains nothing


def test_the_page_needs_nothing_else():
    text = page(told())
    assert "default-src 'none'" in text
    assert not re.search(r"(?:src|href)\s*=\s*['\"](?!data:)", text)
    assert "<script" not in text


def test_what_comes_from_outside_is_escaped():
    bad = row(1, name=EVIL, plane=EVIL, dataset=EVIL)
    leak = {"kind": EVIL, "sides": [EVIL], "test": True, "rows": [bad]}
    unread = [{**bad, "error": EVIL}]
    text = page(told(leaks=[leak], unreadable=unread, warnings=[EVIL], refused=[{"row": 1, "kind": EVIL}]))
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_pictures_are_shown_where_they_are_given():
    small = thumbnail(Frame(np.full((40, 60), 99, np.uint8)))
    asked = wanted(told())
    assert asked == [("scans", n) for n in (1, 2, 3, 4, 5, 6, 7, 8)]
    assert page(told()).count("<img") == 0
    text = page(told(), dict.fromkeys(asked, small))
    assert text.count("data:image/jpeg;base64,") == text.count("<img") == text.count("<figure>")
    assert "no picture" not in text


def test_a_clean_audit_says_so():
    empty = {"exact": [], "near": [], "embedding": None, "blank": []}
    clean = told(
        leaks=[],
        leaking=False,
        groups={"across_datasets": [], "two_names": []},
        duplicates=empty,
        labels=None,
        shortcuts=[],
        unreadable=[],
        refused=[],
        warnings=[],
    )
    text = page(clean)
    assert "No leak touches the test side." in text
    assert "this needs embeddings" in text
    assert "Could not be used" not in text
    assert "Alike to the model" not in text


@pytest.mark.parametrize("count", [61, 200])
def test_long_sections_are_cut_and_say_so(count):
    suspects = [{**told()["labels"]["suspects"][0], "row": n} for n in range(count)]
    labels = {**told()["labels"], "suspects": suspects}
    text = page(told(labels=labels))
    assert text.count("Labelled brain") == 60
    assert f"The first 60 of {count}" in text
    assert len([key for key in wanted(told(labels=labels)) if key[1] > 8]) <= 60
