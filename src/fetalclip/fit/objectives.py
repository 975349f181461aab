"""What is minimised."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SIGMOID_SCALE, SIGMOID_BIAS = 10.0, -10.0  # where `sigmoid`'s scale and bias start, as published


def contrastive(images: Tensor, texts: Tensor, scale: Tensor, positive: Tensor, unknown: Tensor) -> Tensor:
    """Symmetric CLIP loss in which every true caption is a positive.

    With one true caption per picture and nothing unknown this is the loss of CLIP (Radford et al. 2021, arXiv
    2103.00020). Where several captions of a batch are true of one picture they share its target evenly, and pairs of
    unknown truth leave the softmax: else "has a spacing in its caption" would come to mean a data set.

    Args:
        images: (B, D) unit length.
        texts: (T, D) unit length, T at least B; texts from B on belong to no picture.
        scale: multiplies the cosines.
        positive, unknown: (B, T) bool.

    Returns:
        Scalar.
    """
    logits = (scale * images @ texts.T).masked_fill(unknown, -torch.inf)  # (B, T)
    to_text = _spread(logits, positive)
    own = slice(0, len(images))
    to_image = _spread(logits[:, own].T, positive[:, own].T)
    return (to_text + to_image) / 2


def sigmoid(images: Tensor, texts: Tensor, scale: Tensor, bias: Tensor, positive: Tensor, unknown: Tensor) -> Tensor:
    """The sigmoid loss: every pair of a picture and a text is asked by itself whether it belongs together.

    Zhai et al. 2023 (SigLIP, arXiv 2303.15343), with any number of true captions a picture; pairs of unknown truth are
    not asked.

    Args:
        images: (B, D) unit length.
        texts: (T, D) unit length.
        scale: multiplies the cosines; learned as its logarithm, which starts at that of ``SIGMOID_SCALE``.
        bias: is added to them; starts at ``SIGMOID_BIAS``, for almost all pairs are false.
        positive, unknown: (B, T) bool.

    Returns:
        Scalar: summed over the texts, averaged over the pictures.
    """
    logits = scale * images @ texts.T + bias  # (B, T)
    wrong = F.softplus(torch.where(positive, -logits, logits))  # -log sigmoid(±logits)
    return wrong.masked_fill(unknown, 0.0).sum() / len(images)


def rivalry(images: Tensor, texts: Tensor, scale: Tensor, positive: Tensor) -> Tensor:
    """How well the true ones of a few captions are told from the false ones, for the pictures they speak of.

    In the whole loss a sub-plane is a detail: most captions of a batch are told apart by the plane alone. Here only
    captions that differ in the detail stand beside each other.

    Args:
        images: (B, D) unit length.
        texts: (R, D) unit length.
        scale: multiplies the cosines.
        positive: (B, R) bool; a picture without a positive counts for nothing.

    Returns:
        Scalar; 0 where no picture has a positive.
    """
    shown = positive.any(dim=1)
    if not shown.any():
        return images.sum() * 0
    return _spread(scale * images[shown] @ texts.T, positive[shown])


def other_view(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """How well another view of the same picture is told from views of the other pictures (SimCLR's NT-Xent).

    Chen et al. 2020 (arXiv 2002.05709); beside captions as in SLIP (Mu et al. 2021, arXiv 2112.12750).

    Args:
        first, second: (B, D) unit length, row i of both of one picture.
        temperature: divides the cosines.

    Returns:
        Scalar.
    """
    views, n = torch.cat([first, second]), len(first)
    logits = views @ views.T / temperature  # (2B, 2B)
    logits = logits.masked_fill(torch.eye(2 * n, dtype=torch.bool, device=logits.device), -torch.inf)
    partner = torch.arange(2 * n, device=logits.device).roll(n)
    return F.cross_entropy(logits, partner)


def sizing(images: Tensor, texts: Tensor, scale: Tensor, likeness: Tensor) -> Tensor:
    """How well the captions whose age and spacing fit a head's size are told from the others.

    The image tower is not told the spacing: of an age it can see how many pixels a head takes, and a text that names
    an age and a spacing says how many it would take. Days and spacings are numbers, so a near miss is half right.

    Args:
        images: (B, D) unit length.
        texts: (S, D) unit length.
        scale: multiplies the cosines.
        likeness: (B, S), 1 where sizes are equal, towards 0 the more they differ; a row of zeros counts for nothing.

    Returns:
        Scalar: cross-entropy to the likeness of each row, and of each column; 0 where no row counts.
    """
    shown = likeness.sum(dim=1) > 0
    if not shown.any():
        return images.sum() * 0
    logits, wanted = scale * images[shown] @ texts.T, likeness[shown]
    to_text = _toward(logits, wanted / wanted.sum(dim=1, keepdim=True))
    column = wanted.sum(dim=0)
    meant = column > 0.1  # a text that fits no head of the batch has nothing to find
    if not meant.any():
        return to_text
    return (to_text + _toward(logits.T[meant], (wanted / column).T[meant])) / 2


def _toward(logits: Tensor, target: Tensor) -> Tensor:
    return -(target * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


def _spread(logits: Tensor, positive: Tensor) -> Tensor:
    """Cross-entropy to a target spread evenly over the positives of each row."""
    target = positive / positive.sum(dim=1, keepdim=True).clamp_min(1)
    log_p = F.log_softmax(logits, dim=1).masked_fill(~positive, 0.0)  # -inf * 0 would be nan
    return -(target * log_p).sum(dim=1).mean()


def supervised(logits: Tensor, labels: Tensor) -> Tensor:
    """Plain cross-entropy: (B, C) logits, (B,) class numbers, -1 where the class is unknown; 0 where all are."""
    known = labels >= 0
    return F.cross_entropy(logits[known], labels[known]) if known.any() else logits.sum() * 0
