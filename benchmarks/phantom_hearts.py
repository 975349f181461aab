"""Frames a second of the simulated four-chamber clips on one core, and the sheet of pictures in the docs.

Clips of 48 frames at 224 pixels from the "train" profile, their setting up included. The rate by processor time is
what a core that does nothing else gives.

    python benchmarks/phantom_hearts.py [--clips 6] [--frames 48] [--size 224] [--sheet docs/pictures/hearts.png]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image

from fetalclip.phantom.hearts import FINDINGS, draw_heart

TILE, WIDE = 128, 6  # pixels, tiles a row


def rates(clips: int, frames: int, size: int) -> dict[str, float]:
    """Frames a second by the clock and by processor time, and ms that a clip's setting up takes."""
    names = [None, *(name for name, finding in FINDINGS.items() if finding.trained)]
    draw_heart(0, "train", frames=1, size=size).picture(0)  # first use of every function
    clock, core, setting = time.perf_counter(), time.process_time(), 0.0
    for seed in range(clips):
        start = time.process_time()
        clip = draw_heart(seed, "train", names[seed % len(names)], 0.7, frames, size=size)
        setting += time.process_time() - start
        for _ in clip.pictures():
            pass
    total = clips * frames
    return {
        "frames/s by the clock": total / (time.perf_counter() - clock),
        "frames/s by processor time": total / (time.process_time() - core),
        "ms to set up a clip": 1000 * setting / clips,
    }


def sheet(path: Path) -> None:
    """Two healthy hearts over a beat, then every finding that a still shows at severities 0.5 and 1."""
    tiles = []
    for view in ("apical", "basal"):
        clip = draw_heart(7, "demo", frames=24, view=view)
        phases = (0.0, 0.42, 0.62) if view == "apical" else (0.0, 0.42, 0.7)
        tiles += [clip.picture(int(np.abs(clip.cycle.phase - phase).argmin())) for phase in phases]
    for name, finding in FINDINGS.items():
        if not finding.motion:
            tiles += [draw_heart(11, "demo", name, s, 8, "apical").picture(1) for s in (0.5, 1.0)]
    rows = -(-len(tiles) // WIDE)
    out = Image.new("L", (WIDE * TILE, rows * TILE))
    for i, tile in enumerate(tiles):
        small = Image.fromarray(tile).resize((TILE, TILE), Image.Resampling.LANCZOS)
        coarse = Image.fromarray((np.asarray(small) // 8 * 8).astype(np.uint8))  # 32 grey levels, for the file's size
        out.paste(coarse, (i % WIDE * TILE, i // WIDE * TILE))
    out.save(path, optimize=True)


def main() -> None:
    """Measure, or draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--sheet", type=Path)
    asked = parser.parse_args()
    if asked.sheet is not None:
        sheet(asked.sheet)
        return
    for name, value in rates(asked.clips, asked.frames, asked.size).items():
        print(f"{name:28} {value:8.1f}")


if __name__ == "__main__":
    main()
