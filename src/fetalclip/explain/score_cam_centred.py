"""Score-CAM with centred weights: a channel counts for the text where it scores better than the mean channel does.

The published softmax (`fetalclip.explain.score_cam`) gives channels of nearly equal scores nearly equal weights, and
the map is then the mean activation whatever the text is. Centred, what is common to all channels falls out.
"""

from __future__ import annotations

from torch import Tensor

from fetalclip.explain.score_cam import channels
from fetalclip.explain.view import View


def attribute(view: View) -> Tensor:
    """Signed (h, w) map."""
    maps, scores = channels(view)
    return ((scores - scores.mean())[:, None, None] * maps).sum(dim=0)
