"""A heat map over its picture: colour where the score comes from, the picture in grey everywhere."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from fetalclip.frame import Frame
from fetalclip.report.draw import FAINT, INK, MIN_WIDTH, STRIP, Thumbnail, encoded, fit
from fetalclip.report.hidden import without_banner
from fetalclip.report.text import plane_name, sentence
from fetalclip.result import Attribution
from fetalclip.result.attribution import LOG_ODDS, Heat

_STOPS = np.array([(87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], dtype=np.float32)
"""Dark violet to light yellow, lighter all the way: it reads the same in grey and to the colour-blind."""
_MOST = 0.7  # share of colour at the hottest pixel: the picture is still seen beneath
_WARM = 0.15  # heat at which the colour has come in fully; below it fades out
_MEANING = "Shows what moves the score, not where a structure lies"
_BAR = 96  # pixels; width of the legend's bar


def heated(frame: Frame, heat: Heat) -> Image.Image:
    """The frame in grey with the heat over it, RGB, as large as the frame.

    Args:
        frame: the picture; of DICOM, without its banner.
        heat: float32 (H, W), 0 to 1; where it is 0 the pixel stays as it was.
    """
    share = (_MOST * np.clip(heat / _WARM, 0, 1))[..., None]  # (H, W, 1)
    gray = without_banner(frame).gray[..., None].astype(np.float32)
    return Image.fromarray(np.rint(gray * (1 - share) + _colours(heat) * share).astype(np.uint8))


def heat_thumbnail(frame: Frame, attribution: Attribution, side: int = 320) -> Thumbnail:
    """The same, small: a JPEG whose longer side is at most ``side`` pixels."""
    picture = heated(frame, attribution.map)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return encoded(picture)


def draw_attribution(frame: Frame, attribution: Attribution) -> Image.Image:
    """The heated picture with a strip beneath: text, what it was held against, score, method, a legend of the colours.

    Returns:
        An RGB picture as wide as the frame (at least 280 pixels) and taller by the strip. The file's name is not drawn:
        names can hold identifiers.
    """
    width = max(frame.width, MIN_WIDTH)
    step = min(max(width // 32, 14), 64)  # pixels; size of the headline's letters
    big, small = ImageFont.load_default(step), ImageFont.load_default(max(11, round(step * 0.68)))
    pad, row = round(step * 0.6), round(step * 1.05)
    lines = [score_words(attribution), *map(sentence, attribution.warnings), _MEANING, _signature(attribution)]
    strip = 2 * pad + round(step * 1.3) + row * len(lines)
    canvas = Image.new("RGB", (width, frame.height + strip), STRIP)
    canvas.paste((0, 0, 0), (0, 0, width, frame.height))
    canvas.paste(heated(frame, attribution.map), ((width - frame.width) // 2, 0))
    pen = ImageDraw.Draw(canvas)
    top, bar = frame.height + pad, min(_BAR * step // 14, width // 4)
    _legend(canvas, (width - pad - bar, top + step // 4), (bar, max(6, step // 2)))
    name = plane_name(attribution.text)
    pen.text((pad, top), fit(pen, name, big, width - 3 * pad - bar), font=big, fill=INK)
    for i, text in enumerate(lines):
        place = (pad, top + round(step * 1.4) + row * i)
        pen.text(place, fit(pen, text, small, width - 2 * pad), font=small, fill=FAINT)
    return canvas


def score_words(attribution: Attribution) -> str:
    """The score in words, such as "hires-cam; log-odds +6.1 against 8 others; cosine 0.471"."""
    told = [attribution.method]
    if attribution.quantity == LOG_ODDS:
        others = attribution.against
        against = f"{len(others)} others" if len(others) > 2 else " and ".join(plane_name(one) for one in others)
        told.append(f"{LOG_ODDS} {attribution.score:+.1f} against {against}")
    return "; ".join([*told, f"cosine {attribution.cosine:.3f}"])


def _colours(heat: Heat) -> npt.NDArray[np.float32]:
    """(H, W, 3) of values of 0 to 1."""
    place = np.linspace(0, 1, len(_STOPS))
    channels = [np.interp(heat, place, _STOPS[:, i]) for i in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def _legend(canvas: Image.Image, at: tuple[int, int], size: tuple[int, int]) -> None:
    """A bar from little to much."""
    wide, high = size
    ramp = np.tile(np.linspace(0, 1, wide, dtype=np.float32), (high, 1))
    canvas.paste(heated(Frame(np.full((high, wide), 40, np.uint8)), ramp), at)


def _signature(attribution: Attribution) -> str:
    made = attribution.provenance
    by = " - " + sentence(f"fetalclip {made.version}, {made.model}") if made else ""
    return f"Research software, not a medical device{by}"
