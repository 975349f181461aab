"""What of a picture is shown on a page or a drawing: of DICOM, nothing of the banner that names the patient.

A page is passed on, and the banner of an ultrasound screen holds name, number and date of birth. So everything outside
the 2D regions of the file is black, and so is what looks like letters inside them, by the finders that de-identify. A
file whose regions do not tell where the scan lies keeps its sector as it is seen, without burned-in marks. Letters that
no finder sees stay. Pictures of other formats are shown as they are: they come without the header of a patient.
"""

from __future__ import annotations

import numpy as np

from fetalclip.frame import Frame, Pixels
from fetalclip.overlay import find_overlay
from fetalclip.overlay.letters import text_to_blank
from fetalclip.overlay.raster import Mask, grown

HIDDEN = "banner_hidden"
"""Set in `Frame.info` of a picture that has been through here."""

_MARGIN = 9  # pixels around the sector, odd


def without_banner(frame: Frame) -> Frame:
    """The frame as it may be shown; itself when it is not of a DICOM file, or has been through here."""
    if frame.info.get("format") != "DICOM" or frame.info.get(HIDDEN):
        return frame
    gray = frame.pixels if frame.pixels.ndim == 2 else frame.pixels.max(axis=2)  # yellow letters are as light as white
    kept = _kept(frame, gray)
    for y0, x0, y1, x1 in text_to_blank(np.ascontiguousarray(gray), kept):
        kept[y0:y1, x0:x1] = False
    pixels = frame.pixels.copy()
    pixels[~kept] = 0
    return Frame(pixels, frame.mm_per_pixel, frame.source, {**frame.info, HIDDEN: True})


def _kept(frame: Frame, gray: Pixels) -> Mask:
    """The part of the picture that holds the scan, bool (H, W)."""
    kept = np.zeros(gray.shape, dtype=bool)
    for x0, y0, x1, y1 in frame.info.get("scan") or ():
        kept[y0:y1, x0:x1] = True
    if kept.any():
        return kept
    found = find_overlay(np.ascontiguousarray(gray))
    return grown(found.sector, _MARGIN) & ~found.mask
