"""Pictures for people: small encoded thumbnails, and the picture with its answer beneath it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from fetalclip.frame import Frame
from fetalclip.report import heart
from fetalclip.report.hidden import without_banner
from fetalclip.report.measures import mark
from fetalclip.report.text import age, limits, measures, percent, plane_name, reason, sentence, subplane
from fetalclip.result import Analysis, Measurement

STRIP, INK, FAINT = (18, 26, 33), (255, 255, 255), (176, 190, 201)
_AMBER, _RED, _TEAL = (255, 196, 87), (255, 138, 128), (79, 195, 207)

MIN_WIDTH = 280  # pixels; a narrower picture is centred on black so that its caption can be read
_JPEG_QUALITY = 82

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Thumbnail:
    """A small picture as encoded bytes (kilobytes, not an array), with its size in pixels."""

    data: bytes
    width: int
    height: int

    @property
    def uri(self) -> str:
        """The picture as a data URI, ready for ``src``."""
        return "data:image/jpeg;base64," + base64.b64encode(self.data).decode("ascii")


def thumbnail(frame: Frame, side: int = 320, marks: Sequence[Measurement] = ()) -> Thumbnail:
    """The frame as a JPEG whose longer side is at most ``side`` pixels; small pictures are not enlarged.

    Args:
        frame: the picture; of DICOM, without its banner.
        side: pixels.
        marks: measures of the frame, drawn over it.
    """
    picture = Image.fromarray(without_banner(frame).pixels)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    picture = mark(picture, marks, max(picture.size) / max(frame.width, frame.height))
    return encoded(picture)


def encoded(picture: Image.Image) -> Thumbnail:
    """A small picture as a JPEG."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return Thumbnail(buffer.getvalue(), picture.width, picture.height)


def draw_analysis(frame: Frame, analysis: Analysis) -> Image.Image:
    """The picture with its measures drawn on it, and a caption strip beneath.

    The strip holds label, probability, sub-plane, frame of a clip, ages, measures, heart, abstention, model.

    Returns:
        An RGB picture as wide as the frame (at least 280 pixels) and taller by the strip; where no line of a
        measure runs, its pixels are the frame's, of DICOM without the banner. The file's name is not drawn: names
        can hold identifiers.
    """
    frame = without_banner(frame)
    headline, share, colour, second = _caption(analysis)
    width = max(frame.width, MIN_WIDTH)
    step = min(max(width // 32, 14), 64)  # pixels; size of the headline's letters
    big, small = ImageFont.load_default(step), ImageFont.load_default(max(11, round(step * 0.68)))
    pad, row = round(step * 0.6), round(step * 1.05)
    taken = _rows([*measures(analysis.measured), *limits(analysis.biometry or ())], small, width - 2 * pad - step // 4)
    judged = [] if analysis.heart is None else [*heart.words(analysis), *analysis.heart.warnings]
    seen = _rows(judged, small, width - 2 * pad - step // 4)
    told = (second, _which(analysis), *age(analysis), *taken, *seen, _signature(analysis))
    lines = [text for text in told if text]
    strip = 2 * pad + round(step * 1.3) + row * len(lines)

    canvas = Image.new("RGB", (width, frame.height + strip), STRIP)
    canvas.paste((0, 0, 0), (0, 0, width, frame.height))
    marked = mark(Image.fromarray(frame.pixels), analysis.measured, named=True)
    canvas.paste(marked.convert("RGB"), ((width - frame.width) // 2, 0))
    pen = ImageDraw.Draw(canvas)
    pen.rectangle((0, frame.height, max(2, step // 6), frame.height + strip), fill=colour)

    left, top = pad + step // 4, frame.height + pad
    room = width - left - pad
    if share:
        room -= round(pen.textlength(share, font=big)) + pad
        pen.text((width - pad, top), share, font=big, fill=colour, anchor="ra")
    pen.text((left, top), fit(pen, headline, big, room), font=big, fill=INK)
    for i, text in enumerate(lines):
        place = (left, top + round(step * 1.4) + row * i)
        pen.text(place, fit(pen, text, small, width - left - pad), font=small, fill=FAINT)
    return canvas


def _caption(analysis: Analysis) -> tuple[str, str, tuple[int, int, int], str]:
    """Headline, share, colour, second line."""
    plane = analysis.plane
    if analysis.error is not None:
        return "failed", "", _RED, sentence(analysis.error)
    if plane is None or not plane.scores:
        return "no plane asked for", "", FAINT, ""
    name, share = plane_name(plane.label), percent(plane.probability)
    if plane.abstained:
        return "abstained: no plane given", "", _AMBER, f"closest: {name} {share}; {reason(plane)}"
    return name, share, _TEAL, subplane(analysis)


def _which(analysis: Analysis) -> str:
    """Which frame of a clip the picture is."""
    best = analysis.input.best_frame
    return "" if best is None else f"best {best}"


def _signature(analysis: Analysis) -> str:
    made = analysis.provenance
    by = sentence(f" - fetalclip {made.version}, {made.model}") if made else ""
    return f"Research software, not a medical device {by}".rstrip()


def _rows(words: Sequence[str], font: _Font, room: float) -> list[str]:
    """The words in rows of at most ``room`` pixels, as many to a row as it takes; none is parted."""
    rows: list[str] = []
    for word in words:
        if rows and font.getlength(longer := f"{rows[-1]}; {word}") <= room:
            rows[-1] = longer
        else:
            rows.append(word)
    return rows


def fit(pen: ImageDraw.ImageDraw, text: str, font: _Font, room: float) -> str:
    """The text, cut with three dots where it is wider than ``room`` pixels."""
    text = text[:400]
    if pen.textlength(text, font=font) <= room:
        return text
    while text and pen.textlength(text + "...", font=font) > room:
        text = text[:-1]
    return text.rstrip() + "..." if text else ""
