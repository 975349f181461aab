"""How much of printed lines inside an ultrasound region de-identification blanks, and how much tissue it costs.

Lines of made-up names, numbers and dates, 10 to 36 pixels high, in one grey, on simulated tissue of three sizes. A line
counts as gone when at least 97 % of its ink is blanked. Not a test: see README.md in this folder.

    python benchmarks/letters.py [--lines 200] [--grey 255 200 140 90] [--json]
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fetalclip.overlay.letters import find_text, text_to_blank
from fetalclip.overlay.raster import Gray, Mask
from fetalclip.phantom import PLANES, draw

TEXTS = ("DOE JANE 4711220", "ROE^MARY 19900101", "HC 24.5cm", "12.03.2024 11:42", "ID 99182734 Smith A.")
SIZES = ((512, 384), (800, 600), (1024, 768))
HEIGHTS = (10, 12, 14, 16, 20, 24, 30, 36)
GONE = 0.97


def line_on_tissue(seed: int, grey: int, rng: np.random.Generator) -> tuple[Gray, Mask]:
    """A picture, and the ink of the line on it."""
    size, height = SIZES[seed % 3], int(rng.choice(HEIGHTS))
    page = Image.fromarray(draw(PLANES[seed % 4], seed).frame.gray).resize(size, Image.Resampling.BICUBIC)
    before = np.array(page)
    place = (int(rng.uniform(0.1, 0.5) * size[0]), int(rng.uniform(0.1, 0.85) * size[1]))
    ImageDraw.Draw(page).text(place, TEXTS[seed % 5], fill=grey, font=ImageFont.load_default(height))
    gray = np.array(page)
    return gray, (gray != before) & (np.abs(gray.astype(int) - grey) < 10)


def measure(grey: int, lines: int) -> dict[str, float]:
    """Shares of lines gone, as found and as blanked, and of the picture that is blanked."""
    rng = np.random.default_rng(1)
    found, gone, lost = [], [], []
    for seed in range(lines):
        gray, ink = line_on_tissue(seed, grey, rng)
        if not ink.any():
            continue
        for kept, boxes in ((found, find_text(gray)), (gone, text_to_blank(gray, np.ones(gray.shape, dtype=bool)))):
            mask = np.zeros(gray.shape, dtype=bool)
            for y0, x0, y1, x1 in boxes:
                mask[y0:y1, x0:x1] = True
            kept.append(mask[ink].mean() >= GONE)
        lost.append(mask.mean())
    count = len(gone)
    return {
        "grey": grey,
        "lines": count,
        "found": round(float(np.mean(found)), 3),
        "gone": round(float(np.mean(gone)), 3),
        "gone_interval": [round(edge, 3) for edge in wilson(int(np.sum(gone)), count)],
        "picture_blanked": round(float(np.mean(lost)), 4),
    }


def wilson(hits: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    share, spread = hits / count, z**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = z * (share * (1 - share) / count + spread / 4 / count) ** 0.5 / (1 + spread)
    return middle - half, middle + half


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--grey", type=int, nargs="+", default=[255, 200, 140, 90])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    for grey in args.grey:
        told = measure(grey, args.lines)
        print(
            json.dumps(told) if args.json else "  ".join(f"{name} {value}" for name, value in told.items()), flush=True
        )


if __name__ == "__main__":
    main()
