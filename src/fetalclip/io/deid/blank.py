"""What of a picture is blanked: everything outside the 2D ultrasound regions, and inside them what looks like text.

Kept are the regions of spatial format 2D, of tissue and of colour flow. Regions of M-mode, spectra, waveforms and
graphics are blanked too: machines print into them. Regions that cover nearly the whole picture tell nothing (a crop, or
a machine that declares its whole screen), and one that reaches beyond it was written for another picture: such a file
counts as one without regions.

Without regions there is no knowing where the screen ends. Then only the sector, as it is seen, is kept, with a margin;
such a file is never called verified.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from fetalclip.io.deid.pixels import Form, Stored, lightness
from fetalclip.io.dicom.regions import scan
from fetalclip.overlay import find_overlay
from fetalclip.overlay.letters import text_to_blank
from fetalclip.overlay.raster import Mask, grown

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, half open, as in `fetalclip.io.dicom.regions`."""

_BANDS = (0.12, 0.06)  # height above and below that is blanked without regions, share of the picture
_MARGIN = 9  # pixels, odd
_LOOKS = 16  # frames of a clip that are looked at for steady letters


@dataclass(frozen=True)
class Window:
    """The part of every frame that is kept.

    Attributes:
        mask: bool (H, W), True where pixels stay.
        boxes: the regions it is made of; empty without regions.
    """

    mask: Mask
    boxes: tuple[Box, ...]

    @property
    def told(self) -> bool:
        """Whether the file itself says where the scan lies."""
        return bool(self.boxes)


def window(dataset: Dataset, form: Form, sector: Mask | None) -> Window | None:
    """The window of a file: its 2D regions, else the sector within the bands, else None.

    Args:
        dataset: the header.
        form: of its pixels.
        sector: the imaged area as it is seen, bool (H, W), to be used where there are no regions.
    """
    boxes = scan(dataset)
    if boxes:
        mask = np.zeros((form.height, form.width), dtype=bool)
        for x0, y0, x1, y1 in boxes:
            mask[y0:y1, x0:x1] = True
        return Window(mask, boxes)
    if sector is None:
        return None
    kept = grown(sector, _MARGIN)
    top, bottom = (round(share * form.height) for share in _BANDS)
    kept[:top] = False
    kept[form.height - bottom :] = False
    return Window(kept, ())


def seen_sector(frame: Stored, form: Form) -> Mask:
    """The imaged area of one frame, bool (H, W)."""
    return find_overlay(lightness(frame, form)).sector


def text_boxes(frame: Stored, form: Form, kept: Mask) -> list[Box]:
    """What to blank of the kept part of a frame for letters to be gone."""
    return [(x0, y0, x1, y1) for y0, x0, y1, x1 in text_to_blank(lightness(frame, form), kept)]


def steady(frames: Iterable[Stored], form: Form, kept: Mask) -> Mask:
    """Where letters stand in several of the frames, bool (H, W): they are blanked in all of them.

    Machines print on top of the moving picture, and a letter is missed now and then. At most 16 frames are looked at,
    as far apart as can be; in a still, nothing is steady.
    """
    votes = np.zeros(kept.shape, dtype=np.int32)
    if form.frames == 1:
        return votes > 0
    step = -(-form.frames // _LOOKS)
    for frame in islice(frames, 0, None, step):
        here = np.zeros(kept.shape, dtype=bool)
        for x0, y0, x1, y1 in text_boxes(frame, form, kept):
            here[y0:y1, x0:x1] = True
        votes += here
    return votes >= 2


def blanked(frame: Stored, form: Form, mask: Mask) -> Stored:
    """The frame with everything black where the mask is False."""
    out = frame.copy()
    out[~mask] = form.black
    return out
