"""Age templates: ours are whole, the published shape loads, a hostile or incomplete one is told by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetalclip.clinical.age_prompts import DAYS, AgeTemplates, age_template_sets, load_age_templates
from fetalclip.clinical.prompts import prompt_sets
from fetalclip.errors import BadValue, UsageError

GOOD = "{weeks} weeks, {day} days, {pixel_spacing} mm"
PUBLISHED = "head, pixels of {pixel_spacing:.2f} mm, {weeks} weeks and {day} days"


def saved(folder, content, name="mine.json"):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_the_days_are_the_published_ones():
    assert len(DAYS) == 175
    assert (DAYS[0], DAYS[-1]) == (14 * 7, 38 * 7 + 6)


def test_ours_are_five_and_end_with_the_spacing():
    ours = load_age_templates()
    assert (ours.name, len(ours.templates), len(set(ours.templates))) == ("age-5", 5, 5)
    assert all(t.endswith("{pixel_spacing} mm per pixel") for t in ours.templates)
    assert ours.name in age_template_sets()
    assert not set(age_template_sets()) & set(prompt_sets())  # neither is offered as the other
    made = ours.fill(143, 0.5249)
    assert made[0] == ("an ultrasound image of the fetal head at 20 weeks and 3 days of gestation, 0.52 mm per pixel")
    assert all("0.52 mm per pixel" in text and "20" in text for text in made)


@pytest.mark.parametrize(
    "content",
    [
        [GOOD, PUBLISHED],
        {"templates": [GOOD, PUBLISHED]},
        {"about": "heads", "head": [GOOD, PUBLISHED]},
        {"days": [98, 272], "templates": [GOOD, PUBLISHED]},
    ],
)
def test_every_json_shape_loads(tmp_path, content):
    found = load_age_templates(saved(tmp_path, content))
    assert found == AgeTemplates("mine.json", (GOOD, PUBLISHED))
    assert found.fill(98, 1.0) == ["14 weeks, 0 days, 1.00 mm", "head, pixels of 1.00 mm, 14 weeks and 0 days"]


def test_a_text_file_has_one_template_a_line(tmp_path):
    path = saved(tmp_path, f"\ufeff{GOOD}\r\n\n  {PUBLISHED}\n", "mine.txt")
    assert load_age_templates(path).templates == (GOOD, PUBLISHED)
    assert load_age_templates(str(saved(tmp_path, [GOOD], "list.txt"))).templates == (GOOD,)


@given(days=st.integers(0, 400), spacing=st.floats(0.005, 5, exclude_min=True))
def test_the_numbers_are_those_of_format(days, spacing):
    said = {"weeks": days // 7, "day": days % 7, "pixel_spacing": f"{spacing:.2f}"}
    texts = AgeTemplates("x", (GOOD, "{{" + GOOD + "}}")).fill(np.int64(days), spacing)
    assert texts == [GOOD.format(**said), "{" + GOOD.format(**said) + "}"]


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{weeks} weeks, {pixel_spacing}", "no {day}"),
        ("no numbers", "no {weeks}"),
        (GOOD + " {weeks.__class__}", "{weeks.__class__}"),
        (GOOD + " {weeks[0]}", "{weeks[0]}"),
        (GOOD + " {machine}", "{machine}"),
        (GOOD + " {}", "unknown placeholder {}"),
        (GOOD + " {0}", "{0}"),
        (GOOD + " {", "cannot be read"),
        (GOOD + " {weeks!r}", "{weeks!r}"),
        (GOOD + " {weeks:>999999999}", "{weeks:>999999999}"),
        (GOOD + " {pixel_spacing:.3f}", "{pixel_spacing:.3f}"),
        (GOOD + "x" * 3000, "no sentence"),
        (" ", "no sentence"),
        (GOOD + "\ud800", "no sentence"),
    ],
)
def test_a_wrong_template_is_told_by_number_and_set(template, told):
    with pytest.raises(UsageError) as error:
        AgeTemplates("mine", (GOOD, template))
    assert "template 2 of 'mine'" in str(error.value)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{not json", "is not JSON"),
        ([], "holds no list|hold 0 sentences"),
        ({}, "0 lists"),
        ({"a": [GOOD], "b": [GOOD]}, "2 lists"),
        ([GOOD, 3], "holds no list"),
        ("3", "holds no list"),
        ("[" * 100_000, "is not JSON"),
        ([GOOD] * 101, "101 sentences"),
    ],
)
def test_a_file_of_another_shape_is_told(tmp_path, content, told):
    with pytest.raises(UsageError, match=told) as error:
        load_age_templates(saved(tmp_path, content))
    assert "mine.json" in str(error.value)


def test_no_file_no_text_too_large(tmp_path):
    with pytest.raises(UsageError, match="age-5"):
        load_age_templates(tmp_path / "none.json")
    with pytest.raises(UsageError, match="hold 0 sentences"):
        load_age_templates(saved(tmp_path, "\n", "empty.txt"))
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"\xff\xfe\x00{weeks}")
    with pytest.raises(UsageError, match="cannot be read"):
        load_age_templates(bad)
    with pytest.raises(UsageError, match="bytes"):
        load_age_templates(saved(tmp_path, " " * 5_000_001, "large.txt"))


@pytest.mark.parametrize("spacing", [0.0, -0.1, 0.004, float("nan"), float("inf")])
def test_a_spacing_that_is_none_is_told(spacing):
    with pytest.raises(BadValue, match="pixel spacing"):
        load_age_templates().fill(140, spacing)


def test_an_age_is_whole_and_not_negative():
    with pytest.raises(BadValue, match="-1 days"):
        load_age_templates().fill(-1, 0.5)
    with pytest.raises(TypeError):
        load_age_templates().fill(140.5, 0.5)
