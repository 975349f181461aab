"""A caption never contradicts its picture: its words are read back by other means than those that wrote them."""

from __future__ import annotations

import random
import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetalclip.clinical.captions import Caption, CaptionWriter, Facts, corpus, truth
from fetalclip.clinical.vocabulary import ALIASES, KNOWN, PLANES, REJECTS, SUBPLANES

KINDS = {**PLANES, **REJECTS}
AGE = re.compile(r"(\d+)(?: weeks (?:and )?|w)(\d+)(?: days|d)\b")
SPACING = re.compile(r"(\d+\.\d+)(?: mm)")

facts = st.builds(
    Facts,
    st.sampled_from(sorted(PLANES)),
    st.none() | st.sampled_from(sorted(SUBPLANES)),
    st.none() | st.integers(98, 280),
    st.none() | st.floats(0.01, 5.0).map(lambda x: round(x, 2)),
).map(lambda f: f if f.plane == "brain" else Facts(f.plane, None, f.age_days, f.spacing))


def named(text: str, words: dict[str, tuple[str, ...]]) -> set[str]:
    """Keys whose phrases stand in the text, longer phrases first, each letter read once."""
    text, found = text.lower(), set()
    phrases = [(phrase.lower(), key) for key, phrases in words.items() for phrase in phrases]
    for phrase, key in sorted(phrases, key=lambda item: -len(item[0])):
        if phrase in text:
            found.add(key)
            text = text.replace(phrase, " ")
    return found


def read_back(text: str) -> Facts:
    planes, subplanes = named(text, KINDS), named(text, SUBPLANES)
    assert len(planes) == 1, text
    assert len(subplanes) <= 1, text
    ages = [7 * int(weeks) + int(days) for weeks, days in AGE.findall(text)]
    spacings = [float(x) for x in SPACING.findall(text)]
    assert max(len(ages), len(spacings)) <= 1, text
    assert all(int(days) < 7 for _, days in AGE.findall(text)), text
    first = [next(iter(x), None) for x in (subplanes, ages, spacings)]
    return Facts(planes.pop(), *first)


@settings(max_examples=300, deadline=None)
@given(facts, st.integers(0, 10**9))
def test_what_a_caption_says_is_so(known, seed):
    caption = CaptionWriter(random.Random(seed)).write(known)
    assert read_back(caption.text) == caption.facts
    assert truth(caption.facts, known) is True


@settings(max_examples=200, deadline=None)
@given(facts, st.integers(0, 10**9))
def test_every_number_in_the_text_is_a_stated_fact(known, seed):
    caption = CaptionWriter(random.Random(seed), 1.0, 1.0, 1.0).write(known)
    assert caption.facts == known  # asked to say everything
    left = SPACING.sub("", AGE.sub("", caption.text))
    assert not re.search(r"\d", left), caption.text


@settings(max_examples=50, deadline=None)
@given(facts, st.integers(0, 10**9))
def test_what_is_not_to_be_said_is_not_said(known, seed):
    caption = CaptionWriter(random.Random(seed), 0.0, 0.0, 0.0).write(known)
    assert caption.facts == Facts(known.plane) == read_back(caption.text)
    assert not re.search(r"\d", caption.text)


@pytest.mark.parametrize("plane", REJECTS)
def test_a_reject_gets_no_facts_but_its_kind(plane):
    writer = CaptionWriter(random.Random(0), 1.0, 1.0, 1.0)
    for _ in range(40):
        caption = writer.write(Facts(plane, "trans-thalamic", 150, 0.3))
        assert caption.facts == Facts(plane) == read_back(caption.text)


def test_said_facts_come_at_about_the_chance_asked():
    writer = CaptionWriter(random.Random(1), 0.2, 0.5, 0.8)
    known = Facts("brain", "trans-thalamic", 150, 0.3)
    said = [writer.write(known).facts for _ in range(600)]
    for name, chance in (("subplane", 0.2), ("age_days", 0.5), ("spacing", 0.8)):
        share = sum(getattr(f, name) is not None for f in said) / len(said)
        assert share == pytest.approx(chance, abs=0.08)


def test_heads_with_numbers_also_get_captions_without():
    writer = CaptionWriter(random.Random(2), 0.4, 0.4, 0.4)
    said = [writer.write(Facts("brain", None, 150, 0.3)).facts for _ in range(300)]
    assert sum(f == Facts("brain") for f in said) > 60


def test_no_phrase_names_two_things():
    for words in (KINDS, SUBPLANES):
        for key, phrases in words.items():
            assert len(set(phrases)) == len(phrases)
            for phrase in phrases:
                assert named(phrase, words) == {key}
    for phrases in SUBPLANES.values():
        for phrase in phrases:
            assert not named(phrase, KINDS)


def test_aliases_lead_to_planes():
    assert set(ALIASES.values()) <= set(PLANES)
    assert not set(ALIASES) & set(PLANES)
    assert set(KNOWN) <= set(PLANES)


def test_the_truth_table():
    values = {"subplane": ("trans-thalamic", "trans-cerebellum"), "age_days": (150, 151), "spacing": (0.3, 0.31)}
    for columns in product(*[[None, *pair] for pair in values.values()], repeat=2):
        said, known = Facts("brain", *columns[:3]), Facts("brain", *columns[3:])
        cells = list(zip(columns[:3], columns[3:], strict=True))
        if any(claim is not None and fact is not None and claim != fact for claim, fact in cells):
            wanted = False
        elif any(claim is not None and fact is None for claim, fact in cells):
            wanted = None
        else:
            wanted = True
        assert truth(said, known) is wanted, (said, known)
        # Another plane makes it false, whatever else is known or not.
        assert truth(said, Facts("femur", *columns[3:])) is False


def test_foreign_captions_are_false_of_every_known_plane():
    foreign = tuple(plane for plane in PLANES if plane not in KNOWN)
    captions = CaptionWriter(random.Random(3)).foreign(foreign, 50)
    assert len(captions) == 50
    assert {c.facts.plane for c in captions} == set(foreign)
    for caption, plane in product(captions, [*KNOWN, *REJECTS]):
        assert truth(caption.facts, Facts(plane, "trans-thalamic", 150, 0.3)) is False


def test_the_same_seed_writes_the_same_texts():
    known = Facts("brain", "trans-thalamic", 150, 0.3)

    def written(seed: int) -> list[Caption]:
        writer = CaptionWriter(random.Random(seed))
        return [writer.write(known) for _ in range(30)]

    assert written(1) == written(1) != written(2)
    assert len({c.text for c in written(1)}) > 25
    assert corpus(40, 1) == corpus(40, 1) != corpus(40, 2)


def test_the_corpus_covers_all_there_is_to_say():
    texts = corpus(3000, 0)
    seen = [read_back(text) for text in texts]
    assert {f.plane for f in seen} == set(KINDS)
    assert {f.subplane for f in seen} == {None, *SUBPLANES}
    days = [f.age_days for f in seen if f.age_days is not None]
    assert min(days) < 105
    assert max(days) > 273
    digits = {d for text in texts for d in text if d.isdigit()}
    assert digits == set("0123456789")


def test_every_caption_fits_the_context():
    # The longest choice everywhere, and the smallest vocabulary in use.
    tiny = pytest.importorskip("fetalclip.models.tiny")
    _, _, tokenizer = tiny.build_tiny()

    class Longest(random.Random):
        """Always the longest text, always said, always in capitals and with a full stop."""

        def choice(self, options):
            return max(options, key=len)

        def random(self) -> float:
            return 0.0

    texts = [CaptionWriter(Longest()).write(Facts(p, s, 279, 12.34)).text for p in KINDS for s in (None, *SUBPLANES)]
    texts += corpus(500, 11)
    longest = max(len(e.ids) for e in tokenizer.engine.encode_batch(texts))
    assert 20 < longest <= tokenizer.context_length == 117
