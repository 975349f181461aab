"""Pictures and masks in memory for the training of a head, and their batches.

Pictures go through the same ``prepare`` as at inference, once, and are kept a little larger than the tower sees them,
so that augmentation has something to zoom into. Masks are kept as shares of a pixel, so that an edge stays where it is.
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
import torch.nn.functional as F
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from fetalclip.data.structures import Outlined
from fetalclip.disk import replacing
from fetalclip.errors import BadRecipe
from fetalclip.fit.segment_recipe import SegmentRecipe
from fetalclip.frame import Pixels
from fetalclip.models.dense import STRIDE
from fetalclip.preprocess import letterbox, prepare
from fetalclip.preprocess.augment import augment_with_masks

_FORMAT = 1  # raise when what is kept or how it is prepared changes


@dataclass(frozen=True, eq=False)
class MaskCorpus:
    """Prepared pictures and masks, row by row.

    Attributes:
        pictures: uint8 (N, S, S).
        masks: uint8 (N, C, S, S): 255 times the share of the pixel that the structure covers.
        known: bool (N, C): whether the source knows the structure.
    """

    pictures: Pixels
    masks: Pixels
    known: npt.NDArray[np.bool_]

    def shares(self) -> list[float]:
        """Of each structure, the share of the pixels it covers where it is known."""
        covered = self.masks.mean(axis=(2, 3), dtype=np.float64) / 255  # (N, C)
        return [float(covered[rows, i].mean()) if rows.any() else 0.0 for i, rows in enumerate(self.known.T)]


@dataclass
class MaskBatch:
    """A training batch.

    Attributes:
        pictures: grey (B, S, S) in 0-1.
        masks: (B, C, S / 2, S / 2) in 0-1, at the logits' side.
        known: bool (B, C).
    """

    pictures: Tensor
    masks: Tensor
    known: Tensor


def build_masks(
    rows: Sequence[Outlined], structures: Sequence[str], side: int, overlay: str, cache: Path | None = None
) -> MaskCorpus:
    """Read, treat and lay out every row.

    Args:
        rows: what is trained or validated on.
        structures: of the head, in the order of its maps.
        side: of the stored squares, pixels.
        overlay: what is done with burned-in text.
        cache: folder for the prepared pictures, or None.
    """
    told = [(row.dataset, row.name, row.known, row.stamp) for row in rows]
    key = hashlib.sha256(repr((_FORMAT, tuple(structures), side, overlay, told)).encode()).hexdigest()[:16]
    file = None if cache is None else cache / f"masks-{key}.npz"
    if file is not None and file.is_file():
        with np.load(file) as kept:
            return MaskCorpus(kept["pictures"], kept["masks"], kept["known"])

    def made(row: Outlined) -> tuple[Pixels, Pixels]:
        frame, masks = row.load()
        ready = prepare(frame, side, overlay)
        nothing = np.zeros(frame.gray.shape, bool)
        drawn = [letterbox(masks.get(name, nothing).astype(np.uint8) * 255, side)[0] for name in structures]
        return ready.pixels, np.stack(drawn)

    pairs = []
    with Progress(console=Console(stderr=True), transient=True) as progress, ThreadPoolExecutor(2) as pool:
        bar = progress.add_task("preparing pictures", total=len(rows))
        for pair in pool.map(made, rows):
            pairs.append(pair)
            progress.update(bar, advance=1)
    if not pairs:
        raise BadRecipe("no picture to train a head on", "one or more on the train side")
    known = np.array([[name in row.known for name in structures] for row in rows])
    corpus = MaskCorpus(np.stack([p for p, _ in pairs]), np.stack([m for _, m in pairs]), known)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as part:
            np.savez(part, pictures=corpus.pictures, masks=corpus.masks, known=corpus.known)
    return corpus


class MaskBatches:
    """Augmented batches, the same for the same recipe and epoch.

    Args:
        corpus: the train side.
        recipe: seed, batch, augmentation, draws.
        side: of the picture the tower sees.
    """

    def __init__(self, corpus: MaskCorpus, recipe: SegmentRecipe, side: int) -> None:
        self.corpus, self.recipe, self.side = corpus, recipe, side
        self.count = recipe.data.per_epoch or len(corpus.pictures)

    def __len__(self) -> int:
        return max(1, self.count // self.recipe.optim.batch)

    def epoch(self, epoch: int) -> Iterator[MaskBatch]:
        """The batches of one epoch; drawing more pictures than there are takes every one about as often."""
        rng = np.random.default_rng((self.recipe.seed, epoch))
        rounds = -(-self.count // len(self.corpus.pictures))
        order = np.concatenate([rng.permutation(len(self.corpus.pictures)) for _ in range(rounds)])[: self.count]
        size = self.recipe.optim.batch
        for step in range(len(self)):
            yield self._batch(order[step * size : (step + 1) * size], epoch, step)

    def _batch(self, rows: npt.NDArray[np.int_], epoch: int, step: int) -> MaskBatch:
        seed = (self.recipe.seed * 1_000 + epoch) * 100_000 + step
        seeds = [(seed * 1_000_003 + place) & (2**63 - 1) for place in range(len(rows))]
        pictures = torch.from_numpy(self.corpus.pictures[rows]).float().div_(255)
        masks = torch.from_numpy(self.corpus.masks[rows]).float().div_(255)
        seen, moved, _ = augment_with_masks(pictures, masks, self.side, self.recipe.augment, seeds)
        return MaskBatch(seen, F.avg_pool2d(moved, STRIDE), torch.from_numpy(self.corpus.known[rows]))


def plain(corpus: MaskCorpus, side: int, size: int) -> Iterator[MaskBatch]:
    """Every picture once as it is, brought to the tower's side; for validation."""
    for start in range(0, len(corpus.pictures), size):
        part = slice(start, start + size)
        pictures = torch.from_numpy(corpus.pictures[part]).float().div_(255)
        masks = torch.from_numpy(corpus.masks[part]).float().div_(255)
        pictures = F.interpolate(pictures[:, None], (side, side), mode="area")[:, 0]
        masks = F.interpolate(masks, (side // STRIDE, side // STRIDE), mode="area")
        yield MaskBatch(pictures, masks, torch.from_numpy(corpus.known[part]))
