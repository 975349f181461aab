"""Recipes of distillation: what cannot be is refused, and ours is one."""

from __future__ import annotations

import json

import pytest

from fetalclip import fit
from fetalclip.errors import BadRecipe
from fetalclip.fit.distil_recipe import DistilRecipe, TeacherRecipe
from fetalclip.fit.pretrain_recipe import PretrainRecipe, ScaleRecipe
from fetalclip.settings import load_recipe


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "dusk"},
        {"features": "frozen"},
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"weight": -1.0},
        {"repulsion": -0.1},
        {"repulsion": float("inf")},
        {"end": 1.5},
        {"end": float("nan")},
    ],
    ids=str,
)
def test_a_teacher_that_cannot_be_is_refused(wrong):
    with pytest.raises(BadRecipe, match=rf"teacher\.{next(iter(wrong))}"):
        TeacherRecipe(**wrong)


def test_what_a_pretraining_refuses_a_distillation_refuses():
    with pytest.raises(BadRecipe, match=r"optim\.loss"):
        DistilRecipe(optim=ScaleRecipe(loss="square"))


def test_ours_holds_the_published_values_and_names_no_teacher():
    recipe = load_recipe(DistilRecipe, "distil")
    told = recipe.teacher
    assert (told.model, told.kind, told.temperature, told.weight) == ("", "dark", 5.0, 1.0)
    assert (told.repulsion, told.end) == (2.0, -0.4)
    assert (recipe.optim.epochs, recipe.optim.warmup_steps, recipe.optim.clip) == (20, 500, 1.0)
    assert isinstance(recipe, PretrainRecipe)
    assert fit.RECIPES[recipe.objective] is DistilRecipe
    assert json.loads(json.dumps(recipe.to_dict()))["teacher"]["end"] == -0.4
