"""Labelled pictures in memory for a fine-tuning, and their batches.

Pictures go through the same ``prepare`` as at inference, once: those that are trained on a little larger than the tower
sees them, so that augmentation has something to zoom into, those that are chosen by exactly as the tower sees them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

import fetalclip.io as io
from fetalclip.disk import replacing
from fetalclip.fit.finetune_recipe import FinetuneRecipe
from fetalclip.frame import Pixels
from fetalclip.preprocess import prepare
from fetalclip.preprocess.augment import augment

_FORMAT = 1  # raise when what is kept or how it is prepared changes

Array = npt.NDArray[np.float64]
Targets = npt.NDArray[np.float64] | npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Squares:
    """Prepared pictures and what is to be said of them, row by row.

    Attributes:
        pictures: uint8 (N, S, S).
        targets: (N,) numbers of classes (whole), or numbers in their unit.
        spacings: (N,) mm per pixel of the square; NaN where unknown.
    """

    pictures: Pixels
    targets: Targets
    spacings: Array

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True, eq=False)
class LabelledBatch:
    """A training batch.

    Attributes:
        pictures: grey (B, S, S) in 0-1.
        targets: (B,).
        logs: (B,) logarithm of mm per pixel of the augmented picture; NaN where unknown.
    """

    pictures: Tensor
    targets: Tensor
    logs: Tensor


def prepare_squares(
    places: Sequence[tuple[Path, int | None]],
    targets: Targets,
    spacings: Sequence[tuple[float, float] | None],
    shown: tuple[int, str],
    cache: Path | None = None,
) -> Squares:
    """Read and prepare every picture.

    Args:
        places: N files, and of each which picture of a clip it is, None of a still.
        targets: (N,) of them.
        spacings: mm per native pixel (x, y) of each, None where unknown.
        shown: side of the squares, pixels, and what is done with burned-in text.
        cache: folder for the prepared pictures, or None.

    Raises:
        InputError: a picture that cannot be read.
    """
    told = [(str(p.absolute()), p.stat().st_size, p.stat().st_mtime_ns, *_index(index)) for p, index in places]
    key = hashlib.sha256(repr((_FORMAT, shown, told, list(spacings))).encode()).hexdigest()[:16]
    file = None if cache is None else cache / f"labelled-{key}.npz"
    if file is not None and file.is_file():
        with np.load(file, allow_pickle=False) as kept:
            return Squares(kept["pictures"], targets, kept["spacings"])

    def made(place: tuple[Path, int | None], spacing: tuple[float, float] | None) -> tuple[Pixels, float]:
        ready = prepare(io.read_at(*place).with_spacing(spacing), *shown)
        return ready.pixels, float("nan") if ready.mm_per_pixel is None else ready.mm_per_pixel[0]

    pairs = []
    with Progress(console=Console(stderr=True), transient=True) as progress, ThreadPoolExecutor(2) as pool:
        bar = progress.add_task("preparing pictures", total=len(places))
        for pair in pool.map(made, places, spacings):
            pairs.append(pair)
            progress.update(bar, advance=1)
    found = Squares(np.stack([p for p, _ in pairs]), targets, np.array([s for _, s in pairs], np.float64))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as part:
            np.savez(part, pictures=found.pictures, spacings=found.spacings)
    return found


def _index(index: int | None) -> tuple[int, ...]:
    return () if index is None else (index,)


class LabelledBatches:
    """Augmented batches, the same for the same recipe and epoch: every picture once an epoch.

    Args:
        squares: the train side.
        recipe: seed, batch, augmentation.
        side: of the picture the tower sees.
    """

    def __init__(self, squares: Squares, recipe: FinetuneRecipe, side: int) -> None:
        self.squares, self.recipe, self.side = squares, recipe, side

    def __len__(self) -> int:
        return -(-len(self.squares) // self.recipe.optim.batch)

    def epoch(self, epoch: int) -> Iterator[LabelledBatch]:
        """The batches of one epoch; the last may be smaller."""
        order = np.random.default_rng((self.recipe.seed, epoch)).permutation(len(self.squares))
        size = self.recipe.optim.batch
        for step in range(len(self)):
            yield self._batch(order[step * size : (step + 1) * size], epoch, step)

    def _batch(self, rows: npt.NDArray[np.int_], epoch: int, step: int) -> LabelledBatch:
        seed = (self.recipe.seed * 1_000 + epoch) * 100_000 + step
        seeds = [(seed * 1_000_003 + place) & (2**63 - 1) for place in range(len(rows))]
        pictures = torch.from_numpy(self.squares.pictures[rows]).float().div_(255)
        seen, scale = augment(pictures, self.side, self.recipe.augment, seeds)
        logs = torch.from_numpy(self.squares.spacings[rows]).float().log() - scale.log()
        return LabelledBatch(seen, torch.from_numpy(np.asarray(self.squares.targets[rows])), logs)
