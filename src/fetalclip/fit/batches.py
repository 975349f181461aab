"""Which pictures and captions meet in a batch, and which captions are true of which pictures."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from fetalclip.clinical.captions import Facts, truth
from fetalclip.clinical.factory import Measure
from fetalclip.clinical.sampling import Sampler
from fetalclip.clinical.vocabulary import KNOWN, PLANES, SUBPLANES, UNNAMED
from fetalclip.fit.corpus import NOT_ULTRASOUND, Corpus, Item
from fetalclip.fit.recipe import Recipe
from fetalclip.fit.ruler import log_pixels
from fetalclip.preprocess.augment import augment

FOREIGN = tuple(plane for plane in PLANES if plane not in KNOWN)


@dataclass(frozen=True, eq=False)
class Batch:
    """One step's worth.

    Attributes:
        pictures: grey (B, S, S) in 0-1, augmented.
        again: the same pictures augmented otherwise, or None.
        texts: T captions: B of the pictures in order, then foreign ones, then rivals; then A heads of some age.
        positive: (B, T) bool, caption is true of picture; the A last captions are left out.
        unknown: (B, T) bool, the picture's row does not tell; never where ``positive``.
        sizes: (B,) logarithm of the circumference of each head in pixels, NaN where it is unknown or there is none.
        text_sizes: (A,) that of each of the A last captions.
        facts: of each picture, its spacing as augmented.
        rivals: number of the first rival caption; T where there are none.
    """

    pictures: Tensor
    again: Tensor | None
    texts: list[str]
    positive: Tensor
    unknown: Tensor
    sizes: Tensor
    text_sizes: Tensor
    facts: list[Facts]
    rivals: int


class Batches:
    """Batches of one epoch, the same for the same seed and epoch.

    Args:
        corpus: all pictures.
        recipe: what to draw from it.
        measure: tokens of a text.
    """

    def __init__(self, corpus: Corpus, recipe: Recipe, measure: Measure) -> None:
        self.corpus, self.recipe = corpus, recipe
        self.sampler = Sampler(measure, random.Random(), recipe.captions, recipe.model.text.context_length)
        data = recipe.data

        def wanted(item: Item) -> bool:
            return item.facts.plane not in data.leave_out and (not data.machines or item.machine in data.machines)

        def shown(item: Item) -> bool:
            return item.facts.plane not in data.leave_out

        self._planes = corpus.rows("planes", data.train_folds, wanted)
        self._hc18 = corpus.rows("hc18", data.hc18_folds, shown)
        self._simulated = corpus.rows("simulated", (), shown)
        named = [corpus.items[i].facts.subplane for i in self._planes]
        self._subplanes = [self._planes[[found == name for found in named]] for name in SUBPLANES if name in named]
        rejects = corpus.rows("reject", data.train_folds)
        is_far = np.array([corpus.items[i].facts.plane == NOT_ULTRASOUND for i in rejects], bool)
        self._far, self._near = rejects[is_far], rejects[~is_far]

    def epoch_rows(self, epoch: int) -> np.ndarray:
        """Row numbers of one epoch, shuffled: every plane once, and the drawn shares of the rest.

        A supervised head has no class for a picture without a plane: those are left out of its epochs.
        """
        rng = np.random.default_rng((self.recipe.seed, epoch))
        data = self.recipe.data
        shares = [self._planes]
        half = data.rejects_per_epoch // 2
        parts = [(self._hc18, data.hc18_per_epoch), (self._simulated, data.simulated_per_epoch)]
        if self.recipe.objective == "contrastive":
            parts = [(self._far, half), (self._near, data.rejects_per_epoch - half), *parts]
        shares += [rng.choice(rows, min(count, len(rows)), replace=False) for rows, count in parts]
        shares += [rng.choice(rows, data.subplanes_per_epoch // len(self._subplanes)) for rows in self._subplanes]
        return rng.permutation(np.concatenate(shares))

    def shares(self) -> dict[str, float]:
        """Share of each source among the pictures with a plane in an epoch."""
        found = [self.corpus.items[i].source for i in self.epoch_rows(0)]
        shown = [source for source in found if source != "reject"]
        return {source: shown.count(source) / len(shown) for source in sorted(set(shown))}

    def __len__(self) -> int:
        return len(self.epoch_rows(0)) // self.recipe.optim.batch

    def epoch(self, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """The batches of one epoch; ``skip`` leaves out those a resumed run has already done."""
        rows, size = self.epoch_rows(epoch), self.recipe.optim.batch
        for step in range(len(rows) // size):
            if step >= skip:
                yield self._batch(rows[step * size : (step + 1) * size], epoch, step)

    def _batch(self, rows: np.ndarray, epoch: int, step: int) -> Batch:
        recipe, optim = self.recipe, self.recipe.optim
        seed = (recipe.seed * 1_000 + epoch) * 100_000 + step
        stored, again = torch.from_numpy(self.corpus.pictures[rows]).float().div_(255), None
        seeds = [(seed * 1_000_003 + place) & (2**63 - 1) for place in range(len(rows))]
        pictures, scale = augment(stored, recipe.model.image_size, recipe.augment, seeds)
        if optim.self_weight:
            others = [~s & (2**63 - 1) for s in seeds]
            again, _ = augment(stored, recipe.model.image_size, recipe.augment, others)
        facts = [stripped(self.corpus.items[i].facts, recipe.strip) for i in rows]
        known = [_scaled(one, float(s)) for one, s in zip(facts, scale, strict=True)]
        self.sampler.seed(seed)
        captions = [self.sampler.caption(facts) for facts in known]
        captions += self.sampler.foreign(FOREIGN, optim.foreign_texts)
        rivals = len(captions)
        captions += [] if "brain" in recipe.data.leave_out else self.sampler.rivals(optim.rival_texts)
        positive, unknown = truths(known, [said for _, said in captions])
        if recipe.targets == "diagonal":
            positive, unknown = torch.eye(len(rows), len(captions), dtype=torch.bool), torch.zeros_like(unknown)
        aged = self.sampler.ages(known, optim.age_texts)
        texts = [text for text, _ in [*captions, *aged]]
        sizes = _sizes([self.corpus.items[i] for i in rows], scale), log_pixels([said for _, said in aged])
        return Batch(pictures, again, texts, positive, unknown, *sizes, known, rivals)


def truths(known: Sequence[Facts], said: Sequence[Facts]) -> tuple[Tensor, Tensor]:
    """Which claims are true of which pictures, and of which that is not known: (B, T) bool each.

    Args:
        known: of B pictures.
        said: by T captions.
    """
    table = [[truth(claim, facts) for claim in said] for facts in known]
    positive = torch.tensor([[cell is True for cell in row] for row in table])
    return positive, torch.tensor([[cell is None for cell in row] for row in table])


def stripped(facts: Facts, labels: Sequence[str]) -> Facts:
    """Facts without the labels that captions are not to say."""
    if "plane" in labels:
        return replace(facts, plane=UNNAMED if facts.plane in PLANES else facts.plane, subplane=None)
    return replace(facts, subplane=None) if "subplane" in labels else facts


def _scaled(facts: Facts, scale: float) -> Facts:
    """Spacing travels with the pixels: a picture magnified by ``scale`` has a smaller spacing."""
    return facts if facts.spacing is None else replace(facts, spacing=round(facts.spacing / scale, 2))


def _sizes(items: Sequence[Item], scale: Tensor) -> Tensor:
    """Logarithm of each head's circumference in pixels of the augmented picture, (B,); NaN where it is unknown."""
    found = np.full(len(items), np.nan, np.float32)
    for i, item in enumerate(items):
        if item.circumference and item.facts.spacing:
            found[i] = np.log(item.circumference / item.facts.spacing)
    return torch.from_numpy(found) + scale.log()
