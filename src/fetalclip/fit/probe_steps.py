"""The published probe's training, step by step: one linear layer, AdamW, the best epoch on held-out patients.

FetalCLIP (arXiv 2502.14807) trains so on frozen features that are not normalised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from fetalclip.fit.probe_base import Reals, Rows

RATE, DECAY = 3e-4, 0.01


@dataclass(frozen=True)
class Steps:
    """How to train the layer: classes, epochs, pictures a step, seed."""

    classes: int
    epochs: int = 50
    batch: int = 64
    seed: int = 0


def train_layer(
    x: Reals, truth: Rows, sides: tuple[Rows, Rows], steps: Steps
) -> tuple[Reals, Reals, tuple[float, ...]]:
    """Train one linear layer.

    Args:
        x: (n, d) raw embeddings.
        truth: (n,) class numbers.
        sides: rows to fit, rows held; without held rows the last epoch is kept.
        steps: how.

    Returns:
        Weight (C, d) and bias (C,) of the epoch with the least held-out loss, and the loss of each epoch (of the fitted
        rows where none are held).
    """
    generator = torch.Generator().manual_seed(steps.seed)
    rows, wanted = torch.from_numpy(np.asarray(x, np.float32)), torch.from_numpy(np.asarray(truth, np.int64))
    fit, held = (torch.from_numpy(side) for side in sides)
    layer = nn.Linear(x.shape[1], steps.classes)
    bound = x.shape[1] ** -0.5
    with torch.no_grad():
        for part in layer.parameters():
            part.uniform_(-bound, bound, generator=generator)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=RATE, weight_decay=DECAY)
    best, losses = {name: v.clone() for name, v in layer.state_dict().items()}, list[float]()
    for _ in range(steps.epochs):
        order = fit[torch.randperm(len(fit), generator=generator)]
        for part_of in order.split(steps.batch):
            loss = F.cross_entropy(layer(rows[part_of]), wanted[part_of])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        seen = held if len(held) else fit
        with torch.inference_mode():
            losses.append(float(F.cross_entropy(layer(rows[seen]), wanted[seen])))
        if not len(held) or losses[-1] == min(losses):
            best = {name: v.clone() for name, v in layer.state_dict().items()}
    return best["weight"].double().numpy(), best["bias"].double().numpy(), tuple(losses)
