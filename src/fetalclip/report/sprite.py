"""Many small pictures in one: thumbnails for a page, a few kilobytes each at most."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable

from PIL import Image

from fetalclip.frame import Frame
from fetalclip.report.hidden import without_banner

SIDE = 64  # pixels of one picture, its longer side
MOST = 2000  # pictures
_COLUMNS = 40
_QUALITY = 78
_PAPER = (0, 0, 0)


class Sprite:
    """Pictures side by side, row after row; those of DICOM without their banner.

    Attributes:
        columns: pictures in a row.
        sizes: width and height of each, in pixels, at the top left of its square.
    """

    columns = _COLUMNS

    def __init__(self, frames: Iterable[Frame]) -> None:
        small: list[Image.Image] = []
        for frame in frames:
            picture = Image.fromarray(without_banner(frame).pixels)
            picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
            small.append(picture)
        self.sizes = [picture.size for picture in small]
        rows = -(-len(small) // _COLUMNS)
        colour = any(picture.mode != "L" for picture in small)
        wide = min(len(small), _COLUMNS) * SIDE
        sheet = Image.new("RGB" if colour else "L", (max(1, wide), max(1, rows * SIDE)), _PAPER if colour else 0)
        for i, picture in enumerate(small):
            sheet.paste(picture, (i % _COLUMNS * SIDE, i // _COLUMNS * SIDE))
        buffer = io.BytesIO()
        sheet.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
        self.data = buffer.getvalue()

    @property
    def uri(self) -> str:
        """The sheet as a data URI."""
        return "data:image/jpeg;base64," + base64.b64encode(self.data).decode("ascii")
