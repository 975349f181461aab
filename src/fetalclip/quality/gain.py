"""Too dark or too bright? Grey levels of the sector.

Levels are of the picture as stored, 0 to 255. Limits were chosen on simulated views of the train profile and lie
outside what 60 clinical pictures of the training side show.
"""

from __future__ import annotations

import numpy as np

from fetalclip.quality.scene import Scene
from fetalclip.result.quality import FAIL, PASS, Check

DARK = 42.0  # grey; brighter tissue than the 90th centile of a dark picture is not seen
BRIGHT = 100.0  # grey; mean of the sector
SATURATED, SHARE = 250, 1.0  # grey, and the per cent of the sector that may reach it


def low(scene: Scene) -> Check:
    """Gain too low: the brightest tenth of the sector is dark."""
    value = float(np.percentile(scene.levels, 90))
    if value < DARK:
        return Check("gain low", FAIL, "too dark: even the brightest tenth is near black", value, DARK, "grey")
    return Check("gain low", PASS, "tissue is bright enough", value, DARK, "grey")


def high(scene: Scene) -> Check:
    """Gain too high: the sector is bright as a whole, or part of it has no grey level left."""
    share = 100.0 * float((scene.levels >= SATURATED).mean())
    mean = float(scene.levels.mean())
    if share > SHARE:
        return Check("gain high", FAIL, "too bright: tissue is saturated", share, SHARE, "%")
    if mean > BRIGHT:
        return Check("gain high", FAIL, "too bright: what should be dark is grey", mean, BRIGHT, "grey")
    return Check("gain high", PASS, "no more than a trace is saturated", mean, BRIGHT, "grey")
