"""Losses, the training loop, cross-fitting and calibration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetalclip.fit.crossfit import train
from fetalclip.fit.distil_recipe import DistilRecipe
from fetalclip.fit.finetune_recipe import FinetuneRecipe
from fetalclip.fit.heart_recipe import HeartRecipe
from fetalclip.fit.pretrain_recipe import PretrainRecipe
from fetalclip.fit.recipe import Recipe
from fetalclip.fit.segment_recipe import SegmentRecipe

if TYPE_CHECKING:
    from fetalclip.fit.crossfit import Say

__all__ = [
    "RECIPES",
    "DistilRecipe",
    "FinetuneRecipe",
    "HeartRecipe",
    "PretrainRecipe",
    "Recipe",
    "SegmentRecipe",
    "perform",
    "train",
]

RECIPES: dict[str, type[Any]] = {
    "segment": SegmentRecipe,
    "heart": HeartRecipe,
    "finetune": FinetuneRecipe,
    "pretrain": PretrainRecipe,
    "distil": DistilRecipe,
}
"""Recipe classes by their ``objective``; every other objective is `Recipe`'s."""


def perform(recipe: Any, out: Path, resume: bool, say: Say) -> Path:
    """Do what a recipe of any kind says; the folder that comes out."""
    if isinstance(recipe, SegmentRecipe):
        from fetalclip.fit.segment import train_head

        return train_head(recipe, out, resume=resume, say=say)
    if isinstance(recipe, HeartRecipe):
        from fetalclip.fit.heart import train_heart

        return train_heart(recipe, out, resume=resume, say=say)
    if isinstance(recipe, FinetuneRecipe):
        from fetalclip.fit.finetune import finetune

        return finetune(recipe, out, resume=resume, say=say)
    if isinstance(recipe, DistilRecipe):
        from fetalclip.fit.distil import distil

        return distil(recipe, out, resume=resume, say=say)
    if isinstance(recipe, PretrainRecipe):
        from fetalclip.fit.pretrain_folder import pretrain

        return pretrain(recipe, out, resume=resume, say=say)
    return train(recipe, out, resume=resume, say=say)
