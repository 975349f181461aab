"""One training of a temporal head on embeddings, by the one loop."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fetalclip.fit.heart_lines import fit_lines
from fetalclip.fit.heart_loss import class_weights, finding_loss
from fetalclip.fit.heart_recipe import HeartRecipe
from fetalclip.fit.run import Run
from fetalclip.metrics import Reals
from fetalclip.models.heart import HeartNet, HeartShape
from fetalclip.tasks.heart import still, window_arrays
from fetalclip.tasks.track import Track


@dataclass(frozen=True, eq=False)
class WindowBatch:
    """One step's worth: windows, and the labels (B, findings) of their clips, NaN where unknown."""

    frames: Tensor
    seconds: Tensor
    padded: Tensor
    labels: Tensor


class HeartTraining(Run):
    """One training of a head.

    Args:
        recipe: what to do.
        tracks: of the clips to train on.
        labels: (clips, findings), NaN where unknown.
        texts: (findings, d) unit embeddings of the findings' prompts, or None.
        out: run folder.
        seed: of the net's start and of everything drawn.

    Raises:
        OutputError: the folder cannot be written.
        BadCheckpoint: its checkpoint is damaged or of another recipe.
    """

    def __init__(
        self,
        recipe: HeartRecipe,
        tracks: Sequence[Track],
        labels: Reals,
        texts: Tensor | None,
        out: Path,
        *,
        seed: int,
        resume: bool = True,
    ) -> None:
        super().__init__(recipe, out)
        self.device = "cpu"  # small nets on embeddings that are in memory
        self.recipe, self.tracks, self.seed = recipe, tracks, seed
        self.labels = torch.from_numpy(labels).float()
        self.net = fresh(recipe, tracks, labels.shape[1], texts, seed)
        learned = [p for name, p in self.net.named_parameters() if name.split(".")[0] not in ("energy", "clip")]
        decay, plain = [p for p in learned if p.ndim >= 2], [p for p in learned if p.ndim < 2]
        rate = recipe.optim.rate
        groups = [{"params": decay, "weight_decay": recipe.optim.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW([{**g, "lr": rate, "peak": rate} for g in groups], betas=(0.9, 0.99))
        self.draws = np.repeat(np.arange(len(tracks)), [self._per_clip(track) for track in tracks])
        self.steps = math.ceil(len(self.draws) / recipe.optim.batch)
        self.weights = class_weights(self.labels, recipe.optim.balanced)
        if recipe.model.kind != "concat":
            shown = [still(track, recipe.model.frames) for track in tracks] if recipe.data.still else tracks
            fit_lines(self.net, shown, self.labels, self.weights, recipe.model.stride, not recipe.data.still)
        if resume:
            self.resume()
        self.start({"clips": len(tracks), "frames": sum(map(len, tracks)), "seed": seed})

    def modules(self) -> dict[str, nn.Module]:
        """What is trained."""
        return {"model": self.net}

    def epoch_batches(self, epoch: int) -> Iterator[WindowBatch]:
        """Windows that begin anywhere, of the clips in random order; of ``concat`` a jittered spread over the clip."""
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(self.draws)
        size = self.recipe.optim.batch
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            parts = [self._drawn(self.tracks[i], rng) for i in chosen]
            frames, seconds, padded = (torch.cat([part[k] for part in parts]) for k in range(3))
            if self.recipe.optim.noise:
                noise = torch.from_numpy(rng.standard_normal(tuple(frames.shape), dtype=np.float32))
                frames = frames + noise * (self.recipe.optim.noise * self.net.spread)
            yield WindowBatch(frames, seconds, padded, self.labels[chosen])

    def loss(self, batch: WindowBatch) -> Tensor:
        """Focal or binary cross-entropy of the findings that are known, weighted."""
        said, _ = self.net.branches(batch.frames, batch.seconds, batch.padded)  # (B, branches, findings)
        return finding_loss(said[:, 0], batch.labels, self.weights, self.recipe.optim.focal)  # the others are fitted

    def _per_clip(self, track: Track) -> int:
        """Draws of a clip in an epoch: its windows, so that a long one is seen more, up to eight."""
        return min(8, max(1, math.ceil(len(track) / self.recipe.model.stride) - 1))

    def _drawn(self, track: Track, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """One window of a clip, or of one frame of it repeated."""
        if self.recipe.data.still:
            n, at = self.recipe.model.frames, int(rng.integers(len(track)))
            return window_arrays(still(track.part(at, at + 1), n), np.arange(n)[None])
        return window_arrays(track, self._window(len(track), rng)[None])

    def _window(self, count: int, rng: np.random.Generator) -> np.ndarray:
        n = self.recipe.model.frames
        if self.recipe.model.kind == "concat":
            edges = np.linspace(0, count, n + 1)
            return np.minimum(rng.uniform(edges[:-1], edges[1:]).astype(np.int64), count - 1)
        if count <= n:
            return np.pad(np.arange(count), (0, n - count), constant_values=-1)
        return np.arange(n) + int(rng.integers(count - n + 1))


def fresh(recipe: HeartRecipe, tracks: Sequence[Track], findings: int, texts: Tensor | None, seed: int) -> HeartNet:
    """A net with random weights that knows the training frames' mean and spread."""
    m = recipe.model
    dim = tracks[0].seen.shape[1]
    whole = 0 if m.kind == "concat" else len(tracks[0].whole)
    shape = HeartShape(m.kind, dim, findings, m.frames, m.width, m.layers, m.heads, m.dropout, m.aligned, whole)
    torch.manual_seed(seed)
    net = HeartNet(shape)
    net.fit_to([torch.from_numpy(track.seen) for track in tracks])
    if texts is not None:
        net.texts.copy_(texts)
    return net
