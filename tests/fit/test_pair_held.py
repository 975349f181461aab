"""The validation side: the same pairs at every look, unit embeddings, and the score the best epoch is chosen by."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from paired import Bars, small

from fetalclip.clinical.factory import Record
from fetalclip.data.pairs import Pair
from fetalclip.errors import BadRecipe, InputError
from fetalclip.fit.objectives import contrastive
from fetalclip.fit.pair_held import HeldPairs
from fetalclip.fit.pretrain import Pretraining, Sides, normalisation_of
from fetalclip.fit.towers import build_towers

pytestmark = pytest.mark.usefixtures("few_words")


@pytest.fixture(scope="module")
def towers(few_words):
    return build_towers(small())


def test_two_looks_are_the_same_look(towers):
    tokenizer, model = towers
    held = HeldPairs(Bars(20, 500), small(), tokenizer)
    one, two = (held.scores(model, normalisation_of(small()), "cpu") for _ in range(2))
    assert one == two
    assert one["n"] == 20
    assert one["planes"] == 20
    assert 0 <= one["macro_f1"] <= 1
    assert HeldPairs(Bars(20, 500), small(), tokenizer).texts == held.texts


def test_the_loss_is_that_of_unit_embeddings(towers):
    tokenizer, model = towers
    recipe = small(batch=20)
    held = HeldPairs(Bars(20, 500), recipe, tokenizer)
    n = normalisation_of(recipe)
    found = held.scores(model, n, "cpu")
    from fetalclip.encoder import Encoder

    images, texts = held._images(Encoder(model, tokenizer, n, "cpu")), held._texts(model, "cpu")
    for side in (images, texts):
        assert torch.allclose(side.norm(dim=1), torch.ones(20), atol=1e-5)
    true = torch.eye(20, dtype=torch.bool)
    wanted = contrastive(images, texts, model.logit_scale.exp(), true, torch.zeros_like(true))
    assert found["loss"] == pytest.approx(float(wanted.detach()), rel=1e-5)


def test_the_choice_is_planes_where_there_are_any_and_the_loss_otherwise(towers):
    tokenizer, _ = towers
    recipe = small()
    held = HeldPairs(Bars(8, 500), recipe, tokenizer)
    assert held.choice({"loss": 2.0, "macro_f1": 0.4}) == 0.4
    assert held.choice({"loss": 2.0}) == -2.0
    assert held.choice({"loss": math.nan}) == -math.inf
    by_loss = HeldPairs(Bars(8, 500), replace(recipe, watch=replace(recipe.watch, choose="loss")), tokenizer)
    assert by_loss.choice({"loss": 2.0, "macro_f1": 0.4}) == -2.0


def test_planes_to_choose_by_are_asked_for_before_training(tmp_path, towers):
    recipe = small()
    by_planes = replace(recipe, watch=replace(recipe.watch, choose="planes"))
    one = Bars(36)
    one.load = lambda number: Pair(Bars.load(one, number).pixels, Record(("brain",)))
    with pytest.raises(BadRecipe, match="without planes"):
        Pretraining(by_planes, Sides(Bars(36), one), tmp_path / "run")
    with pytest.raises(BadRecipe, match="without a validation side"):
        Pretraining(by_planes, Sides(Bars(36), None), tmp_path / "run")


def test_pairs_that_cannot_be_read_are_left_out_and_none_is_an_error(towers):
    tokenizer, _ = towers
    assert len(HeldPairs(Bars(10, broken=frozenset({2, 3})), small(), tokenizer)) == 8
    with pytest.raises(InputError, match="no pair"):
        HeldPairs(Bars(4, broken=frozenset(range(4))), small(), tokenizer)
