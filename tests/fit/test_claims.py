"""Which captions are true of which pictures: the table agrees with the plain rule, and goes beyond it with care."""

from __future__ import annotations

from itertools import product

import torch
from hypothesis import given
from hypothesis import strategies as st

from fetalclip.clinical.captions import truth
from fetalclip.clinical.factory import Record
from fetalclip.fit.claims import diagonal, truth_table

plain = st.builds(
    Record,
    st.sampled_from([("brain",), ("femur",), ("abdomen",)]),
    st.sampled_from([None, "trans-thalamic", "trans-cerebellum"]),
    st.sampled_from([None, 140, 150]),
    st.sampled_from([None, 0.2, 0.4]),
)


@given(st.lists(plain, min_size=1, max_size=5), st.lists(plain, min_size=1, max_size=5))
def test_of_plain_facts_the_table_is_the_rule(known, said):
    positive, unknown = truth_table(known, [*known, *said][: len(known)] + said)
    for i, j in product(range(len(known)), range(len(said))):
        found = truth(said[j].facts, known[i].facts)
        column = len(known) + j
        assert bool(positive[i, column]) is (found is True)
        assert bool(unknown[i, column]) is (found is None)


def test_a_pictures_own_caption_is_true_whatever_it_says():
    known = [Record(("brain",)), Record(text="a scan"), Record()]
    said = [Record(("brain",), None, 140), Record(text="a scan"), Record(text="another")]
    positive, unknown = truth_table(known, said)
    assert positive.diagonal().all()
    assert not (positive & unknown).any()


def test_a_view_that_is_not_there_is_false_and_free_text_of_another_picture_is_unknown():
    known = [Record(("brain", "profile_patient")), Record(("brain",)), Record(("femur",), findings=("short",))]
    said = [
        Record(("brain", "profile_patient")),
        Record(("brain",), text="a head"),
        Record(("femur",), findings=("bowed",)),
    ]
    positive, unknown = truth_table(known, said)
    assert not positive[1, 0]  # names a view the second does not show
    assert not unknown[1, 0]
    assert unknown[0, 1]  # the text may be true of the first too
    assert not positive[0, 2]
    assert not unknown[0, 2]  # no femur


def test_the_diagonal_knows_of_no_other_caption():
    positive, unknown = diagonal(3)
    assert torch.equal(positive, torch.eye(3, dtype=torch.bool))
    assert not unknown.any()
