"""A segmentation whose masks, spacing and numbers can be meant: what comes from outside is looked at once."""

from __future__ import annotations

import math

import numpy as np

from fetalclip.caliper.outline import Mask
from fetalclip.errors import BadValue
from fetalclip.result import Segmentation

_FINEST, _COARSEST = 1e-4, 100.0  # mm per pixel: no picture of a fetus is outside


def checked(whole: Segmentation) -> Segmentation:
    """The segmentation with masks of bool.

    Raises:
        BadValue: a mask of another size or of more than two values, a spacing, an outset or a factor that is none.
    """
    masks = {name: _as_mask(mask, f"the mask of {name[:40]}") for name, mask in whole.masks.items()}
    views = tuple({name: _as_mask(mask, "a view's mask") for name, mask in view.items()} for view in whole.views)
    lit = None if whole.lit is None else _as_mask(whole.lit, "lit")
    sizes = {mask.shape for group in (masks, *views) for mask in group.values()}
    sizes |= set() if lit is None else {lit.shape}
    if len(sizes) > 1:
        words = " and ".join(f"{width} x {height}" for height, width in sorted(sizes))
        raise BadValue(f"masks of {words} pixels", "all of one picture's size")
    spacing = whole.mm_per_pixel
    if spacing is not None and not (len(spacing) == 2 and all(_FINEST <= side <= _COARSEST for side in spacing)):
        expected = f"mm per pixel in x and y, {_FINEST:g} to {_COARSEST:g} each, or None"
        raise BadValue(f"a pixel spacing of {spacing}", expected, "mm_per_pixel=(0.1, 0.1)")
    for what, numbers in (("an outset", whole.outset), ("a factor of an interval", whole.widen)):
        for name, number in numbers.items():
            if not math.isfinite(number) or (what != "an outset" and number < 0):
                raise BadValue(f"{what} of {number:g} for {name[:40]}", "a finite number")
    return Segmentation(masks, spacing, whole.head, whole.outset, views, lit, whole.widen, whole.level)


def _as_mask(mask: object, what: str) -> Mask:
    array = np.asarray(mask)
    if array.ndim != 2 or array.dtype.kind not in "bui" or array.size == 0:
        raise BadValue(f"{what} is {array.dtype} of shape {array.shape}", "bool (H, W), not empty")
    if array.dtype == bool:
        return array
    values = np.unique(array)
    if len(values) > 2 or (values[0] != 0 and len(values) > 1) or values[-1] not in (0, 1, 255):
        raise BadValue(
            f"{what} has {len(values)} values up to {values[-1]}", "two values: 0 and 1, or 0 and 255", "mask > 127"
        )
    return array > 0
