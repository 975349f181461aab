"""The captions of a batch: true, read back by other means, as often as asked, and the same for the same seed."""

from __future__ import annotations

import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetalclip.clinical.age_prompts import DAYS, load_age_templates
from fetalclip.clinical.captions import Facts, truth
from fetalclip.clinical.factory import Record
from fetalclip.clinical.readback import disagreements, read_back
from fetalclip.clinical.sampling import Chances, Sampler, texts
from fetalclip.clinical.vocabulary import KNOWN, PLANES, REJECTS, SUBPLANES

facts = st.builds(
    Facts,
    st.sampled_from(sorted(PLANES)),
    st.none() | st.sampled_from(sorted(SUBPLANES)),
    st.none() | st.integers(98, 280),
    st.none() | st.floats(0.01, 5.0).map(lambda x: round(x, 2)),
).map(lambda f: f if f.plane == "brain" else Facts(f.plane, None, f.age_days, f.spacing))


def words(text: str) -> int:
    return len(text.split())


def sampler(seed: int, *chances: float) -> Sampler:
    return Sampler(words, random.Random(seed), Chances(*chances))


def record(said: Facts) -> Record:
    return Record((said.plane,), said.subplane, said.age_days, said.spacing)


@settings(max_examples=200, deadline=None)
@given(facts, st.integers(0, 10**9), st.sampled_from([0.0, 0.4, 1.0]))
def test_what_a_caption_says_is_so(known, seed, chance):
    text, said = sampler(seed, chance, chance, chance).caption(known)
    assert disagreements(text, record(said)) == []
    assert truth(said, known) is True
    assert chance < 1 or said == known  # asked to say everything
    assert chance > 0 or said == Facts(known.plane)


@pytest.mark.parametrize("plane", REJECTS)
def test_a_reject_gets_no_facts_but_its_kind(plane):
    writer = sampler(0, 1.0, 1.0, 1.0)
    for _ in range(40):
        text, said = writer.caption(Facts(plane, "trans-thalamic", 150, 0.3))
        assert said == Facts(plane)
        assert disagreements(text, record(said)) == []


def test_said_facts_come_at_about_the_chance_asked():
    writer = sampler(1, 0.2, 0.5, 0.8)
    said = [writer.caption(Facts("brain", "trans-thalamic", 150, 0.3))[1] for _ in range(600)]
    for name, chance in (("subplane", 0.2), ("age_days", 0.5), ("spacing", 0.8)):
        share = sum(getattr(f, name) is not None for f in said) / len(said)
        assert share == pytest.approx(chance, abs=0.08)


def test_foreign_captions_are_false_of_every_known_plane():
    foreign = tuple(plane for plane in PLANES if plane not in KNOWN)
    captions = sampler(3).foreign(foreign, 50)
    assert len(captions) == 50
    assert {said.plane for _, said in captions} == set(foreign)
    for (_, said), plane in product(captions, [*KNOWN, *REJECTS]):
        assert truth(said, Facts(plane, "trans-thalamic", 150, 0.3)) is False


def test_rivals_state_the_sub_planes_in_turn_and_nothing_else():
    rivals = sampler(4).rivals(7)
    assert [said.subplane for _, said in rivals] == [*SUBPLANES, *SUBPLANES, next(iter(SUBPLANES))]
    for text, said in rivals:
        assert said == Facts("brain", said.subplane)
        assert disagreements(text, record(said)) == []


def test_the_same_seed_writes_the_same_texts():
    known = Facts("brain", "trans-thalamic", 150, 0.3)

    def written(seed: int) -> list[str]:
        writer = sampler(seed)
        return [writer.caption(known)[0] for _ in range(30)]

    assert written(1) == written(1) != written(2)
    assert len(set(written(1))) > 25
    assert texts(40, 1) == texts(40, 1) != texts(40, 2)
    again = sampler(9)
    again.seed(1)
    assert [again.caption(known)[0] for _ in range(30)] == written(1)


def test_the_texts_to_learn_from_cover_all_there_is_to_say():
    made = texts(3000, 0)
    seen = [read_back(text) for text in made]
    assert {view for found in seen for view in found.views} == {*PLANES, *REJECTS}
    assert {name for found in seen for name in found.subplanes} == set(SUBPLANES)
    days = [day for found in seen for day in found.ages]
    assert (min(days) < 105, max(days) > 268) == (True, True)
    assert {d for text in made for d in text if d.isdigit()} == set("0123456789")


def test_ages_are_said_at_the_spacings_of_the_heads_half_of_them_near_their_own():
    heads = [Facts("brain", None, 150, 0.61), Facts("femur"), Facts("brain", None, 250, 0.34)]
    made = sampler(5).ages(heads, 400)
    assert sampler(5).ages(heads[1:2], 400) == []
    assert [said.spacing for _, said in made] == [0.61, 0.34] * 200
    assert {said.plane for _, said in made} == {"brain"}
    for text, said in made:
        found = read_back(text)
        assert (found.ages, found.spacings) == ({said.age_days}, {said.spacing})
        assert found.views <= {"brain"}  # a template may name the head in words of its own
    days = [said.age_days for _, said in made]
    assert min(days) >= DAYS[0]
    assert max(days) <= DAYS[-1]
    near = sum(abs(day - own) <= 40 for day, own in zip(days, [150, 250] * 200, strict=True)) / len(days)
    assert 0.55 < near < 0.9  # half by design, and some of the others
    prompts = {
        text for own, day in zip([0.61, 0.34] * 200, days, strict=True) for text in load_age_templates().fill(day, own)
    }
    assert 0.45 < sum(text in prompts for text, _ in made) / len(made) < 0.75
