"""Occlusion: what the score loses when a window of the picture is blurred; the mean over the windows on a place.

Zeiler & Fergus 2014 (arXiv 1311.2901), as captum computes it; blurred, since a grey or black window is itself a
structure on an ultrasound picture.
"""

from __future__ import annotations

from torch import Tensor

from fetalclip.explain.view import View
from fetalclip.optional import require

WINDOW, STEP = 1 / 4, 1 / 8  # of the square's side


def attribute(view: View) -> Tensor:
    """Signed (S, S) map.

    Raises:
        MissingPackage: captum is not installed.
    """
    captum = require("captum.attr", "method occlusion", "explain")
    side = view.picture.shape[-1]
    window, step = max(1, round(WINDOW * side)), max(1, round(STEP * side))
    found: Tensor = captum.Occlusion(view.scores).attribute(
        view.picture,
        sliding_window_shapes=(3, window, window),
        strides=(3, step, step),
        baselines=view.blurred,
        perturbations_per_eval=view.batch,
    )  # (1, 3, S, S), the same in all channels
    return found.detach().float()[0].mean(dim=0)
