"""The loss of a heart head: each finding for itself, unknown labels left out, both classes weighing alike."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def class_weights(labels: Tensor, balanced: bool) -> Tensor:
    """Weights of absent and of present, (2, findings), NaN labels left out; 1 each unless balanced.

    Balanced, both kinds sum to half of the known clips; no weight is above 10, so that one clip never rules.
    """
    if not balanced:
        return torch.ones(2, labels.shape[1])
    known = torch.isfinite(labels).sum(dim=0).float()
    present = labels.nan_to_num(0.0).sum(dim=0)
    counts = torch.stack([known - present, present]).clamp_min(1)
    return (known / (2 * counts)).clamp(max=10.0)


def finding_loss(logits: Tensor, labels: Tensor, weights: Tensor, focal: float) -> Tensor:
    """Weighted mean over what is known of (1 - p of the truth)^focal times the cross-entropy.

    Args:
        logits, labels: (B, findings); labels 0, 1 or NaN.
        weights: (2, findings) of absent and present.
        focal: exponent; 0 is the plain cross-entropy.
    """
    known = torch.isfinite(labels)
    true = labels.nan_to_num(0.0)
    loss = nn.functional.binary_cross_entropy_with_logits(logits, true, reduction="none")
    if focal:
        loss = loss * (1 - torch.exp(-loss)) ** focal
    weight = torch.where(true > 0.5, weights[1], weights[0]) * known
    return (loss * weight).sum() / weight.sum().clamp_min(1e-6)
