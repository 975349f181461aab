"""Where on a picture an image-text score comes from: one file per method, one line in `registry`.

::

    explainer = Explainer(encoder, planes)            # fetalclip.explain.explainer
    heat = explainer(frame, "fetal brain").map        # (H, W) on the frame's own pixels

Names are loaded on first use: the command line lists the methods without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_WHERE = {
    "METHODS": "fetalclip.explain.registry",
    "Explainer": "fetalclip.explain.explainer",
    "Question": "fetalclip.explain.question",
}

__all__ = ["METHODS", "Explainer", "Question"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'fetalclip.explain' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
