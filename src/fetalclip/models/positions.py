"""A longer (or shorter) table of text positions from the one a checkpoint has: 77 rows to 117, usually."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from fetalclip.errors import UsageError

KEPT = 20  # rows left as they are by "keep": longer than most prompts, and the rows a CLIP has really trained


def linear(table: Tensor, rows: int) -> Tensor:
    """(N, D) to (rows, D), the whole table stretched; as OpenCLIP does it and the published model was made."""
    return _stretch(table, rows, align_corners=False)


def keep(table: Tensor, rows: int) -> Tensor:
    """(N, D) to (rows, D): the first 20 rows stay, the rest are stretched.

    Texts of up to 20 tokens keep their features exactly. The idea is Long-CLIP's (Zhang et al. 2024, arXiv 2403.15378).
    """
    kept = min(KEPT, len(table), rows)
    if rows - kept < 1 or len(table) - kept < 1:
        return linear(table, rows) if rows > len(table) else table[:rows].clone()
    rest = _stretch(table[kept:], rows - kept, align_corners=True)
    return torch.cat([table[:kept], rest])


WAYS: dict[str, Callable[[Tensor, int], Tensor]] = {"keep": keep, "linear": linear}


def resize(table: Tensor, rows: int, way: str = "keep") -> Tensor:
    """A position table of another length.

    Args:
        table: (N, D).
        rows: length wanted.
        way: ``keep`` or ``linear``.

    Raises:
        UsageError: an unknown way, or no rows.
    """
    if way not in WAYS:
        raise UsageError(f"positions {way!r:.40}", "one of " + ", ".join(WAYS), "--positions keep")
    if rows < 2:
        raise UsageError(f"a context of {rows} tokens", "2 or more", "--context-length 117")
    return table.clone() if rows == len(table) else WAYS[way](table, rows)


def _stretch(table: Tensor, rows: int, align_corners: bool) -> Tensor:
    wide = table.float().T.unsqueeze(0)  # (1, D, N)
    corners = align_corners and min(rows, len(table)) > 1
    return F.interpolate(wide, size=rows, mode="linear", align_corners=corners)[0].T.to(table.dtype)
