"""Whether `fetalclip embed` takes more memory for more pictures, and how many pictures a second it embeds.

Fifty simulated pictures are drawn into a temporary folder and linked to under as many names as are asked for. The
command itself runs in a process of its own, once for a tenth of the names and once for all of them; its peak memory,
torch and model included, is what the system counted for that process. Not a test: see README.md in this folder. The
exit status is 1 when ten times as many pictures take over 1.1 times the memory.

    python benchmarks/embed_flat.py [--pictures 10000] [--size 416x287] [--format npz] [--model fetalclip-open] [--json]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

DRAWN = 50
LIMIT = 1.1


def draw(folder: Path, size: tuple[int, int]) -> list[Path]:
    """The pictures, each of its own seed, with an overlay as a machine burns it in."""
    from PIL import Image

    from fetalclip.phantom import PLANES
    from fetalclip.phantom import draw as phantom

    folder.mkdir()
    made = []
    for seed in range(DRAWN):
        made.append(folder / f"{seed}.png")
        plane = PLANES[seed % len(PLANES)]
        Image.fromarray(phantom(plane, seed, overlay=True).frame.pixels).resize(size).save(made[-1])
    return made


def link(pictures: list[Path], folder: Path, count: int) -> Path:
    """A folder with so many names, each a link to one of the pictures."""
    folder.mkdir()
    for i in range(count):
        (folder / f"{i:07}.png").symlink_to(pictures[i % len(pictures)])
    return folder


def embed(words: list[str], queue: Any) -> None:
    """Run the command; its exit code, seconds and peak memory in MB (ru_maxrss: kB on Linux, bytes on macOS)."""
    from fetalclip.cli import main
    from fetalclip.memory import keep_freed_memory

    keep_freed_memory()  # as the command line does
    begun = time.perf_counter()
    code = main(words)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    queue.put((code, time.perf_counter() - begun, peak))


def measure(folder: Path, out: Path, model: str) -> dict[str, float]:
    """One run in a fresh process."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=embed, args=(["embed", str(folder), "-o", str(out), "--model", model], queue))
    process.start()
    code, seconds, peak = queue.get()
    process.join()
    if code != 0:
        raise SystemExit(f"embed ended with exit code {code}")
    count = sum(1 for _ in folder.iterdir())
    return {"pictures": count, "seconds": seconds, "pictures_per_second": count / seconds, "peak_mb": peak}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--format", choices=("npz", "parquet"), default="npz")
    parser.add_argument("--model", default="fetalclip-open")
    parser.add_argument("--size", default="416x287", help="pixels of a picture")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    width, height = map(int, asked.size.split("x"))
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        pictures = draw(root / "drawn", (width, height))
        runs = []
        for count in (asked.pictures // 10, asked.pictures):
            folder = link(pictures, root / str(count), count)
            runs.append(measure(folder, root / f"e.{asked.format}", asked.model))
    ratio = runs[1]["peak_mb"] / runs[0]["peak_mb"]
    if asked.json:
        print(json.dumps({"runs": runs, "memory_ratio": ratio, "limit": LIMIT}))
    else:
        for run in runs:
            print(f"{run['pictures']:6} pictures  {run['pictures_per_second']:6.1f}/s  peak {run['peak_mb']:6.0f} MB")
        print(f"ten times the pictures, {ratio:.3f} times the memory")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
