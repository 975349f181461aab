"""The linear branches of a heart head: logistic regressions on whole clips, fitted and not trained.

They have more inputs than there are clips. A convex problem with a ridge has one solution, which few steps of a
stochastic optimiser would not reach and many would overshoot.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fetalclip.fit.heart_loss import finding_loss
from fetalclip.models.heart import HeartNet
from fetalclip.tasks.heart import window_arrays
from fetalclip.tasks.track import Track
from fetalclip.tasks.windows import windows

RIDGES = (2e-1, 1e-2)
"""On half the squared weights, of inputs with a spread of 1: of the energies, many and alike, and of the clip's own."""

_STEPS = 100


def fit_lines(
    net: HeartNet, tracks: Sequence[Track], labels: Tensor, weights: Tensor, stride: int, moving: bool = True
) -> None:
    """Fit the linear branches of a net that knows mean and spread of the training frames.

    Args:
        net: not of kind ``concat``.
        tracks: of the clips to train on.
        labels: (clips, findings), NaN where unknown.
        weights: (2, findings) of absent and of present.
        stride: of the windows.
        moving: the tracks are of clips and not of single frames, in which there is no energy to learn from.
    """
    rows = [_inputs(net, track, stride) for track in tracks]
    for line, x, ridge in zip(_lines(net), map(torch.stack, zip(*rows, strict=True)), RIDGES, strict=False):
        if moving or line is not net.energy:
            _fit(line, x.double(), labels.double(), weights.double(), ridge)


def _lines(net: HeartNet) -> list[nn.Linear]:
    return [net.energy, *([net.clip] if net.shape.whole else [])]


@torch.no_grad()
def _inputs(net: HeartNet, track: Track, stride: int) -> tuple[Tensor, Tensor]:
    """Energies (d,), the mean over windows (the join of linear logits), and what is of the clip as a whole (w,)."""
    n, count = net.shape.frames, len(track)
    places = windows(count, n, stride)
    frames, _, padded = window_arrays(track, places)
    x, frame = (frames - net.mean) / net.spread, net.shape.dim - net.shape.whole
    return net.energies(x[..., :frame].masked_fill(padded.unsqueeze(-1), 0.0), padded).mean(dim=0), x[0, 0, frame:]


def _fit(line: nn.Linear, x: Tensor, labels: Tensor, weights: Tensor, ridge: float) -> None:
    weight = torch.zeros(labels.shape[1], x.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(labels.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        total = finding_loss(x @ weight.T + bias, labels, weights, 0.0) * labels.shape[1]
        total = total + 0.5 * ridge * weight.square().sum()
        total.backward()
        return total.detach()

    optimiser.step(loss)
    with torch.no_grad():
        line.weight.copy_(weight)
        line.bias.copy_(bias)
