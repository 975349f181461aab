"""Grad-CAM: channels of one block's map, each weighted by its mean gradient.

Selvaraju et al. 2017 (arXiv 1610.02391), as captum computes it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fetalclip.explain.view import View
from fetalclip.optional import require

BLOCK = 11  # as in `fetalclip.explain.hires_cam`


def attribute(view: View) -> Tensor:
    """Signed (h, w) map.

    Raises:
        MissingPackage: captum is not installed.
    """
    captum = require("captum.attr", "method grad-cam", "explain")
    cam = captum.LayerGradCam(lambda x: view.question(view.tower(x)), view.tower.blocks[BLOCK - 1])
    with torch.inference_mode(False), torch.enable_grad():
        found: Tensor = cam.attribute(view.picture.clone().requires_grad_())  # (1, 1, h, w)
    return found.detach().float()[0, 0]
