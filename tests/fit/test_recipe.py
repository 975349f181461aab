"""Recipes: what cannot be trained, or must not be, is refused before anything is read."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from fetalclip import fit
from fetalclip.errors import BadRecipe
from fetalclip.fit.heart_recipe import HeartRecipe
from fetalclip.fit.recipe import DataRecipe, ModelRecipe, OptimRecipe, Recipe
from fetalclip.fit.segment_recipe import SegmentRecipe
from fetalclip.settings import load_recipe, recipe_value

BUNDLED = sorted(Path(str(files("fetalclip") / "assets" / "recipes")).glob("*.yaml"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"objective": "regression"},
        {"targets": "some"},
        {"model": ModelRecipe(start="elsewhere")},
        {"data": DataRecipe(train_folds=(0, 1), validate_fold=1)},
        {"data": DataRecipe(train_folds=(-1, 0), validate_fold=1)},
        {"data": DataRecipe(hc18_folds=(0, 2))},
        {"optim": OptimRecipe(epochs=0)},
        {"optim": OptimRecipe(batch=1)},
    ],
    ids=str,
)
def test_a_recipe_that_cannot_be_is_refused(wrong):
    with pytest.raises(BadRecipe):
        Recipe(**wrong)


@pytest.mark.parametrize(
    "path", [p for p in BUNDLED if recipe_value(p, "objective") not in fit.RECIPES], ids=lambda p: p.stem
)
def test_ours_are_recipes_and_keep_the_test_sides_out(path):
    recipe = load_recipe(Recipe, path)
    assert recipe.name == yaml.safe_load(path.read_text("utf-8"))["name"]
    assert set(recipe.data.train_folds) <= {0, 1, 2, 3, 4}
    assert set(recipe.data.hc18_folds) <= {2, 3, 4}  # 0 is the test side, 1 validation
    assert set(recipe.crossfit_folds) <= {0, 1, 2, 3, 4}
    json.dumps(recipe.to_dict())


def test_the_recipe_of_clips_is_one():
    path = next(p for p in BUNDLED if p.stem == "heart")
    recipe = load_recipe(HeartRecipe, path)
    assert recipe.objective == yaml.safe_load(path.read_text("utf-8"))["objective"] == "heart"
    json.dumps(recipe.to_dict())


def test_the_recipe_of_heads_is_one():
    recipe = load_recipe(SegmentRecipe, next(p for p in BUNDLED if p.stem == "segment"))
    assert (recipe.structures, recipe.optim.epochs) == ("head", 20)
    json.dumps(recipe.to_dict())


def test_ours_are_there():
    assert {p.stem for p in BUNDLED} >= {"open", "segment", "supervised"}
