"""A class is reached when nothing that it asks for is missing or closed, and never otherwise."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from fetalclip.bench.openness import Found, assess, is_open, newest, spdx

FRAMEWORK = newest()
REQUIRED = {
    level: [c.id for c in FRAMEWORK.components if c.required and c.level == level] for level in ("III", "II", "I")
}
FITTING = {"code": "Apache-2.0", "data": "CC-BY-4.0", "document": "CC-BY-4.0"}


def everything() -> dict[str, Found]:
    return {c.id: Found(True, ("there",), (FITTING[c.open_as[0]],)) for c in FRAMEWORK.components}


def test_the_framework_is_the_published_one() -> None:
    assert [len(REQUIRED[level]) for level in ("III", "II", "I")] == [6, 4, 4]
    assert len(FRAMEWORK.components) == 17
    assert {c.id for c in FRAMEWORK.components if not c.required} == {
        "sample-outputs",
        "supporting-libraries",
        "metadata",
    }
    assert {kind for c in FRAMEWORK.components for kind in c.open_as} == {"code", "data", "document"}


def test_everything_there_and_open_is_open_science() -> None:
    found = assess(everything())
    assert found.reached == "I"
    assert list(found.gaps()) == []
    assert "Class I (Open Science) reached" in found.verdict
    assert found.to_dict()["missing"] == {"III": [], "II": [], "I": []}


@pytest.mark.parametrize("name", [c.id for c in FRAMEWORK.components if c.required and not c.instead])
@pytest.mark.parametrize(
    "instead", [Found(False), None, Found(True, ("there",), ("CC-BY-NC-4.0",)), Found(True, ("x",))]
)
def test_no_class_is_claimed_without_one_of_its_components(name: str, instead: Found | None) -> None:
    found = everything()
    if instead is None:
        del found[name]
    else:
        found[name] = instead
    level = next(c.level for c in FRAMEWORK.components if c.id == name)
    below = {"III": "", "II": "III", "I": "II"}[level]
    unlicensed = name == "datasets" and instead == Found(True, ("x",))  # the one that may come without a licence
    assert assess(found).reached == ("I" if unlicensed else below)


def test_a_report_is_missed_in_every_class_unless_there_is_a_paper() -> None:
    found = everything()
    found["technical-report"] = Found(False)
    assert assess(found).reached == "I"
    found["research-paper"] = Found(False)
    assert assess(found).reached == ""
    assert [lacks for _, lacks in assess(found).gaps()] == [
        ["technical report: missing"],
        ["what Class III lacks"],
        ["what Class II lacks", "research paper: missing"],
    ]
    assert "no class reached" in assess(found).verdict


def test_what_is_only_welcome_is_never_missed() -> None:
    found = {name: here for name, here in everything().items() if name in {i for ids in REQUIRED.values() for i in ids}}
    assert assess(found).reached == "I"


@pytest.mark.parametrize(
    ("license_", "code", "data", "document"),
    [
        ("Apache-2.0", True, False, False),
        ("mit", True, False, False),
        ("CC-BY-4.0", False, True, True),
        ("cc0-1.0", False, True, True),
        ("CDLA-Permissive-2.0", False, True, False),
        ("CC-BY-NC-4.0", False, False, False),
        ("CC-BY-NC-SA-4.0", False, False, False),
        ("CC-BY-ND-4.0", False, False, False),
        ("unknown", False, False, False),
        ("", False, False, False),
    ],
)
def test_licences_open_by_kind(license_: str, code: bool, data: bool, document: bool) -> None:
    assert [is_open(license_, (kind,)) for kind in ("code", "data", "document")] == [code, data, document]


def test_names_of_licences_are_those_of_spdx() -> None:
    assert spdx("cc-by-4.0") == "CC-BY-4.0"
    assert spdx("my own") == ""
    table = json.loads((files("fetalclip") / "assets" / "openness" / "licenses.json").read_text("utf-8"))["licenses"]
    assert all(entry["open_as"] or entry["why"] for entry in table.values())
    assert not any(entry["open_as"] for name, entry in table.items() if "-NC" in name or "-ND" in name)


def test_the_reason_is_told() -> None:
    found = everything()
    found["final-parameters"] = Found(True, ("w",), ("CC-BY-NC-4.0",))
    found["evaluation-data"] = Found(True, ("d",), ("MIT", "my own"))
    found["model-card"] = Found(True, ("r",))
    said = dict(assess(found).gaps())
    assert said["Class III (Open Model)"] == [
        "final parameters: not open under CC-BY-NC-4.0 (not for commercial use)",
        "model card: no licence",
    ]
    last = said["Class II (Open Tooling)"][-1]
    assert last == "evaluation data: not open under MIT (open for code only), my own (not in the table of licences)"


def test_the_page_breaks_on_no_name() -> None:
    found = everything()
    found["datasets"] = Found(False, note="a | b\n# c")
    page = assess(found, ("a remark",)).to_markdown("mine")
    assert page.startswith("# Openness of mine\n")
    assert "a remark" in page
    assert "a \\| b # c" in page
    assert "Class I (Open Science) lacks:\n\n- datasets: missing" in page
