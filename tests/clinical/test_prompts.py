"""Prompt sets: ours are whole, the published shape loads, anything else is told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetalclip.clinical import wording
from fetalclip.clinical.prompts import check_prompts, load_prompts, parse_prompts, prompt_sets, reject_prompts
from fetalclip.clinical.sampling import texts
from fetalclip.clinical.vocabulary import KNOWN, PLANES, REJECTS, SUBPLANES
from fetalclip.errors import UsageError

NINE = {"abdomen", "brain", "femur", "thorax", "kidney", "lips_nose", "profile_patient", "spine", "cervix"}
PUBLISHED = {"abdomen": ["a"], "brain": ["b", "b2"], "heart": ["c"], "lips_nose": ["d"]}


def test_ours_are_there_and_whole():
    assert {"planes-4", "planes-9"} <= set(prompt_sets())
    assert set(load_prompts("planes-9")) == NINE == set(PLANES)
    assert set(load_prompts("planes-4")) == set(KNOWN)
    assert list(load_prompts("brain-3")) == list(SUBPLANES)
    for name in prompt_sets():
        for label, prompts in load_prompts(name).items():
            assert label in (SUBPLANES if name == "brain-3" else PLANES)
            assert len(prompts) == len(set(prompts)) >= 3


def test_four_and_nine_agree_where_they_meet():
    nine = load_prompts("planes-9")
    for label, prompts in load_prompts("planes-4").items():
        assert nine[label] == prompts


def test_the_published_shape_loads_as_it_is(tmp_path):
    path = tmp_path / "published.json"
    path.write_text(json.dumps(PUBLISHED, indent=4), encoding="utf-8")
    found = load_prompts(path)
    assert found == load_prompts(str(path))
    assert list(found) == ["abdomen", "brain", "thorax", "lips_nose"]  # in the file's order, heart is thorax
    assert found["thorax"] == ["c"]
    assert found["brain"] == ["b", "b2"]


def test_a_name_goes_before_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "planes-4").write_text("nonsense")
    assert set(load_prompts("planes-4")) == set(KNOWN)


def test_what_is_given_out_may_be_changed(tmp_path):
    load_prompts("planes-4")["brain"].append("changed")
    assert "changed" not in load_prompts("planes-4")["brain"]


def test_letters_of_other_tongues_and_a_mark_at_the_start(tmp_path):
    path = tmp_path / "p.json"
    text = json.dumps({"a": ["cœur fœtal"], "b": ["胎儿"]}, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    assert load_prompts(path)["b"] == ["胎儿"]
    path.write_text(text, encoding="utf-8-sig")  # as some editors save
    assert load_prompts(path)["a"] == ["cœur fœtal"]


BAD = {
    "empty": "",
    "no JSON": "{'a': ['b']}",
    "a list": '[["a"], ["b"]]',
    "a number": "3",
    "null": "null",
    "no class": "{}",
    "one class": '{"a": ["x"]}',
    "a text for a list": '{"a": "x", "b": ["y"]}',
    "an empty list": '{"a": [], "b": ["y"]}',
    "an empty prompt": '{"a": [" "], "b": ["y"]}',
    "a number for a prompt": '{"a": [1], "b": ["y"]}',
    "a list for a prompt": '{"a": [["x"]], "b": ["y"]}',
    "an object for a class": '{"a": {"x": 1}, "b": ["y"]}',
    "heart and thorax": '{"heart": ["x"], "thorax": ["y"]}',
    "a class twice": '{"a": ["x"], "b": ["y"], "a": ["z"]}',
    "a nameless class": '{"": ["x"], "b": ["y"]}',
    "half a character": r'{"a": ["\ud83e"], "b": ["y"]}',
    "half a character in a name": r'{"\ud83e": ["x"], "b": ["y"]}',
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_told(tmp_path, kind):
    path = tmp_path / "mine.json"
    path.write_text(BAD[kind])
    with pytest.raises(UsageError, match=r"mine\.json"):
        load_prompts(path)


def test_bytes_that_are_no_text_are_told(tmp_path):
    path = tmp_path / "mine.json"
    path.write_bytes(b"\xff\xd8\xff\xe0 a picture")
    with pytest.raises(UsageError, match=r"mine\.json.*cannot be read"):
        load_prompts(path)


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "mine.json"
    with path.open("wb") as stream:
        stream.truncate(6_000_000)
    with pytest.raises(UsageError, match="6000000 bytes"):
        load_prompts(path)


@pytest.mark.parametrize("name", ["planes-5", "", ".", "../planes-9", "a\0b", "x" * 5000])
def test_an_unknown_name_lists_the_known(name):
    with pytest.raises(UsageError, match="planes-4, planes-4-reworded, planes-9"):
        load_prompts(name)


WORDS = st.text(max_size=3)
JSON = st.recursive(
    st.none() | st.integers() | WORDS,
    lambda x: st.lists(x, max_size=3) | st.dictionaries(WORDS, x, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(JSON | st.dictionaries(WORDS, st.lists(WORDS, max_size=2), max_size=3))
def test_any_json_is_a_prompt_set_or_told(data):
    try:
        found = parse_prompts(json.dumps(data))
    except UsageError:
        return
    assert len(found) >= 2
    assert all(isinstance(p, str) for prompts in found.values() for p in prompts)


def test_a_set_made_in_memory_is_checked_too():
    found = check_prompts({"heart": ("x",), "brain": ["y", "z"]})
    assert found == {"thorax": ["x"], "brain": ["y", "z"]}
    wrong = [{}, {"a": ["x"]}, {"a": [], "b": ["y"]}, {"a": "x", "b": ["y"]}, {1: ["x"], 2: ["y"]}, [["a", "b"]] * 2]
    for bad in wrong:
        with pytest.raises(UsageError, match="the prompt set"):
            check_prompts(bad)


def test_reject_prompts_are_the_vocabularys():
    texts = reject_prompts()
    assert len(texts) == len(set(texts)) == sum(map(len, REJECTS.values()))


@pytest.mark.parametrize("name", ["planes-4-reworded", "planes-9-reworded"])
def test_no_reworded_prompt_is_a_sentence_of_the_caption_factory(name):
    told = {
        opening.replace("{kind}", kind).replace("{what}", what).lower()
        for phrases in wording.VIEWS.values()
        for what in phrases
        for opening in (*wording.OPENINGS, *wording.BARE_OPENINGS, *wording.LABELS["views"])
        for kind in wording.KINDS
    }
    usual = {
        text.lower() for usual in ("planes-4", "planes-9") for lines in load_prompts(usual).values() for text in lines
    }
    prompts = {text.lower() for lines in load_prompts(name).values() for text in lines}
    assert len(prompts) == 5 * len(load_prompts(name))
    assert not prompts & (told | usual | {text.lower() for words in wording.VIEWS.values() for text in words})
    assert not prompts & {text.lower().rstrip(".") for text in texts(5000, 1)}
    assert "this is an ultrasound image of the fetal femur" in told  # the set above holds real captions
