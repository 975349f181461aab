"""How many pictures a second `fetalclip data audit` gets through without embeddings, on simulated pictures.

Some planes are drawn, then turned, zoomed and shifted into as many different pictures as asked for, and written as PNG
with burned-in marks. Timed is the whole audit: reading, overlay search, hashes, all pairs, shortcuts, counts.
Not a test: see README.md in this folder.

    python benchmarks/audit_speed.py [--pictures 10000] [--workers 2] [--size 416x287] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from fetalclip.data import Row
from fetalclip.data.audit import audit
from fetalclip.phantom import PLANES, draw

TARGET = 150.0  # pictures a second on two cores
BASES = 160  # planes drawn; every picture is a view of one
BATCH = 50


def picture(number: int, base: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """View `number` of a drawn plane, with its overlay burned in on top."""
    rng = np.random.default_rng(number)
    angle, zoom = rng.uniform(-50, 50), rng.uniform(1.0, 2.2)
    whole = Image.fromarray(base).rotate(angle, resample=Image.Resampling.BILINEAR)
    width, height = (side / zoom for side in whole.size)
    left, top = rng.uniform(0, whole.width - width), rng.uniform(0, whole.height - height)
    box = (left, top, left + width, top + height)
    view = np.asarray(whole.resize(size, Image.Resampling.BILINEAR, box=box)).astype(np.float32)
    view = np.clip(view * rng.uniform(0.7, 1.3) + rng.normal(0, 3, view.shape), 0, 255)
    for line in range(5):  # a block of letter-like strokes in the upper right corner
        strokes = rng.random(12) < 0.7
        for i in np.flatnonzero(strokes):
            x, y = size[0] - 70 + 5 * i, 10 + 12 * line
            view[y : y + 8, x : x + 2] = 230
    return Image.fromarray(view.astype(np.uint8))


def write(start: int, folder: Path, count: int, size: tuple[int, int]) -> list[tuple[str, str]]:
    """Pictures `start` to `start + BATCH`, written; name and plane of each."""
    told = []
    for number in range(start, min(start + BATCH, count)):
        plane = PLANES[number // BATCH % len(PLANES)]
        base = _base(plane, number // BATCH % BASES)
        name = f"{number:06d}.png"
        picture(number, base, size).save(folder / name)
        told.append((name, plane))
    return told


def _base(plane: str, seed: int, kept: dict[tuple[str, int], np.ndarray] = {}) -> np.ndarray:  # noqa: B006
    if (plane, seed) not in kept:
        kept[plane, seed] = draw(plane, seed).frame.gray
    return kept[plane, seed]


def main() -> int:
    """Write the pictures, audit them, print the speed."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--pictures", type=int, default=10_000)
    ask.add_argument("--workers", type=int, default=2)
    ask.add_argument("--size", default="416x287")
    ask.add_argument("--json", action="store_true")
    given = ask.parse_args()
    size = tuple(int(side) for side in given.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        job = partial(write, folder=Path(folder), count=given.pictures, size=(size[0], size[1]))
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            told = [line for part in pool.map(job, range(0, given.pictures, BATCH)) for line in part]
        rows = [
            Row(
                "simulated",
                Path(folder) / name,
                name,
                f"case {i // 4}",
                -3,
                ("train", "val", "test")[i // 4 % 3],
                plane,
            )
            for i, (name, plane) in enumerate(told)
        ]
        began = time.perf_counter()
        made = audit(rows, workers=given.workers)
        seconds = time.perf_counter() - began
    rate = len(rows) / seconds
    facts = {"pictures": len(rows), "size": given.size, "workers": given.workers, "seconds": round(seconds, 1)}
    facts |= {"pictures_per_second": round(rate, 1), "target": TARGET, "met": rate >= TARGET}
    facts |= {"near_pairs": len(made.copies.near), "unreadable": len(made.unreadable)}
    print(json.dumps(facts) if given.json else "\n".join(f"{name:22}{value}" for name, value in facts.items()))
    return 0 if rate >= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
