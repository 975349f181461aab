"""The loss of a mask head: Dice and cross-entropy, optionally a Hausdorff distance loss, all MONAI's.

MONAI is slow to import and needed at training time only: it is asked for here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fetalclip.fit.segment_recipe import SegmentOptim
from fetalclip.optional import require

_LEAST = 1e-4  # share of the pixels below which a structure weighs no more


class MaskLoss(nn.Module):
    """Each structure of each picture for itself, so that one that its source does not know is left out.

    With ``together`` the Dice of a structure is that of the batch's pixels: a structure that most pictures lack is else
    taught by their empty masks that the safest answer is none.

    Args:
        optim: weights of the parts.
        shares: (C,) of the training pixels that each structure covers; None treats all structures alike.

    Raises:
        MissingPackage: MONAI is not installed.
    """

    def __init__(self, optim: SegmentOptim, shares: Sequence[float] | None = None) -> None:
        super().__init__()
        losses = require("monai.losses", feature="training a head that draws masks", extra="train")
        weights = [1.0] if shares is None else [((1 - share) / max(share, _LEAST)) ** optim.balance for share in shares]
        self.overlap = nn.ModuleList(
            losses.DiceCELoss(
                sigmoid=True,
                lambda_dice=optim.dice,
                lambda_ce=optim.cross_entropy,
                smooth_nr=1.0,
                smooth_dr=1.0,
                batch=optim.together,
                weight=torch.tensor([weight]),
            )
            for weight in weights
        )
        self.each = shares is not None and (optim.together or optim.balance > 0)
        self.far = losses.HausdorffDTLoss(sigmoid=True, include_background=True) if optim.boundary else None
        self.boundary = optim.boundary

    def forward(self, logits: Tensor, masks: Tensor, known: Tensor) -> Tensor:
        """The mean loss.

        Args:
            logits, masks: (B, C, h, w); masks in 0-1.
            known: bool (B, C).
        """
        if not bool(known.any()):
            return logits.sum() * 0
        said, true = logits[known].unsqueeze(1), masks[known].unsqueeze(1)  # (n, 1, h, w)
        loss: Tensor = self._by_structure(logits, masks, known) if self.each else self.overlap[0](said, true)
        if self.far is not None:
            loss = loss + self.boundary * self.far(said, (true > 0.5).to(said.dtype))
        return loss

    def _by_structure(self, logits: Tensor, masks: Tensor, known: Tensor) -> Tensor:
        """Mean over the structures that any picture of the batch is known for."""
        parts = [
            overlap(logits[rows, i, None], masks[rows, i, None])  # (n, 1, h, w)
            for i, (overlap, rows) in enumerate(zip(self.overlap, known.T, strict=True))
            if bool(rows.any())
        ]
        return torch.stack(parts).mean()
