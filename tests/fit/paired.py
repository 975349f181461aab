"""A source of pairs in memory and a recipe so small that a pretraining takes seconds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fetalclip.clinical.factory import Record
from fetalclip.clinical.vocabulary import KNOWN
from fetalclip.data.pairs import Pair
from fetalclip.errors import UnreadableInput
from fetalclip.fit.pretrain_recipe import PretrainRecipe, ScaleRecipe, TowersRecipe, WatchRecipe
from fetalclip.models.text import TextConfig
from fetalclip.models.vit import ViTConfig

SIDE = 40


@dataclass
class Bars:
    """Each plane a bright bar in a place of its own, on noise; some numbers cannot be read."""

    count: int
    first: int = 0
    broken: frozenset[int] = field(default_factory=frozenset)
    side: int = SIDE

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(repr((self.count, self.first, sorted(self.broken), self.side)).encode()).hexdigest()

    def __len__(self) -> int:
        return self.count

    def order(self, seed: int, epoch: int) -> np.ndarray:
        return np.random.default_rng((seed, epoch)).permutation(self.count)

    def name(self, number: int) -> str:
        return f"bar {number}"

    def load(self, number: int) -> Pair:
        if number in self.broken:
            raise UnreadableInput(f"{self.name(number)} cannot be read")
        plane = KNOWN[number % len(KNOWN)]
        pixels = np.random.default_rng(self.first + number).integers(5, 60, (self.side, self.side)).astype(np.uint8)
        band = KNOWN.index(plane) * self.side // len(KNOWN)
        pixels[band : band + self.side // len(KNOWN)] += 180
        age = 140 + number % 30 if plane == "brain" else None
        return Pair(pixels, Record((plane,), None, age, 0.4 + 0.01 * (number % 20)))


def small(kind: str = "vit", **optim: Any) -> PretrainRecipe:
    """Two epochs of four steps of eight pairs of 36."""
    towers = TowersRecipe(
        image=kind,
        vit=ViTConfig(patch_size=8, width=32, layers=2, heads=2),
        image_size=32,
        embed_dim=16,
        text=TextConfig(117, 400, 32, 1, 2),
    )
    scale = replace(ScaleRecipe(epochs=2, batch=8, warmup_steps=2, rate=1e-3), **optim)
    recipe = PretrainRecipe(name="small", seed=7, model=towers, optim=scale, watch=WatchRecipe(log_steps=2))
    return replace(recipe, data=replace(recipe.data, workers=0, max_bad=0.2))
