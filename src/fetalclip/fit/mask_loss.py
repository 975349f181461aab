"""The loss of a mask head: Dice and cross-entropy, optionally a Hausdorff distance loss, all MONAI's.

MONAI is slow to import and needed at training time only: it is asked for here.
"""

from __future__ import annotations

from torch import Tensor, nn

from fetalclip.fit.segment_recipe import SegmentOptim
from fetalclip.optional import require


class MaskLoss(nn.Module):
    """Each structure of each picture for itself, so that one that its source does not know is left out.

    Args:
        optim: weights of the parts.

    Raises:
        MissingPackage: MONAI is not installed.
    """

    def __init__(self, optim: SegmentOptim) -> None:
        super().__init__()
        losses = require("monai.losses", feature="training a head that draws masks", extra="train")
        self.overlap = losses.DiceCELoss(
            sigmoid=True, lambda_dice=optim.dice, lambda_ce=optim.cross_entropy, smooth_nr=1.0, smooth_dr=1.0
        )
        self.far = losses.HausdorffDTLoss(sigmoid=True, include_background=True) if optim.boundary else None
        self.boundary = optim.boundary

    def forward(self, logits: Tensor, masks: Tensor, known: Tensor) -> Tensor:
        """The mean loss.

        Args:
            logits, masks: (B, C, h, w); masks in 0-1.
            known: bool (B, C).
        """
        said, true = logits[known].unsqueeze(1), masks[known].unsqueeze(1)  # (n, 1, h, w)
        if not len(said):
            return logits.sum() * 0
        loss: Tensor = self.overlap(said, true)
        if self.far is not None:
            loss = loss + self.boundary * self.far(said, (true > 0.5).to(said.dtype))
        return loss
