"""From a clip to what the image tower eats: a few pictures spread evenly over it, everything but the sector hidden."""

from __future__ import annotations

from dataclasses import dataclass

from fetalclip.frame import Cine, Frame, spread
from fetalclip.overlay import Overlay
from fetalclip.overlay.motion import find_motion
from fetalclip.preprocess.pipeline import Prepared, check_overlay, prepare

SAMPLED = 16
"""Pictures of a clip that are looked at, spread evenly."""


@dataclass(frozen=True, eq=False)
class PreparedCine:
    """A clip, ready for the tower.

    Attributes:
        pictures: the prepared pictures, in order.
        indices, seconds: their place in the clip and their presentation times.
        count: pictures of the clip that could be decoded.
        warnings: what the user should know.
        overlay: marks and sector, for every picture of the clip.
        middle: the middle one of the pictures as the clip has it.
    """

    pictures: tuple[Prepared, ...]
    indices: tuple[int, ...]
    seconds: tuple[float, ...]
    count: int
    warnings: tuple[str, ...]
    overlay: Overlay
    middle: Frame


def prepare_cine(
    cine: Cine, size: int, overlay: str = "mask", colour: bool = False, most: int = SAMPLED
) -> PreparedCine:
    """Find the sector from motion, hide the rest, and letterbox pictures spread evenly over a clip.

    The clip is decoded twice, one picture in memory: for what moves in it, and for the pictures.

    Args:
        cine: any size, grey or colour.
        size: side of the square, pixels.
        overlay: ``mask`` hides all but the sector, ``only`` leaves all but the sector, ``keep`` hides nothing.
        colour: keep the colours of a colour clip.
        most: pictures at most.

    Raises:
        UsageError: unknown overlay mode.
        InputError: the clip cannot be read.
    """
    check_overlay(overlay)
    motion = find_motion(cine)
    picked = spread(motion.pictures, most)
    wanted, half = set(picked), picked[len(picked) // 2]
    found = None if overlay == "keep" else motion.overlay
    ready, indices, seconds, middle = [], [], [], None
    for shot in cine:
        if shot.index in wanted:
            middle = shot.frame if middle is None or shot.index <= half else middle
            ready.append(prepare(shot.frame, size, overlay, colour, found))
            indices.append(shot.index)
            seconds.append(shot.seconds)
        if len(ready) == len(picked):
            break
    said = [*cine.warnings, *(motion.warnings if found else ()), *ready[0].warnings]
    assert middle is not None  # `find_motion` has seen one
    places, times = tuple(indices), tuple(seconds)
    return PreparedCine(tuple(ready), places, times, motion.pictures, tuple(said), motion.overlay, middle)
