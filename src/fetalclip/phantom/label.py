"""Text and ruler burned into a simulated picture."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fetalclip.frame import Pixels


def burn_in(gray: Pixels, mm: float) -> Pixels:
    """A copy of uint8 (H, W) with "SIMULATED" in the top right corner and a ruler of 10 mm steps on the left.

    ``mm`` is the size of a pixel in mm.
    """
    image = Image.fromarray(gray)
    pen = ImageDraw.Draw(image)
    w, h = image.size
    font = ImageFont.load_default(max(9, round(h * 0.032)))
    pen.text((w - 4, 3), "SIMULATED", fill=190, font=font, anchor="ra")
    for i in range(int(h * mm // 10) + 1):
        y = round(i * 10 / mm)
        pen.line((1, y, 7 if i % 5 == 0 else 4, y), fill=170)
    return np.array(image, dtype=np.uint8)
