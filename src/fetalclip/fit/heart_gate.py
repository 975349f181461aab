"""What is too strange to judge: a gate fitted to the training frames, its bounds chosen on held-out clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from fetalclip.data import read_dataset
from fetalclip.data.splits import part_of
from fetalclip.encoder.engine import Array
from fetalclip.errors import DataMissing
from fetalclip.fit.clips import Clip
from fetalclip.fit.heart_recipe import HeartData
from fetalclip.fit.tracks import tracks_of
from fetalclip.io import read
from fetalclip.metrics import Reals, conformal_quantile
from fetalclip.models.heart_head import Gate
from fetalclip.tasks.track import Eye, Track, shots_of

DATASET = "fetal-planes-db"
NEVER = 1e6  # a bound that nothing reaches
_DECAY = 1e-5  # of the squared weights, for embeddings of unit length
_STEPS = 200


@dataclass(frozen=True, eq=False)
class Strangers:
    """Pictures the head is not for.

    Attributes:
        embeddings: (n, d); (0, 0) for none.
        groups: patient of each.
    """

    embeddings: Array
    groups: tuple[str, ...]

    @classmethod
    def none(cls) -> Strangers:
        """No stranger."""
        return cls(np.zeros((0, 0), np.float32), ())


@dataclass(frozen=True)
class Gates:
    """Bounds of the gate and what is known of them.

    Attributes:
        distance, stranger: bounds above which a clip is not answered; ``NEVER`` for no strangers.
        results: share of held-out clips kept and of held-out strangers caught.
    """

    distance: float
    stranger: float
    results: dict[str, Any]


def strangers_of(eye: Eye, data: HeartData, cache: Path) -> Strangers:
    """Every picture of FETAL_PLANES_DB that is not on its test side, as the head would see it.

    Raises:
        DataMissing: the data set is absent or incomplete.
    """
    rows = [row for row in read_dataset(DATASET, data.strangers) if row.split in ("train", "val")]
    if not rows:
        raise DataMissing("no picture to learn strangers from", "the training side of FETAL_PLANES_DB")
    none = np.zeros(0)
    clips = [
        Clip(lambda row=row: shots_of([read(row.path)]), row.group, none, None, f"{DATASET} {row.name}")  # type: ignore[misc]
        for row in rows
    ]
    tracks = tracks_of(eye, clips, cache)
    return Strangers(np.concatenate([track.embeddings for track in tracks]), tuple(row.group for row in rows))


def fitted_gate(tracks: Sequence[Track], strangers: Array | None = None) -> Gate:
    """A gate that knows the frames of these clips, and strangers (n, d) if there are any."""
    frames = torch.from_numpy(np.concatenate([track.embeddings for track in tracks]))
    gate = Gate(frames.shape[1])
    gate.fit_to(frames)
    if strangers is not None and len(strangers):
        _learn(gate, frames, torch.from_numpy(strangers))
    return gate


def held_gates(tracks: Sequence[Track], folds: npt.NDArray[np.int64], strangers: Strangers, share: float) -> Gates:
    """Bounds that ``share`` of the held-out clips keep, each seen by a gate that has not seen its fold.

    Strangers are held out by patient in as many parts, so that the share of them that is caught is of others than those
    the gate was shown.
    """
    distance, logit = np.zeros(len(tracks)), np.zeros(len(tracks))
    names = sorted(set(folds.tolist()))
    parts = np.array([part_of(group, len(names)) for group in strangers.groups], dtype=np.int64)
    caught: list[Reals] = []
    for number, fold in enumerate(names):
        seen = [tracks[i] for i in np.flatnonzero(folds != fold).tolist()]
        gate = fitted_gate(seen, strangers.embeddings[parts != number])
        for i in np.flatnonzero(folds == fold).tolist():
            distance[i], logit[i] = _means(gate, tracks[i].embeddings)
        caught += [np.array(_means(gate, one[None])) for one in strangers.embeddings[parts == number]]
    bounds = [min(conformal_quantile(values, share), float(values.max())) for values in (distance, logit)]
    if not strangers.groups:
        bounds[1] = NEVER
    kept = float(((distance <= bounds[0]) & (logit <= bounds[1])).mean())
    results: dict[str, Any] = {"clips_kept": kept}
    if caught:
        table = np.stack(caught)  # (strangers, 2)
        results |= {"strangers": len(table), "strangers_caught": float((table > bounds).any(axis=1).mean())}
    return Gates(bounds[0], bounds[1], results)


@torch.inference_mode()
def _means(gate: Gate, embeddings: Array) -> tuple[float, float]:
    frames = torch.from_numpy(embeddings)
    return float(gate(frames).mean()), float(gate.stranger(frames).mean())


def _learn(gate: Gate, frames: Tensor, strangers: Tensor) -> None:
    """The logit that tells strangers from training frames: logistic regression, both kinds weighing alike."""
    x = nn.functional.normalize(torch.cat([frames, strangers]).double(), dim=-1) - gate.centre.double()
    true = torch.cat([torch.zeros(len(frames)), torch.ones(len(strangers))]).double()
    weight = torch.where(true > 0.5, 0.5 / len(strangers), 0.5 / len(frames)).double()
    lean = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([lean], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        logits = x @ lean[:-1] + lean[-1]
        found = nn.functional.binary_cross_entropy_with_logits(logits, true, reduction="none")
        total: Tensor = (found * weight).sum() + _DECAY * lean[:-1].square().sum()
        total.backward()
        return total.detach()

    optimiser.step(loss)
    gate.lean.copy_(lean.detach()[:-1])
    gate.shift.copy_(lean.detach()[-1])
