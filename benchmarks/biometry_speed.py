"""Pictures a second through decode, encode, segment and measure, bundled model, one by one and sixteen together.

The pictures are simulated heads saved as PNG. The baseline of the same run is decode and encode alone, which is what
the plane of a picture costs. Five looks are what ``analyze`` takes; one look gives no interval.

    python benchmarks/biometry_speed.py [--pictures 32] [--threads 2]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image

import fetalclip as fc
from fetalclip.caliper import measure_all
from fetalclip.memory import keep_freed_memory
from fetalclip.phantom import draw


def pictures(folder: Path, count: int) -> list[tuple[Path, tuple[float, float]]]:
    """Simulated heads as files, with their mm per pixel."""
    made = []
    for seed in range(count):
        frame = draw("brain", seed, "demo").frame
        Image.fromarray(frame.gray).save(folder / f"{seed}.png")
        assert frame.mm_per_pixel is not None
        made.append((folder / f"{seed}.png", frame.mm_per_pixel))
    return made


Files = Sequence[tuple[Path, tuple[float, float]]]
Work = Callable[[Sequence[fc.Frame]], object]


def rate(work: Work, files: Files, batch: int) -> float:
    """Pictures a second, the best of three runs; reading the files counts."""
    best = 0.0
    for _ in range(3):
        began = time.perf_counter()
        for start in range(0, len(files), batch):
            work([fc.read(path, mm_per_pixel=spacing) for path, spacing in files[start : start + batch]])
        best = max(best, len(files) / (time.perf_counter() - began))
    return best


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=32)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    keep_freed_memory()  # as the command line does
    model = fc.load()

    def measured(views: bool) -> Work:
        def work(frames: Sequence[fc.Frame]) -> object:
            planes = model.planes(frames)
            return planes, [measure_all(one) for one in model.segment(frames, "head", views=views)]

        return work

    works = {"decode and encode": model.planes, "with one look": measured(False), "with five looks": measured(True)}
    with tempfile.TemporaryDirectory() as folder:
        files = pictures(Path(folder), asked.pictures)
        print(f"{asked.pictures} pictures, {asked.threads} threads\n| road | batch 1 | batch 16 | over the baseline |")
        print("|---|---|---|---|")
        base = 0.0
        for name, work in works.items():
            work([fc.read(files[0][0], mm_per_pixel=files[0][1])])
            one, many = rate(work, files, 1), rate(work, files, 16)
            base = base or many
            print(f"| {name} | {one:.2f}/s | {many:.2f}/s | {many / base:.2f} |", flush=True)


if __name__ == "__main__":
    main()
