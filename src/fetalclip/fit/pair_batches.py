"""What a step of pretraining reads: augmented pictures, captions written for them, and the seeds all of it came from.

A batch depends on its place in the run alone: the order of an epoch is the source's, each pair is changed and told by a
seed of its own, and a process reads its share. So batches are the same for any number of processes, workers and
pauses.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fetalclip.clinical.factory import CaptionFactory, Record
from fetalclip.data.pairs import Pair, Pairs
from fetalclip.errors import BadRecipe, FetalclipError, InputError, NotAvailable
from fetalclip.fit.pretrain_recipe import PretrainRecipe
from fetalclip.preprocess.augment import augment

if TYPE_CHECKING:
    from fetalclip.models.tokenizer import Tokenizer

_TRIES = 20  # pairs looked at in the stead of one that cannot be read
_MASK = 2**63 - 1


@dataclass(frozen=True, eq=False)
class PairBatch:
    """A process's share of one batch.

    Attributes:
        pictures: grey (b, S, S) in 0-1, augmented.
        seeds: (b,) int64, for what the towers draw at random.
        ids, end: (b, N) tokens of the captions and (b,) where they end.
        numbers: (b,) int64, of the pairs in their source.
        known, said: what is known of each picture, and what its caption says.
        bad: names of pairs that could not be read; others stand in their place.
        taught: what a teacher is told of each picture; empty without one.
    """

    pictures: Tensor
    seeds: Tensor
    ids: Tensor
    end: Tensor
    numbers: Tensor
    known: list[Record]
    said: list[Record]
    bad: list[str] = field(default_factory=list)
    taught: list[str] = field(default_factory=list)

    def pinned(self) -> PairBatch:
        """The same batch in memory that a GPU reads by itself."""
        held = {name: getattr(self, name).pin_memory() for name in ("pictures", "seeds", "ids", "end")}
        return replace(self, **held)


class Draw(NamedTuple):
    """A pair, its number in the source, and the seed of all that is random about this draw of it."""

    number: int
    pair: Pair
    seed: int


class PairBatches(Dataset[list[PairBatch]]):
    """Steps of a run by number; each is a list of ``optim.accumulate`` batches.

    Args:
        pairs: the training side.
        recipe: what to make of it.
        tokenizer: of the text tower.
        rank, world: which share of each batch, of how many.

    Raises:
        BadRecipe: a batch larger than the source, or one that cannot be shared out.
    """

    def __init__(
        self, pairs: Pairs, recipe: PretrainRecipe, tokenizer: Tokenizer, rank: int = 0, world: int = 1
    ) -> None:
        self.pairs, self.recipe, self.tokenizer = pairs, recipe, tokenizer
        size, self.rank = recipe.optim.batch, rank
        if size % world:
            found = f"optim.batch = {size} on {world} processes"
            raise BadRecipe(found, "a batch they can share", f"optim.batch={max(1, size // world) * world}")
        self.share = size // world
        self.steps = len(pairs) // (size * recipe.optim.accumulate)
        if not self.steps:
            found = f"a step of {size * recipe.optim.accumulate} pictures from {len(pairs)}"
            raise BadRecipe(found, "no more than there are", f"optim.batch={max(2, len(pairs) // 4)}")
        self.words = CaptionWriter(tokenizer, recipe)
        self.drawn = recipe.model.image_size  # side that pictures are augmented to
        self._order: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        return self.steps * self.recipe.optim.epochs

    def __getitem__(self, number: int) -> list[PairBatch]:
        """A step of the run."""
        epoch, step = divmod(number, self.steps)
        parts = self.recipe.optim.accumulate
        return [self._batch(epoch, step * parts + part) for part in range(parts)]

    def stream(self, first: int, workers: int) -> Iterator[list[PairBatch]]:
        """The steps of the run from the first that is still to be done, read ahead by workers."""
        steps = self._read(first, workers)
        return ([batch.pinned() for batch in step] for step in steps) if torch.cuda.is_available() else steps

    def _read(self, first: int, workers: int) -> Iterator[list[PairBatch]]:
        numbers = range(first, len(self))
        if not workers:
            return map(self.__getitem__, numbers)
        self.pairs.order(
            self.recipe.seed, min(first // self.steps, self.recipe.optim.epochs - 1)
        )  # what to fetch first
        # spawn: a forked child of a process that has run torch may hang
        loader = DataLoader(
            _Carrier(self), batch_size=None, sampler=numbers, num_workers=workers, multiprocessing_context="spawn"
        )
        return _carried(iter(loader))

    def _batch(self, epoch: int, index: int) -> PairBatch:
        first = index * self.recipe.optim.batch + self.rank * self.share
        bad: list[str] = []
        drawn = [self._draw(epoch, first + i, bad) for i in range(self.share)]
        seeds = [one.seed for one in drawn]
        stored = torch.from_numpy(np.stack([one.pair.pixels for one in drawn])).float().div_(255)  # (b, S, S)
        pictures, scale = augment(stored, self.drawn, self.recipe.augment, seeds)
        taught = self.taught(drawn, scale)
        scale = scale * (self.recipe.model.image_size / self.drawn)
        known = [seen(one.pair.record, float(s)) for one, s in zip(drawn, scale, strict=True)]
        written = [self.words(one.pair, facts, one.seed) for one, facts in zip(drawn, known, strict=True)]
        ids, end = self.tokenizer([text for text, _ in written])
        said, numbers = [facts for _, facts in written], torch.tensor([one.number for one in drawn])
        return PairBatch(pictures, torch.tensor(seeds), ids, end, numbers, known, said, bad, taught)

    def taught(self, drawn: list[Draw], scale: Tensor) -> list[str]:
        """What a teacher is told of each picture; there is none.

        Args:
            drawn: the pairs.
            scale: (b,) pixels of the pictures made, per pixel of the pair's.
        """
        return []

    def _draw(self, epoch: int, place: int, bad: list[str]) -> Draw:
        """A place of an epoch: its pair, or where that cannot be read another one, and its seed."""
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, self.pairs.order(self.recipe.seed, epoch))
        order = self._order[1]
        seed = seed_of(self.recipe.seed, epoch, place)
        for step in range(_TRIES):
            # far away, so that a pair rarely meets itself in one batch
            number = int(order[(place + step * (len(order) // _TRIES + 1)) % len(order)])
            try:
                pair = self.pairs.load(number)
                self.words(pair, seen(pair.record, 1.0), seed)
            except InputError:
                bad.append(self.pairs.name(number))
                continue
            return Draw(number, pair, seed)
        raise InputError(f"{_TRIES} pairs in a row that cannot be read, the last {bad[-1]}", "data that can be read")


class _Carrier(Dataset[Any]):
    """The same steps, an error of ours as what it is: the loader would make a page of stack of it."""

    def __init__(self, steps: PairBatches) -> None:
        self.steps = steps

    def __getitem__(self, number: int) -> Any:
        try:
            return self.steps[number]
        except FetalclipError as error:
            return error


def _carried(steps: Iterator[Any]) -> Iterator[list[PairBatch]]:
    try:
        for step in steps:
            if isinstance(step, FetalclipError):
                raise step
            yield step
    except RuntimeError as error:  # a worker that was killed
        if "worker" not in str(error):
            raise
        raise NotAvailable("a process that reads ahead ended early", "memory for it", "data.workers=0") from None


class CaptionWriter:
    """Captions of pairs: the source's own where it has one, else the factory's, by a seed.

    Args:
        tokenizer: whose tokens are counted.
        recipe: chances of what is said, longest text.
    """

    def __init__(self, tokenizer: Tokenizer, recipe: PretrainRecipe) -> None:
        self.tokenizer, said = tokenizer, recipe.captions
        chance = {"subplane": said.subplane, "age": said.age, "spacing": said.spacing}
        self.factory = CaptionFactory(self._tokens, random.Random(), chance, tokenizer.context_length)

    def __call__(self, pair: Pair, known: Record, seed: int) -> tuple[str, Record]:
        """One caption and what it says.

        Raises:
            InputError: there is nothing to say, or it is too long for the tower.
        """
        if pair.caption is not None:
            if (count := self._tokens(pair.caption)) > self.tokenizer.context_length:
                raise InputError(f"a caption of {count} tokens", f"at most {self.tokenizer.context_length}")
            return pair.caption, Record(text=pair.caption)
        self.factory.seed(str(seed))
        written = self.factory.write(known)
        return written.text, written.said

    def _tokens(self, text: str) -> int:
        return self.tokenizer.count([text])[0]


def seen(record: Record, scale: float) -> Record:
    """What is known of a picture magnified by ``scale``; the machine is left out, for it is not anatomy."""
    spacing = None if record.spacing is None else round(record.spacing / scale, 2) or None
    return replace(record, spacing=spacing, machine=None)


def seed_of(seed: int, epoch: int, place: int) -> int:
    """The seed of all that is random about one draw, whatever the batch it stands in."""
    digest = hashlib.blake2b(f"{seed}/{epoch}/{place}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") & _MASK
