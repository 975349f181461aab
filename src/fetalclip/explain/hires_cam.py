"""HiResCAM: activation times gradient at each place of one block's map, summed over its channels.

Draelos & Carin 2020 (arXiv 2011.08891). Unlike Grad-CAM it does not average the gradient over the map first, so a
channel that speaks for the text here and against it there is not counted the same in both places.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fetalclip.explain.view import View

BLOCK = 11  # of EfficientNet-Lite0: the last with cells of 16 pixels; chosen on validation pictures (docs/explain.md)


def attribute(view: View) -> Tensor:
    """Signed (h, w) map."""
    with torch.inference_mode(False), torch.enable_grad():
        picture = view.picture.clone().requires_grad_()  # also of a tower whose weights are frozen
        raw, (seen,) = view.tower.with_maps(picture, [BLOCK])
        (gradient,) = torch.autograd.grad(view.question(raw).sum(), seen)
    return (seen.detach().float() * gradient.float()).sum(dim=1)[0]
