"""The caption factory: what it writes is read back by other means, fits the tower, and is never cut inside a fact."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetalclip.clinical import wording
from fetalclip.clinical.factory import MAX_TOKENS, STYLES, CaptionFactory, Record
from fetalclip.clinical.readback import contradictions, disagreements, read_back
from fetalclip.clinical.vocabulary import MACHINES, PLANES, REJECTS, SUBPLANES
from fetalclip.errors import InputError

FINDINGS = (
    "mild ventriculomegaly",
    "lateral ventricle of 11.4 mm",
    "echogenic focus in the left ventricle",
    "stomach not seen",
    "femur length 32 mm, below the 3rd centile",
    "two umbilical vessels",
)
TEXT = "Figure 3.2: The cavum is seen between the frontal horns; at 18 to 20 weeks it should always be found."


def by_words(text: str) -> int:
    return len(text.split()) + 2


records = st.builds(
    Record,
    st.lists(st.sampled_from(sorted(PLANES)), min_size=1, max_size=3, unique=True).map(tuple),
    st.none() | st.sampled_from(sorted(SUBPLANES)),
    st.none() | st.integers(35, 315),
    st.none() | st.integers(1, 999).map(lambda n: n / 100),
    st.none() | st.sampled_from([*MACHINES, "EPIQ 7G", "HS70A", "Acuson X300"]),
    st.lists(st.sampled_from(FINDINGS), max_size=2, unique=True).map(tuple),
    st.none() | st.just(TEXT),
).map(lambda r: r if "brain" in r.views else replace(r, subplane=None))


def within(said: Record, known: Record) -> bool:
    """Every fact that is said is the known one."""
    names = ("subplane", "age", "spacing", "machine", "findings", "text")
    return all(not getattr(said, n) or getattr(said, n) == getattr(known, n) for n in names)


@settings(max_examples=400, deadline=None)
@given(records, st.integers(0, 10**9))
def test_a_caption_read_back_says_what_it_claims_and_nothing_else(known, seed):
    written = CaptionFactory(by_words, random.Random(seed)).write(known)
    assert disagreements(written.text, written.said) == []
    assert within(written.said, known)
    assert written.said.views in ((), known.views)


@settings(max_examples=200, deadline=None)
@given(records, st.integers(0, 10**9), st.integers(8, 60))
def test_a_caption_is_shortened_by_whole_facts(known, seed, limit):
    factory = CaptionFactory(by_words, random.Random(seed), {"text": 1.0}, limit)
    try:
        written = factory.write(known)
    except InputError:
        longest = by_words(TEXT) if known.text else 0
        assert longest > limit or limit < 12 + 6 * len(known.views)
        return
    assert written.tokens <= limit
    assert by_words(written.text) <= limit
    assert disagreements(written.text, written.said) == []
    assert not any(getattr(written.said, name) for name in written.dropped)


@lru_cache(maxsize=2)
def real_tokenizer(kind: str):
    from fetalclip.cards import get_card
    from fetalclip.models.tokenizer import Tokenizer

    if kind == "clip":
        return Tokenizer.clip(MAX_TOKENS)
    return Tokenizer.load(get_card("fetalclip-open").folder / "tokenizer.json", MAX_TOKENS)


@pytest.mark.parametrize("kind", ["compact", "clip"])
def test_no_caption_is_longer_than_it_says(kind):
    tokenizer = real_tokenizer(kind)

    @settings(max_examples=250, deadline=None)
    @given(records, st.integers(0, 10**9))
    def check(known, seed):
        everything = dict.fromkeys(("subplane", "age", "spacing", "machine", "findings"), 1.0)
        factory = CaptionFactory(lambda text: tokenizer.count([text])[0], random.Random(seed), everything)
        written = factory.write(known)
        exact = tokenizer.count([written.text])[0]
        assert exact <= written.tokens <= MAX_TOKENS
        assert written.tokens - exact <= 12

    check()


def test_the_same_word_writes_the_same_captions():
    known = Record(("brain",), "trans-thalamic", 143, 0.21, "Voluson E6", FINDINGS[:1])
    factory = CaptionFactory(by_words, random.Random())

    def made(word: str) -> list[str]:
        factory.seed(word)
        return [one.text for one in factory.several(known, 12)]

    assert made("a") == made("a") != made("b")
    assert len(set(made("a"))) == 12


def test_all_styles_orders_and_units_occur():
    known = Record(("brain",), "trans-thalamic", 143, 0.21, "Voluson E6")
    factory = CaptionFactory(by_words, random.Random(0), dict.fromkeys(("subplane", "age", "spacing", "machine"), 1.0))
    written = [factory.write(known) for _ in range(2000)]
    assert {one.style for one in written} == set(STYLES)
    texts = [one.text for one in written]
    assert len(set(texts)) > 1950
    for unit in ("20 weeks and 3 days", "20w3d", "20+3 weeks", "143 days", "0.21 mm/px", "210 um per pixel"):
        assert any(unit in text for text in texts), unit
    age_first = sum(text.find("20") < text.find("0.21") for text in texts if "0.21" in text and "20" in text)
    assert 300 < age_first < 1700


def test_each_fact_is_said_about_as_often_as_asked():
    known = Record(("brain",), "trans-thalamic", 143, 0.21, "Voluson E6", FINDINGS[:1])
    factory = CaptionFactory(by_words, random.Random(1), {"age": 0.2, "machine": 0.9})
    said = [factory.write(known).said for _ in range(1500)]
    for name, share in (("age", 0.2), ("machine", 0.9), ("spacing", 0.6), ("subplane", 0.6), ("findings", 0.6)):
        assert sum(bool(getattr(one, name)) for one in said) / 1500 == pytest.approx(share, abs=0.05)


def test_a_textbook_text_passes_through_once_and_whole():
    factory = CaptionFactory(by_words, random.Random(0))
    (only,) = factory.several(Record(text=TEXT), 5)
    assert (only.text, only.style, only.said) == (TEXT, "text", Record(text=TEXT))
    with pytest.raises(InputError, match=r"a text of 402 tokens"):
        factory.write(Record(text="word " * 400))
    with pytest.raises(InputError, match="nothing to say"):
        factory.write(Record())


def test_a_text_that_leaves_no_room_stands_alone():
    factory = CaptionFactory(by_words, random.Random(0), {"text": 1.0}, by_words(TEXT) + 2)
    written = factory.write(Record(("brain",), "trans-thalamic", 143, text=TEXT))
    assert written.text == TEXT
    assert "views" in written.dropped


@pytest.mark.parametrize("plane", REJECTS)
def test_a_reject_says_its_kind_alone(plane):
    factory = CaptionFactory(by_words, random.Random(0))
    for _ in range(30):
        written = factory.write(Record((plane,), None, 150, 0.3))
        assert written.said == Record((plane,))
        assert disagreements(written.text, written.said) == []


def test_the_reader_can_find_fault():
    said = Record(("brain",), "trans-thalamic", 143, 0.21, "Voluson E6")
    good = "fetal head at the trans-thalamic plane, 20w3d, 0.21 mm per pixel, on a Voluson E6"
    assert disagreements(good, said) == []
    for before, after, fault in (
        ("20w3d", "20w4d", "age"),
        ("0.21", "0.22", "spacing"),
        ("trans-thalamic", "trans-ventricular", "subplane"),
        ("fetal head", "fetal femur", "views"),
        (" on a Voluson E6", "", "machine"),
        ("Voluson E6", "Voluson S10", "machine"),
        ("0.21 mm per pixel", "0.21 mm", "spacing"),
        ("fetal head", "2 views of the fetal head", "numbers"),
    ):
        assert any(line.startswith(fault) for line in disagreements(good.replace(before, after), said)), after


def test_units_mean_the_same():
    for text in ("20 weeks and 3 days", "20w3d", "20w 3d", "20+3 weeks", "143 days", "20 weeks 3 days"):
        assert read_back(f"fetal femur at {text}").ages == {143}, text
    for text in ("0.21 mm per pixel", "0.21 mm/px", "210 um per pixel", "pixel spacing 0.21 mm", "210 µm/pixel"):
        assert read_back(f"fetal femur, {text}").spacings == {0.21}, text
    assert read_back("femur length 32 mm").spacings == set()
    assert read_back("20 completed weeks and no days").ages == {140}


def test_a_text_against_its_row_is_found():
    assert contradictions("A scan at 30 weeks", age_days=143) == ["the text says 210 days, the row 143"]
    assert contradictions("A scan at 20w3d, unlike one at 30 weeks", age_days=143) == []
    assert contradictions("the trans-ventricular plane", subplane="trans-thalamic")
    assert contradictions("no numbers at all", "trans-thalamic", 143, 0.2) == []
    assert contradictions("0.30 mm per pixel", spacing=0.2)


def test_no_wording_names_what_it_should_not():
    for plane, words in wording.VIEWS.items():
        for word in words:
            assert read_back(word).views == {plane}, word
            assert not read_back(word).subplanes
    frames = [*wording.OPENINGS, *wording.BARE_OPENINGS, *wording.KINDS]
    for table in (wording.ADJUNCTS, wording.LEADS, wording.SENTENCES, wording.LABELS, wording.TAGS):
        frames += [frame for group in table.values() for frame in group]
    for frame in frames:
        found = read_back(re.sub(r"\{\w+\}", " ; ", frame))
        assert [*found.views, *found.subplanes, *found.ages, *found.numbers] == [], frame
