"""From masks to millimetres: circumferences and diameters of round structures, lengths of shafts. numpy and scipy.

::

    import fetalclip as fc

    hc = fc.measure(head, "HC")  # head: a Segmentation
    hc.mm, hc.low, hc.high, hc.definition
"""

from __future__ import annotations

from fetalclip.caliper.exam import Shown, combine
from fetalclip.caliper.spread import FLOOR, calibrate_widen, spread_of
from fetalclip.caliper.take import NO_SPACING, measure, measure_all, spread
from fetalclip.caliper.tidy import SHAPES, as_ellipse

__all__ = [
    "FLOOR",
    "NO_SPACING",
    "SHAPES",
    "Shown",
    "as_ellipse",
    "calibrate_widen",
    "combine",
    "measure",
    "measure_all",
    "spread",
    "spread_of",
]
