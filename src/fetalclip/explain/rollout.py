"""Attention rollout: how much of each patch reaches the class token through all blocks of a transformer.

Abnar & Zuidema 2020 (arXiv 2005.00928): attention averaged over heads, half of it and half the identity for the
residual connection, multiplied from block to block. It looks at no text.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fetalclip.explain.view import View


@torch.inference_mode()
def attribute(view: View) -> Tensor:
    """(h, w) map, not negative."""
    x = view.tower.tokens(view.picture)  # (1, N, D), the class token first
    flow = torch.eye(x.shape[1], device=x.device)  # (N, N), row i: what token i is made of
    for block in view.tower.transformer.resblocks:
        q, k, v = block.project(x)  # (1, heads, N, D / heads) each
        weights = (q.float() @ k.float().transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(dim=-1)
        flow = (weights.mean(dim=1)[0] / 2 + torch.eye(len(flow), device=x.device) / 2) @ flow
        x = block.finish(x, F.scaled_dot_product_attention(q, k, v))
    side = view.tower.config.grid
    return flow[0, 1:].view(side, side)
