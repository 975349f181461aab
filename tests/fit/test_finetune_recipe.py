"""The recipe of a fine-tuning: the bundled one is whole, and what cannot be is refused by name."""

from __future__ import annotations

import json

import pytest

from fetalclip.errors import BadRecipe
from fetalclip.fit import RECIPES
from fetalclip.fit.finetune_recipe import FinetuneRecipe
from fetalclip.settings import find_recipe, load_recipe, recipe_value


def test_the_bundled_recipe_says_what_is_left_to_say():
    path = find_recipe("finetune")
    assert RECIPES[recipe_value(path, "objective")] is FinetuneRecipe
    recipe = load_recipe(FinetuneRecipe, path)
    assert recipe.license.startswith("unknown")
    with pytest.raises(BadRecipe, match=r"data\.table=labels\.csv"):
        recipe.check_table()
    recipe = load_recipe(FinetuneRecipe, path, ["data.table=a.csv", "model.method=full", "lora.rank=4"])
    assert recipe.check_table().name == "a.csv"
    assert recipe.lora.rank == 4
    json.dumps(recipe.to_dict())


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("objective=segment", "objective"),
        ("question=order", "question"),
        ("model.method=adapters", "model.method"),
        ("model.frozen_blocks=-1", "frozen_blocks"),
        ("model.image_size=7", "image_size"),
        ("data.overlay=only", "overlay"),
        ("data.validate=0", "validate"),
        ("data.validate=1", "validate"),
        ("data.spacing=true", "number only"),
        ("unit=days", "number only"),
        ("optim.epochs=0", "epochs"),
        ("optim.batch=1", "batch"),
        ("optim.rate_tower=-1", "rate"),
        ("optim.clip=0", "clip"),
        ("optim.smoothing=1", "smoothing"),
        ("optim.balance=2", "balance"),
        ("lora.rank=0", "lora.rank"),
        ("level=0.2", "level"),
        ("name=../away", "name"),
        ("license=", "license"),
        ("lora.ranks=2", "lora.ranks"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(word, says):
    with pytest.raises(BadRecipe, match=says):
        load_recipe(FinetuneRecipe, "finetune", [word])


def test_a_number_has_a_unit_and_may_be_told_the_spacing():
    recipe = load_recipe(FinetuneRecipe, "finetune", ["question=number", "unit=days", "data.spacing=true"])
    assert recipe.unit == "days"
    assert recipe.data.spacing
